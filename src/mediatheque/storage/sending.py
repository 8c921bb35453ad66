"""Sending one file of this machine into a store: what a store asks of its caller."""

import functools
import os
import threading
from typing import Protocol

from mediatheque.domain.errors import ConflictError, UnavailableError
from mediatheque.storage.pace import Pace
from mediatheque.storage.stores import ObjectWriter, Stored
from mediatheque.storage.threads import Threads, in_thread

READ_BYTES = 1 << 20
"""How much of a source is read at once: what fits into a processor's cache is hashed there."""


class Source(Protocol):
    """A regular file, open for reading, that nobody closes while it is being sent."""

    @property
    def descriptor(self) -> int:
        """Its descriptor. Several threads read from it at once, by offset."""

    @property
    def size(self) -> int:
        """Its size in bytes when it was opened."""

    def changed(self) -> bool:
        """Tell whether it is another than when it was opened: what was read may be torn."""


class Sending(Protocol):
    """What the caller of ``Store.send_file`` decides, keeps and hears of; one for each file."""

    @property
    def upload_id(self) -> str | None:
        """The multipart upload that an earlier call began for these bytes and this key."""

    @property
    def pace(self) -> Pace:
        """How fast the bytes may leave. May be shared by many sendings."""

    @property
    def stop(self) -> threading.Event:
        """Set to make the call raise SendingStoppedError soon. May be shared by many sendings."""

    async def begun(self, upload_id: str) -> None:
        """Keep the id of a new multipart upload; it is durable when this returns.

        Awaited before the first part is sent, and once more when it has to be begun anew. When
        it raises, the upload is removed and the error passed on.
        """

    def advanced(self, count: int) -> None:
        """Take note that the store has ``count`` bytes more, or had them. Called by threads."""


class SourceChangedError(ConflictError):
    """The file was changed while it was read, so that what was read may never have existed."""

    def __init__(self) -> None:
        super().__init__("The file was changed while it was read. Send it again when it is whole.")


class SourceReadError(UnavailableError):
    """The operating system could not read the file."""


def read_source(descriptor: int, offset: int, into: memoryview) -> None:
    """Fill ``into`` with the bytes from ``offset``. Blocks.

    Raises SourceChangedError when the file ends before, SourceReadError when it cannot be read.
    """
    filled = 0
    while filled < len(into):
        try:
            count = os.preadv(descriptor, [into[filled:]], offset + filled)
        except OSError as error:
            raise SourceReadError(f"The file could not be read: {error.strerror}.") from error
        if count == 0:
            raise SourceChangedError
        filled += count


def check_unchanged(source: Source) -> None:
    """Return when what was read is the file. Raises SourceChangedError."""
    if source.changed():
        raise SourceChangedError


async def send_by_writer(
    writer: ObjectWriter, source: Source, sending: Sending, threads: Threads
) -> Stored:
    """Send ``source`` through a writer of its store; see ``Store.send_file``."""

    def read(offset: int) -> bytes:
        piece = bytearray(min(sending.pace.step(READ_BYTES), source.size - offset))
        sending.pace.wait(len(piece), sending.stop)
        read_source(source.descriptor, offset, memoryview(piece))
        return bytes(piece)

    try:
        offset = 0
        while offset < source.size:
            piece = await in_thread(threads, functools.partial(read, offset))
            await writer.write(piece)
            offset += len(piece)
            sending.advanced(len(piece))
        check_unchanged(source)
        return await writer.commit()
    except BaseException:
        await writer.abort()
        raise
