"""Recordings: medias that are sent in chunks while they are being made."""

import asyncio
import base64
import hashlib
import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from typing import BinaryIO
from urllib.parse import quote

import httpx
from msgspec import Struct, field

from mediatheque.client.answers import decode
from mediatheque.client.connection import Connection
from mediatheque.client.errors import NotFoundError, NotUnderstoodError
from mediatheque.client.pages import every_item
from mediatheque.client.results import Received, Recording

CHUNK_BYTES = 1 << 20

_FIRST_POLL_SECONDS = 0.05
_POLL_SECONDS = 1.0

Source = str | os.PathLike[str] | BinaryIO | Iterable[bytes] | AsyncIterable[bytes]
Progress = Callable[[int], None]
"""Called with how many bytes the server has acknowledged."""


class _Created(Struct, frozen=True):
    video_id: str


class _RecordingPage(Struct, frozen=True):
    items: tuple[Recording, ...] = field(name="recordings")
    next: str | None


class Recordings:
    """What can be asked of recordings. The id of each one is the resource of its medias."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(self) -> str:
        """Begin a recording and return its id. One that gets no bytes is removed by itself."""
        answer = await self._connection.request("POST", "/create/")
        return decode(answer, _Created).video_id

    async def add(
        self,
        recording_id: str,
        data: bytes,
        *,
        number: int | None = None,
        offset: int | None = None,
    ) -> Received:
        """Append a chunk, verified by its SHA-256; return what the recording then has.

        With its ``number``, counted from 0, or the ``offset`` of its first byte, it is sent again
        when the answer got lost, and kept once. Without either, a lost answer raises
        ConnectionLostError, and what is there is for ``find`` to tell.

        Raises NotFoundError, and ConflictError when another chunk is expected or the recording
        was completed.
        """
        digest = await asyncio.to_thread(hashlib.sha256, data)
        headers = {
            "Content-Length": str(len(data)),
            "Content-Digest": f"sha-256=:{base64.b64encode(digest.digest()).decode()}:",
        }
        if number is not None:
            headers["Chunk-Index"] = str(number)
        if offset is not None:
            headers["Upload-Offset"] = str(offset)

        async def content() -> AsyncIterator[bytes]:
            yield data

        answer = await self._connection.request(
            "POST",
            _path("add_data", recording_id),
            content=content,
            headers=headers,
            repeatable=number is not None or offset is not None,
        )
        return _received(answer)

    async def send(
        self,
        recording_id: str,
        source: Source,
        *,
        chunk_bytes: int = CHUNK_BYTES,
        on_progress: Progress | None = None,
    ) -> Received:
        """Append everything that ``source`` gives, in numbered chunks; return what is then there.

        ``source``: the path of a file, an open binary file, or something that yields bytes. Of
        files, a chunk is what can be read at once, ``chunk_bytes`` at most; of what yields, each
        piece is a chunk.

        Raises OSError when a file cannot be read, and else as ``add``.
        """
        recording = await self.find(recording_id)
        received = Received(size=recording.size, chunks=recording.chunks)
        async for piece in _pieces(source, chunk_bytes):
            received = await self.add(recording_id, piece, number=received.chunks)
            if on_progress is not None:
                on_progress(received.size)
        return received

    async def complete(self, recording_id: str) -> Recording:
        """End a recording; its processing begins. To complete it again changes nothing.

        Raises NotFoundError, and ConflictError when it has no bytes.
        """
        await self._connection.request("POST", _path("complete_job", recording_id))
        return await self.find(recording_id)

    async def record(
        self,
        source: Source,
        *,
        chunk_bytes: int = CHUNK_BYTES,
        on_progress: Progress | None = None,
    ) -> Recording:
        """Make a recording of everything that ``source`` gives: create, ``send``, complete."""
        recording_id = await self.create()
        await self.send(recording_id, source, chunk_bytes=chunk_bytes, on_progress=on_progress)
        return await self.complete(recording_id)

    async def find(self, recording_id: str) -> Recording:
        """Return a recording. Raises NotFoundError."""
        return decode(
            await self._connection.request("GET", _path("recordings", recording_id)), Recording
        )

    def list(self, *, limit: int | None = None) -> AsyncIterator[Recording]:
        """Yield recordings, newest first."""
        return every_item(self._connection, "/recordings", {}, _RecordingPage, limit=limit)

    async def wait(self, recording_id: str) -> Recording:
        """Return a recording once it is complete or failed. Raises NotFoundError."""
        pause = _FIRST_POLL_SECONDS
        while (recording := await self.find(recording_id)).live:
            await asyncio.sleep(pause)
            pause = min(_POLL_SECONDS, 2 * pause)
        return recording


async def _pieces(source: Source, chunk_bytes: int) -> AsyncIterator[bytes]:
    """Yield the chunks of a source. What blocks is waited for in threads."""
    if isinstance(source, str | os.PathLike):
        # Not buffered: of a pipe, what has arrived is not kept back until there is more.
        with await asyncio.to_thread(open, source, "rb", buffering=0) as file:
            while piece := await asyncio.to_thread(file.read, chunk_bytes):
                yield piece
    elif isinstance(source, AsyncIterable):
        async for piece in source:
            yield piece
    elif hasattr(source, "read"):
        read = getattr(source, "read1", source.read)
        while piece := await asyncio.to_thread(read, chunk_bytes):
            yield piece
    else:
        pieces = iter(source)
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            yield piece


def _received(answer: httpx.Response) -> Received:
    """Return what the headers of an answer say that the recording has."""
    try:
        return Received(
            size=int(answer.headers["upload-offset"]), chunks=int(answer.headers["chunk-index"])
        )
    except (KeyError, ValueError):
        raise NotUnderstoodError(
            f"{answer.request.url} does not tell what it received. Is it an older version, or is "
            "there a proxy between that removes headers?",
            status=answer.status_code,
            request_id=answer.headers.get("x-request-id"),
        ) from None


def _path(what: str, recording_id: str) -> str:
    if not recording_id:  # the address of the list
        raise NotFoundError("There is no recording ''.")
    return f"/{what}/{quote(recording_id, safe='')}"
