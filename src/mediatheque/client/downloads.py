"""Downloading a media, going on where a broken connection stopped."""

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path

from mediatheque.client.connection import Connection
from mediatheque.client.digest import Digest
from mediatheque.client.errors import ConflictError, IntegrityError
from mediatheque.client.results import Media
from mediatheque.client.retries import RETRYABLE

_PIECE_BYTES = 256 << 10

Progress = Callable[[int, int], None]


async def read_media(
    connection: Connection, media: Media, url: str, *, start: int = 0
) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of a media from ``start``, whatever happens to connections meanwhile.

    Raises ConflictError when another media has taken its address.
    """
    etag: str | None = None
    position = start
    retries = connection.retries()
    while position < media.size:
        try:
            if position and etag is None:
                etag = await _etag(connection, url)
            headers = _range_headers(position, etag)
            async with connection.stream("GET", url, headers=headers) as response:
                etag = etag or response.headers.get("etag")
                expected = f"bytes {position}-{media.size - 1}/{media.size}" if position else None
                if response.headers.get("content-range") != expected or response.headers.get(
                    "content-length"
                ) != str(media.size - position):
                    raise ConflictError(f"{media.resource} was replaced while it was downloaded.")
                async for piece in response.aiter_raw(_PIECE_BYTES):
                    position += len(piece)
                    retries.progressed()
                    yield piece
        except RETRYABLE as error:
            await connection.pause_after(error, retries)


async def _etag(connection: Connection, url: str) -> str | None:
    """Return the entity tag of a file. By GET: an address at the store may be signed for that."""
    async with connection.stream("GET", url, headers=_range_headers(0, None, last="0")) as response:
        etag: str | None = response.headers.get("etag")
        return etag


def _range_headers(start: int, etag: str | None, *, last: str = "") -> dict[str, str]:
    """Return what asks for the bytes from ``start``, if they are still those of ``etag``."""
    headers = {"Accept-Encoding": "identity"}
    if start or last:
        headers["Range"] = f"bytes={start}-{last}"
    if start and etag is not None:
        headers["If-Range"] = etag
    return headers


def partial_path(target: Path, media: Media) -> Path:
    """Return where a download that is not complete yet is kept.

    Named after the media's id, under which bytes never change: what such a file holds is its
    beginning.
    """
    return target.with_name(f"{media.id}.part")


async def download_media(
    connection: Connection, media: Media, url: str, target: Path, on_progress: Progress
) -> None:
    """Download a media to ``target``, replacing what is there, once every byte is verified.

    What an earlier attempt left is kept and not asked for again. Verified means by the checksums
    that the server has; of a file that went straight to its store it may know the size only.
    Raises OSError, ConflictError, and IntegrityError when the bytes are not those recorded.
    """
    partial = await asyncio.to_thread(_Partial, partial_path(target, media), media.size)
    try:
        on_progress(partial.digest.size, media.size)
        async with aclosing(
            read_media(connection, media, url, start=partial.digest.size)
        ) as pieces:
            async for piece in pieces:
                await asyncio.to_thread(partial.append, piece)
                on_progress(partial.digest.size, media.size)
        await asyncio.to_thread(partial.finish, media, target)
    finally:
        partial.close()


class _Partial:
    """The file of a download that is not complete yet, locked while it is open."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.digest = Digest()
        self._file = path.open("ab+", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise ConflictError(f"Another download is writing {path}.") from None
        if os.fstat(self._file.fileno()).st_size > size:
            self._file.truncate(0)
        self._file.seek(0)
        while piece := self._file.read(_PIECE_BYTES):
            self.digest.update(piece)

    def append(self, piece: bytes) -> None:
        """Write the next bytes."""
        view = memoryview(piece)
        while view:
            view = view[self._file.write(view) :]
        self.digest.update(piece)

    def finish(self, media: Media, target: Path) -> None:
        """Verify the bytes and give the file its name; a wrong one is removed."""
        if not self.digest.agrees(media.size, media.checksum):
            self.path.unlink()
            raise IntegrityError(
                f"What arrived of {media.resource} is not what the server recorded, and was "
                "thrown away. Download it again."
            )
        os.fsync(self._file.fileno())
        self.path.replace(target)

    def close(self) -> None:
        """Close the file and give up its lock."""
        self._file.close()
