"""Memory for the parts of uploads that are sent on while they come."""

import asyncio
import mmap
from typing import Any

import pytest

from mediatheque.domain.errors import UnavailableError
from mediatheque.storage import part_buffers, part_memory
from mediatheque.storage.part_buffers import PartBuffers
from mediatheque.storage.part_memory import PartMemory

MIB = 1 << 20


def refuse(_size: int) -> Any:
    raise OSError("Cannot allocate memory")


async def test_memory_that_the_system_does_not_have_is_not_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory = PartMemory(2 * MIB)
    with monkeypatch.context() as patched:
        patched.setattr(part_memory, "anonymous_pages", refuse)
        for _ in range(3):
            with pytest.raises(UnavailableError, match="no memory"):
                await memory.buffer(MIB)
    async with asyncio.timeout(5):
        await memory.buffer(2 * MIB)


def test_buffers_that_the_system_does_not_have_are_not_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    buffers = PartBuffers(2 * MIB)
    with monkeypatch.context() as patched:
        patched.setattr(part_buffers, "anonymous_pages", refuse)
        with pytest.raises(OSError, match="Cannot allocate"):
            buffers.take(MIB)
    assert len(buffers.take(2 * MIB)) == 2 * MIB


async def test_huge_pages_are_no_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mmap, "MADV_HUGEPAGE", -1, raising=False)
    buffer = await PartMemory(MIB).buffer(MIB)
    assert not await buffer.fill(memoryview(b"x"))
    assert bytes(buffer.content()) == b"x"
