"""Gathering the pieces of an object into the parts that are sent to a store."""

from collections.abc import Callable
from typing import Protocol

from mediatheque.storage.part_memory import PartBuffer, PartMemory

# What is gathered without asking for memory, so that small files never queue behind big ones.
_SMALL_BYTES = 256 << 10
_PAGE_BYTES = 2 << 20  # a huge page: what the first byte of a part costs


class Gathered(Protocol):
    """A part that was gathered; whoever took it releases it or passes it on."""

    def content(self) -> memoryview:
        """Return its bytes. For a thread: they may have to be read from disk."""

    def pass_on(self) -> memoryview:
        """Return its bytes, and free what it took once nobody looks at them any more."""

    def release(self) -> None:
        """Free what it took. What was returned of its content can be read on."""


class PartGatherer:
    """Gathers one object. ``capacity`` tells how much a part takes by its number, from 1 on.

    ``size_hint`` is how many bytes are expected in all: the memory is asked for that is needed.
    """

    def __init__(
        self, memory: PartMemory, *, capacity: Callable[[int], int], size_hint: int | None
    ) -> None:
        self._memory = memory
        self._capacity = capacity
        self._size_hint = size_hint
        self._begun = 0
        self._begun_bytes = 0
        self._small = bytearray()
        self._part: PartBuffer | None = None

    async def add(self, piece: memoryview) -> memoryview:
        """Take what fits; return the rest. When there is one, the part is full: ``take`` it.

        Raises what ``capacity`` raises, and what memory and disk say.
        """
        if self._part is None:
            if len(self._small) + len(piece) <= _SMALL_BYTES:
                self._small += piece
                return piece[len(piece) :]
            self._part = await self._new_part()
            await self._part.fill(memoryview(self._small))
            self._small = bytearray()
        return await self._part.fill(piece)

    def take(self) -> Gathered:
        """Return what was gathered since the last time; the next part begins empty."""
        if self._part is not None:
            part, self._part = self._part, None
            return part
        small, self._small = _Small(self._small), bytearray()
        return small

    def release(self) -> None:
        """Free what was not taken."""
        self.take().release()

    async def _new_part(self) -> PartBuffer:
        self._begun += 1
        capacity = self._capacity(self._begun)
        reserved = capacity
        if self._size_hint is not None:
            missing = max(self._size_hint - self._begun_bytes, 1)
            reserved = min(capacity, -(-missing // _PAGE_BYTES) * _PAGE_BYTES)
        self._begun_bytes += capacity
        return await self._memory.buffer(capacity, reserved=reserved)


class _Small:
    """Few bytes. See ``Gathered``."""

    def __init__(self, content: bytearray) -> None:
        self._content = content

    def content(self) -> memoryview:
        return memoryview(self._content)

    def pass_on(self) -> memoryview:
        return self.content()

    def release(self) -> None:
        """Do nothing: they took no part memory."""
