"""One piece of work that goes on while the next one is prepared."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class OneBehind:
    """At most one piece of work is under way behind its owner, who waits for it before the next.

    Once it has failed it stays so: what came next would follow a hole.
    """

    def __init__(self) -> None:
        self._work: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether there is work that nobody has waited for yet."""
        return self._work is not None

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Start work; the one before was waited for."""
        assert self._work is None
        self._work = asyncio.create_task(work)

    async def wait(self) -> None:
        """Wait for the work, if there is any. Raises what went wrong with it, each time."""
        if self._work is not None:
            # A cancelled caller must not lose sight of it: its memory and objects are in use.
            await asyncio.shield(self._work)
            self._work = None

    async def end(self) -> None:
        """Wait until it is over, whatever became of it."""
        if self._work is not None:
            await asyncio.wait([self._work])
            self._work.exception()
