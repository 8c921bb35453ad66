"""Turns: which of many large bodies flow at a time."""

import asyncio

_TURN_BYTES = 64 << 20
_PATIENCE = 0.01
"""Seconds that a turn may wait for its client at first; see ``Turn``."""

_MOST_PATIENCE = 0.25
_KEEPING_SECONDS = 5.0
"""How long at least a turn goes on while its reader keeps a piece.

He may wait for memory that readers of bodies without a turn have: for ever, if turns never ended.
"""

_FAST = 64_000_000
"""Bytes per second at which a body earns back all the time that its turn waits for it.

Much less, and a slow client whose bytes piled up while it had no turn would earn so much patience
with them that the turns of a hundred such clients keep everybody waiting.
"""


class Turn:
    """The turns of one body, among those that want some of ``turns``.

    One ends after ``_TURN_BYTES``, or when the client let it wait for longer than its patience.
    That starts small and grows with what arrives, so that slow clients, however many and however
    steady, hold turns for moments, and a fast one keeps its own across a hiccup. A body whose
    client is slow waits without a turn until something arrives, and so does one whose reader keeps
    a piece for long: ``is_kept`` says that he has one.

    Once ``stopping`` is set no waiting without a turn goes on.
    """

    def __init__(self, turns: asyncio.Semaphore, stopping: asyncio.Event | None) -> None:
        self._turns = turns
        self._stopping = stopping
        self._clock = asyncio.get_running_loop().time
        self._held = False
        self._bytes_left = 0
        self._patience = 0.0
        self._pieces = 0
        self._asked_at = 0.0
        self._impatient: asyncio.TimerHandle | None = None
        self._until_stopped: asyncio.Task[None] | None = None
        self._looking: asyncio.TimerHandle | None = None
        self.is_kept = False

    @property
    def is_stopped(self) -> bool:
        """Whether somebody wants the body to end."""
        return self._stopping is not None and self._stopping.is_set()

    @property
    def goes_on(self) -> bool:
        """Whether the body has a turn that is not at its end."""
        return self._held and self._bytes_left > 0

    async def begin(self) -> None:
        """Wait for a turn, unless there is one that goes on. None comes once it is to stop."""
        if self.goes_on:
            return
        self.end()
        if self._stopping is None or not self._turns.locked():
            await self._turns.acquire()
        elif not await _acquired(self._turns, self._stopping):
            return
        self._held = True
        self._bytes_left = _TURN_BYTES
        self._patience = _PATIENCE
        self._look_later()

    def end(self) -> None:
        """Give the turn up, if there is one."""
        if self._held:
            self._held = False
            self._turns.release()
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def wait(self, limit: asyncio.Timeout, *, longest: float) -> None:
        """Begin to wait for a piece: with the turn while the patience lasts, then without it.

        Without it ``limit`` expires after the ``longest`` time, in seconds, or as soon as the body
        is to stop. A timer sees to that and not a task, which would take as long for every piece as
        passing it on.
        """
        self._asked_at = self._clock()
        loop = asyncio.get_running_loop()
        self._impatient = loop.call_later(self._patience, self._lose_patience, limit, longest)

    def wait_no_more(self) -> None:
        """End what ``wait`` began."""
        self._patience = max(0.0, self._patience - (self._clock() - self._asked_at))
        if self._impatient is not None:
            self._impatient.cancel()
            self._impatient = None
        if self._until_stopped is not None:
            self._until_stopped.cancel()
            self._until_stopped = None

    def _lose_patience(self, limit: asyncio.Timeout, longest: float) -> None:
        self.end()
        # From now on: in a process that stood still this is late, and what arrived meanwhile later.
        limit.reschedule(self._clock() + longest)
        if self._stopping is not None:
            self._until_stopped = asyncio.create_task(_expire_once(self._stopping, limit))

    def count(self, size: int) -> None:
        """Count a piece of ``size`` bytes that arrived."""
        self._pieces += 1
        self._bytes_left -= size
        self._patience = min(_MOST_PATIENCE, self._patience + size / _FAST)

    def _look_later(self) -> None:
        # Now and then, as a timer for every piece would cost more than passing it on.
        loop = asyncio.get_running_loop()
        self._looking = loop.call_later(_KEEPING_SECONDS, self._look, self._pieces)

    def _look(self, pieces: int) -> None:
        """End the turn if its reader has kept one piece since there were ``pieces``."""
        if self.is_kept and self._pieces == pieces:
            self.end()
        else:
            self._look_later()


async def _expire_once(stopping: asyncio.Event, limit: asyncio.Timeout) -> None:
    await stopping.wait()
    if not limit.expired():
        limit.reschedule(asyncio.get_running_loop().time())


async def _acquired(turns: asyncio.Semaphore, stopping: asyncio.Event) -> bool:
    """Wait for one of ``turns``; return False without one when ``stopping`` comes first."""
    acquiring = asyncio.ensure_future(turns.acquire())
    stopped = asyncio.ensure_future(stopping.wait())
    acquired = False
    try:
        await asyncio.wait({acquiring, stopped}, return_when=asyncio.FIRST_COMPLETED)
        acquired = acquiring.done()
    finally:
        stopped.cancel()
        if not acquired and not acquiring.cancel():
            turns.release()
    return acquired
