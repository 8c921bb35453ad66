"""Bytes that a thread writes while more of them arrive.

Writing and hashing on the event loop would keep every other request waiting, and to hop to a thread
and back for every piece would take as long as writing it.
"""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass

from mediatheque.storage import durable as disk
from mediatheque.storage.threads import Threads

_BATCH_BYTES = 1152 << 10
"""Two pieces as the server hands them over: the disk takes larger batches in less time each."""

_ENOUGH_BYTES = 384 << 10
"""With so many the thread begins, and goes on: the disk need not wait for the rest of a batch."""

Batch = list[bytes]
Work = Callable[[Batch], None]


class WriteBudget:
    """Keeps the batches of all writers of one process together under ``total`` bytes.

    With few writers a batch is large and threads are cheap; with a hundred it is small.
    """

    def __init__(self, total: int) -> None:
        self.writers = 0
        self._total = total

    @property
    def batch_bytes(self) -> int:
        """How many bytes one writer may gather before it hands them to a thread."""
        return min(_BATCH_BYTES, self._total // max(1, self.writers))

    @property
    def crowded(self) -> bool:
        """Whether a writer should wait for its batch rather than gather the next meanwhile.

        With many writers there is always another one to receive for.
        """
        return self.batch_bytes < _BATCH_BYTES


class WriteBehind:
    """Gathers pieces into batches, each of which ``write`` is given in a thread, in order.

    The thread goes on while there is enough for another batch; at most one is gathered while one is
    written. Once something has failed everything does: what came next would follow a hole.
    """

    def __init__(self, write: Work, *, threads: Threads, budget: WriteBudget) -> None:
        self._write = write
        self._threads = threads
        self._budget = budget
        self._thread: asyncio.Future[None] | None = None
        self._lock = threading.Lock()  # of what follows, which the thread and the loop share
        self._gathered: Batch = []
        self._gathered_bytes = 0
        self._last: _Last | None = None
        self._room: asyncio.Future[None] | None = None
        self._works = False  # the thread, which looks here before it ends
        self._failed = False

    @property
    def idle(self) -> bool:
        """Whether all pieces were written, and nothing has failed."""
        return not self._works and self._gathered_bytes == 0

    async def write(self, piece: bytes) -> None:
        """Take a piece; wait while a batch is gathered and the one before is not written yet.

        Raises what went wrong with any piece before, an OSError translated.
        """
        if self._gathered_bytes + len(piece) > self._budget.batch_bytes:
            await self._make_room()
        crowded = self._budget.crowded
        enough = self._budget.batch_bytes if crowded else _ENOUGH_BYTES
        with self._lock:
            self._gathered.append(piece)
            self._gathered_bytes += len(piece)
            begins = not self._works and self._gathered_bytes >= enough
            self._works = self._works or begins
        if begins:
            self._begin()
            if crowded:
                await self._ended()

    async def finish(self, last: Work) -> None:
        """Have ``last`` called in the thread with what is gathered; returns when it has done that.

        More may be written meanwhile. Raises what went wrong with that or anything before, an
        OSError translated. When this is cancelled ``last`` is called all the same, unless this is
        called again or it ends before.
        """
        done = asyncio.get_running_loop().create_future()
        with self._lock:
            self._last = _Last(last, done)
            begins, self._works = not self._works, True
        await self._told(done, begins=begins)

    async def end(self) -> None:
        """Forget what is gathered, and wait for the thread, which may have failed.

        Who still waits for what the thread has not begun is cancelled.
        """
        with self._lock:
            self._gathered, self._gathered_bytes = [], 0
            last, self._last = self._last, None
        if last is not None:
            last.done.cancel()
        if self._thread is not None:
            await asyncio.wait([self._thread])
            self._thread.exception()

    async def _make_room(self) -> None:
        """Wait until the thread has taken what is gathered, though it may be little."""
        with self._lock:
            if self._gathered_bytes == 0:
                return
            room = self._room = asyncio.get_running_loop().create_future()
            begins, self._works = not self._works, True
        await self._told(room, begins=begins)
        if self._budget.crowded:
            await self._ended()

    async def _told(self, waiting: asyncio.Future[None], *, begins: bool) -> None:
        """Wait for what the thread tells, or for its failure, which it tells just as well."""
        if begins:
            self._begin()
        if not self._failed:  # else it looks nowhere any more
            await waiting
        if self._failed:
            await self._ended()

    def _begin(self) -> None:
        try:
            self._thread = asyncio.get_running_loop().run_in_executor(self._threads, self._work)
        except BaseException:
            with self._lock:  # what is gathered stays, for whoever tries again
                self._works = False
                self._room = self._last = None
            raise

    def _work(self) -> None:
        """Write batch after batch until there is too little for another; runs in the thread."""
        done: asyncio.Future[None] | None = None
        try:
            while (taken := self._take(done)) is not None:
                work, batch, done = taken
                work(batch)
        except BaseException:
            with self._lock:
                self._failed = True
                room, last = self._room, self._last
            _tell(done, room, None if last is None else last.done)
            raise

    def _take(
        self, done: asyncio.Future[None] | None
    ) -> tuple[Work, Batch, asyncio.Future[None] | None] | None:
        """Take what is next out of what is shared; None when there is too little.

        ``done`` is who waits for what the thread has just done.
        """
        with self._lock:
            room, self._room = self._room, None
            last, self._last = self._last, None
            batch, size = self._gathered, self._gathered_bytes
            enough = last is not None or size >= (_ENOUGH_BYTES if room is None else 1)
            if enough:
                self._gathered, self._gathered_bytes = [], 0
            self._works = enough
        _tell(done, room)
        if not enough:
            return None
        return (last.work, batch, last.done) if last is not None else (self._write, batch, None)

    async def _ended(self) -> None:
        """Wait for the thread to end, which it may do by what went wrong."""
        assert self._thread is not None
        await finished(self._thread)


async def finished(working: asyncio.Future[None]) -> None:
    """Wait for a thread. Raises what went wrong there, an OSError translated."""
    try:
        # A cancelled caller must not lose sight of a thread that holds the descriptor.
        await asyncio.shield(working)
    except OSError as error:
        raise disk.storage_error(error) from error


@dataclass(frozen=True, slots=True)
class _Last:
    """What is done with all that is gathered, and who waits for that."""

    work: Work
    done: asyncio.Future[None]


def _tell(*waiting: asyncio.Future[None] | None) -> None:
    """Wake up, from a thread, those who wait on the event loop."""
    for one in waiting:
        if one is not None:
            one.get_loop().call_soon_threadsafe(_set, one)


def _set(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():  # who waited may have been cancelled
        waiting.set_result(None)
