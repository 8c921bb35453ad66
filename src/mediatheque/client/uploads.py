"""Uploading a file: announce it, PUT its bytes to the signed URL, confirm."""

import asyncio
import contextlib
import os
import stat
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from mediatheque.client.answers import decode
from mediatheque.client.connection import Connection
from mediatheque.client.digest import Digest
from mediatheque.client.errors import ClientError, InvalidError, SourceChangedError

_PIECE_BYTES = 1 << 20
# To confirm a large file, the store may have to copy it.
_CONFIRM_TIMEOUT = 900.0

Progress = Callable[[int, int], None]
"""Called with how many bytes are done, and how many there are; after a retry from zero again."""


class _Ticket(Struct, frozen=True, rename="camel"):
    id: str
    upload_url: str


@dataclass(frozen=True, slots=True)
class _Source:
    """An open file, and what it looked like when it was opened."""

    path: Path
    file: BinaryIO
    size: int
    modified_ns: int


async def upload_file(
    connection: Connection,
    path: Path,
    *,
    name: str,
    tags: Sequence[str],
    on_progress: Progress,
) -> tuple[str, Digest]:
    """Upload a file; return the id of the media and the digest of what was sent.

    Each step can be repeated: an announced upload that nobody confirms expires, the last complete
    PUT counts, and to confirm again is no error.
    """
    with _opened(path) as source:
        answer = await connection.request(
            "POST",
            "/api/file/upload",
            body={"name": name, "size": source.size, "tags": list(tags)},
        )
        ticket = decode(answer, _Ticket)
        try:
            digest = await _put(connection, ticket.upload_url, source, on_progress)
        except ClientError as error:
            with contextlib.suppress(ClientError):  # it expires by itself
                await _confirm(connection, ticket.id, success=False, error=error.detail)
            raise
    await _confirm(connection, ticket.id, success=True)
    return ticket.id, digest


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[_Source]:
    """Open a regular file; a FIFO is not waited for. Raises OSError and InvalidError."""
    with open(path, "rb", buffering=0, opener=_open_at_once) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise InvalidError(f"{path} is not a file.")
        yield _Source(path, file, status.st_size, status.st_mtime_ns)


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


async def _put(connection: Connection, url: str, source: _Source, on_progress: Progress) -> Digest:
    """Send the bytes of a file, from the start again after a broken connection."""
    digest = Digest()

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal digest
        digest = Digest()
        source.file.seek(0)
        while digest.size < source.size:
            piece = await asyncio.to_thread(_read, source.file, source.size - digest.size, digest)
            if not piece:
                raise SourceChangedError(f"{source.path} became shorter while it was uploaded.")
            yield piece
            on_progress(digest.size, source.size)

    headers = {"Content-Length": str(source.size)}
    await connection.request("PUT", url, content=pieces, headers=headers)
    after = os.fstat(source.file.fileno())
    if (after.st_size, after.st_mtime_ns) != (source.size, source.modified_ns):
        raise SourceChangedError(f"{source.path} changed while it was uploaded.")
    return digest


def _read(file: BinaryIO, most: int, digest: Digest) -> bytes:
    piece = file.read(min(_PIECE_BYTES, most))
    digest.update(piece)
    return piece


async def _confirm(connection: Connection, file_id: str, **words: bool | str) -> None:
    await connection.request(
        "POST",
        "/api/file/confirmUpload",
        body={"id": file_id, **words},
        read_timeout=_CONFIRM_TIMEOUT,
    )
