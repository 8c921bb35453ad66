"""The memory in which uploads of one process gather the parts that they send to a store."""

import asyncio

from mediatheque.storage.part_buffers import anonymous_pages


class PartMemory:
    """Keeps the part buffers of all writers of one process together below ``limit`` bytes.

    First come, first served. A buffer larger than the limit is given out when no other is.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()

    async def take(self, size: int) -> None:
        """Wait until ``size`` bytes are free and take them."""
        async with self._turn:
            while self._used and self._used + size > self._limit:
                self._freed.clear()
                await self._freed.wait()
            self._used += size

    async def buffer(
        self, capacity: int, *, reserved: int | None = None, start: int = 0
    ) -> "PartBuffer":
        """Wait until ``reserved`` bytes (all of it, unless told) are free; return a buffer.

        Raises OSError when the system has no memory.
        """
        reserved = capacity if reserved is None else reserved
        await self.take(reserved)
        try:
            return PartBuffer(capacity, reserved, start=start)
        except BaseException:
            self.give_back(reserved)
            raise

    def give_back(self, size: int) -> None:
        """Free what was taken."""
        self._used -= size
        self._freed.set()


class PartBuffer:
    """Memory for one part, of which ``reserved`` bytes count; less is used until it is full.

    It is filled from ``start`` on; what comes before is put there with ``put``.
    """

    def __init__(self, capacity: int, reserved: int, *, start: int = 0) -> None:
        self.reserved = reserved
        self.start = start
        self.filled = start
        self._pages = anonymous_pages(capacity)

    @property
    def is_full(self) -> bool:
        """Tell whether nothing more fits."""
        return self.filled == len(self._pages)

    def fill(self, piece: memoryview) -> memoryview:
        """Take what fits of ``piece``; return the rest."""
        taken = piece[: len(self._pages) - self.filled]
        self._pages[self.filled : self.filled + len(taken)] = taken
        self.filled += len(taken)
        return piece[len(taken) :]

    def put(self, position: int, piece: bytes) -> None:
        """Put bytes before ``start``."""
        self._pages[position : position + len(piece)] = piece

    def content(self, start: int = 0) -> memoryview:
        """Return what was filled in, from ``start`` on."""
        return memoryview(self._pages)[start : self.filled]
