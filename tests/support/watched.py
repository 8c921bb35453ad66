"""Pieces of a body of which tests can tell whether anything still has one in memory."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

_SECONDS = 5


class Watched:
    """Counts those of its pieces that are still in memory."""

    def __init__(self) -> None:
        self.alive = 0
        self._waited_for = asyncio.Event()

    async def pieces(self, *contents: bytes) -> AsyncIterator[bytes]:
        """Yield such pieces, then stand still, as a client does that has fallen silent."""
        for content in contents:
            yield _Piece(self, content)
        self._waited_for.set()
        await asyncio.Event().wait()

    async def check_forgotten(self) -> None:
        """Check that nothing keeps a piece while the next one is waited for."""
        async with asyncio.timeout(_SECONDS):
            await self._waited_for.wait()
            while self.alive:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def taking(work: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    """Have such pieces taken during the block."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def drop(pieces: AsyncIterable[bytes]) -> None:
    """Take pieces and keep none."""
    async for piece in pieces:
        del piece


class _Piece(bytes):
    """Bytes that tell when they are gone. They have no room for a weak reference."""

    _watched: Watched

    def __new__(cls, watched: Watched, content: bytes) -> "_Piece":
        piece = super().__new__(cls, content)
        piece._watched = watched
        watched.alive += 1
        return piece

    def __del__(self) -> None:
        self._watched.alive -= 1
