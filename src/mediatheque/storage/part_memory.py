"""Where the uploads of one process gather the parts that they send to a store."""

import asyncio
import contextlib
import time
import weakref
from collections.abc import Callable
from functools import partial
from typing import Protocol

from mediatheque.domain.errors import MediathequeError, UnavailableError
from mediatheque.storage.part_buffers import anonymous_pages
from mediatheque.storage.part_files import PartFiles

MOST_BYTES = 96 << 20
"""What all web processes of a machine together may take, in bytes."""

_STILL_SECONDS = 0.5
"""When no memory was taken and none freed for so long, slow clients have all of it."""


class PartMemory:
    """Keeps the part buffers of all writers of one process together below ``limit`` bytes.

    First come, first served. A buffer larger than the limit is given out when no other is.

    A slow client takes minutes to fill a part, and a few of them have all of the memory. So who
    waits while it stands still gets one of the ``files`` instead, if the disk has room.
    """

    def __init__(self, limit: int = MOST_BYTES, files: PartFiles | None = None) -> None:
        self._limit = limit
        self._files = files
        self._used = 0
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()
        self._moved_at = time.monotonic()

    async def buffer(
        self, capacity: int, *, reserved: int | None = None, start: int = 0
    ) -> "PartBuffer":
        """Wait until ``reserved`` bytes (all of it, unless told) are free; return a buffer.

        Raises UnavailableError when the system has no memory.
        """
        reserved = capacity if reserved is None else reserved
        if self._files is None:
            await self._take(reserved)
        elif not await self._take_unless_still(reserved):
            try:
                return PartBuffer(await self._files.make(capacity), start=start)
            except (OSError, MediathequeError):  # the disk has no room for it, or is not well
                await self._take(reserved)
        try:
            return PartBuffer(_Pages(self, capacity, reserved), start=start)
        except OSError as error:
            self.give_back(reserved)
            raise UnavailableError(
                "The system has no memory for what is sent to the store. Try again later."
            ) from error

    def give_back(self, size: int) -> None:
        """Free what a buffer took."""
        self._use(-size)
        self._freed.set()

    async def close(self) -> None:
        """Let go of the files; no buffer is in use any more."""
        if self._files is not None:
            await asyncio.to_thread(self._files.close)

    async def _take(self, size: int) -> None:
        async with self._turn:
            while not self._has(size):
                self._freed.clear()
                await self._freed.wait()
            self._use(size)

    async def _take_unless_still(self, size: int) -> bool:
        """Take bytes as soon as they are free, or return False once the memory stands still."""
        if self._has(size) and not self._turn.locked():
            self._use(size)
            return True
        taking = asyncio.create_task(self._take(size))
        try:
            while not taking.done() and (left := self._still_at() - time.monotonic()) > 0:
                await asyncio.wait([taking], timeout=left)
        except asyncio.CancelledError:
            if not taking.cancel():
                self.give_back(size)
            raise
        return not taking.cancel()

    def _has(self, size: int) -> bool:
        return not self._used or self._used + size <= self._limit

    def _use(self, size: int) -> None:
        self._used += size
        self._moved_at = time.monotonic()

    def _still_at(self) -> float:
        return self._moved_at + _STILL_SECONDS


class Place(Protocol):
    """Where a part of at most ``size`` bytes is gathered."""

    size: int

    async def keep(self, position: int, piece: memoryview) -> None:
        """Put bytes at a position."""

    def content(self) -> memoryview:
        """Return all ``size`` bytes. For a thread: they may have to be read from disk."""

    def pass_on(self) -> memoryview:
        """Return all bytes, and free the place once nobody looks at them any more."""

    def release(self) -> None:
        """Free the place. What was returned of it can be read on."""


class _Pages:
    """Memory, of which ``reserved`` bytes count: less is used until it is full. See ``Place``."""

    def __init__(self, memory: PartMemory, size: int, reserved: int) -> None:
        self.size = size
        self._memory = memory
        self._reserved = reserved
        self._pages = anonymous_pages(size)

    async def keep(self, position: int, piece: memoryview) -> None:
        self._pages[position : position + len(piece)] = piece

    def content(self) -> memoryview:
        return memoryview(self._pages)

    def pass_on(self) -> memoryview:
        pages = self._pages
        del self._pages
        loop = asyncio.get_running_loop()
        freed = partial(_call_in, loop, self._memory.give_back, self._reserved)
        weakref.finalize(pages, freed).atexit = False
        return memoryview(pages)

    def release(self) -> None:
        self._memory.give_back(self._reserved)


class PartBuffer:
    """A part that is being gathered.

    It is filled from ``start`` on; what comes before is put there with ``put``.
    """

    def __init__(self, place: Place, *, start: int) -> None:
        self.start = start
        self.filled = start
        self._place = place

    @property
    def is_full(self) -> bool:
        """Tell whether nothing more fits."""
        return self.filled == self._place.size

    async def fill(self, piece: memoryview) -> memoryview:
        """Take what fits of ``piece``; return the rest. Raises what the disk says, if it is one."""
        taken = piece[: self._place.size - self.filled]
        await self._place.keep(self.filled, taken)
        self.filled += len(taken)
        return piece[len(taken) :]

    async def put(self, position: int, piece: bytes) -> None:
        """Put bytes before ``start``."""
        await self._place.keep(position, memoryview(piece))

    def content(self) -> memoryview:
        """Return what was filled in. For a thread, and raises what the disk says, if it is one."""
        return self._place.content()[: self.filled]

    def pass_on(self) -> memoryview:
        """Return what was filled in, and free what it took once nobody looks at it any more."""
        return self._place.pass_on()[: self.filled]

    def release(self) -> None:
        """Free what it took. What was returned of its content can be read on."""
        self._place.release()


def _call_in(loop: asyncio.AbstractEventLoop, work: Callable[[int], None], size: int) -> None:
    """Call from whatever thread this is; a loop that has ended needs no memory any more."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(work, size)
