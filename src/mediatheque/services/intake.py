"""Taking in items whose bytes arrive in pieces, as recordings do.

One holder at a time adds to an item, in all processes on one database: within a process they queue
in order of arrival, among processes the database gives the hold for a few seconds, renewed while
it is used. It may outlast a piece by a moment, so that the next one in the same process need not
take it again; whoever wants it elsewhere asks for it.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4
from weakref import WeakValueDictionary

from mediatheque.catalog import intakes
from mediatheque.catalog.database import Database
from mediatheque.domain.errors import ConflictError, NotFoundError, UnavailableError
from mediatheque.domain.ids import parse_id
from mediatheque.domain.intakes import Intake
from mediatheque.services.held_intake import HeldIntake, release_hold
from mediatheque.storage.intakes import RestingAppender
from mediatheque.storage.stores import Store
from mediatheque.telemetry.logs import get_logger

log = get_logger(__name__)

_LEASE_SECONDS = 6.0
_LEAST_SECONDS = 0.5
"""What must be left of a hold that is used again: it has to be renewed in time."""

_CONTENDED_SECONDS = 2.0
"""How long holds are not kept of an intake that somebody else wanted: he may come again."""

_MOST_KEPT = 1000
"""Holds that one process keeps for the next piece: each may have a file open."""

_FIRST_PAUSE_SECONDS = 0.01
_LONGEST_PAUSE_SECONDS = 0.1
_ASK_AGAIN_SECONDS = 0.5


class IntakeBusyError(UnavailableError):
    """Others hold the intake, for longer than the caller has patience."""


class IntakeClosedError(ConflictError):
    """The intake takes no more bytes."""


class IntakeGoneError(NotFoundError):
    """There is no such intake, or not any more."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A hold that outlasts its piece, and what ends that."""

    held: HeldIntake
    forget: asyncio.TimerHandle


class _Line:
    """Those of this process that wait for one intake, first come first served."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.wanted: asyncio.Event | None = None  # of who is served
        self.insisting = 0


class IntakeService:
    """Lets one holder at a time add to an intake. ``lease``: seconds a hold lasts unrenewed."""

    def __init__(self, database: Database, store: Store, *, lease: float = _LEASE_SECONDS) -> None:
        self._database = database
        self._store = store
        self._lease = lease
        self._lines: WeakValueDictionary[UUID, _Line] = WeakValueDictionary()
        self._wanted: dict[UUID, asyncio.Event] = {}  # of those who hold, by holder
        self._kept: dict[UUID, _Kept] = {}  # for the next piece, by intake
        self._contended: set[UUID] = set()  # intakes that others wanted a moment ago
        self._heard: Callable[[], bool] = lambda: False
        self.stopping = False
        self._beside: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def hold(
        self,
        intake_id: UUID,
        *,
        patience: float,
        insist: bool = False,
        wanted: asyncio.Event | None = None,
    ) -> AsyncIterator[HeldIntake]:
        """Hold an intake for the block; waits up to ``patience`` seconds for other holders.

        To ``insist`` is to ask those to let go soon, wherever they are; then ``wanted`` of their
        hold is set. Who holds without one goes on, and only does not keep the hold afterwards.

        Raises IntakeBusyError, IntakeClosedError, and IntakeGoneError when there is no such intake.
        """
        deadline = time.monotonic() + patience
        wanted = wanted or asyncio.Event()
        async with self._turn(intake_id, patience, wanted, insist=insist):
            held = self._use_again(intake_id, wanted)
            if held is None:
                held = await self._take(intake_id, deadline, wanted, insist=insist)
            try:
                with held.kept():
                    yield held
            finally:
                del self._wanted[held.holder]
                if wanted.is_set():
                    self._contend(intake_id)
                if held.kept_until and not wanted.is_set():
                    self._keep(held)
                else:
                    ending = held.end_appending() if held.released else held.release()
                    # A cancelled caller must not leave the next one to wait for the lease's end.
                    await asyncio.shield(self._start(ending))
                if held.superseded:
                    self._start(self._delete(held.superseded))

    def keep_while(self, heard: Callable[[], bool]) -> None:
        """Keep holds for the next piece while ``heard`` says that ``hear`` is told of notices."""
        self._heard = heard

    def stop(self) -> None:
        """Ask all who hold to let go soon: this process ends, and they can go on in another."""
        self.stopping = True
        for wanted in self._wanted.values():
            wanted.set()

    async def close(self) -> None:
        """Let go of what is kept for pieces that will come to other processes."""
        for intake_id in list(self._kept):
            self._start(self._pop(intake_id).release())
        if self._beside:
            await asyncio.wait(self._beside)

    def hear(self, notice: str) -> None:
        """Take a notice of ``intakes.CHANNEL``: the id of a holder, maybe one of this process."""
        holder = parse_id(notice)
        wanted = self._wanted.get(holder) if holder is not None else None
        if wanted is not None:
            wanted.set()
        for intake_id, kept in self._kept.items():
            if kept.held.holder == holder:
                self._contend(intake_id)
                self._start(self._pop(intake_id).release())
                return

    def _listen(self, holder: UUID, wanted: asyncio.Event) -> None:
        self._wanted[holder] = wanted
        if self.stopping:
            wanted.set()

    def _contend(self, intake_id: UUID) -> None:
        """Leave an intake free between pieces for a while, as others want it, too."""
        if intake_id not in self._contended:
            self._contended.add(intake_id)
            loop = asyncio.get_running_loop()
            loop.call_later(_CONTENDED_SECONDS, self._contended.discard, intake_id)

    def _keep(self, held: HeldIntake) -> None:
        """Let the next piece of an intake use a hold that nobody else wants, if it comes soon."""
        loop = asyncio.get_running_loop()
        forget = loop.call_at(held.kept_until, self._forget, held.intake.id)
        self._kept[held.intake.id] = _Kept(held, forget)
        if len(self._kept) > _MOST_KEPT:
            oldest = next(iter(self._kept))
            self._start(self._pop(oldest).release())

    def _forget(self, intake_id: UUID) -> None:
        """Let a hold end by itself for which no piece has come."""
        self._start(self._pop(intake_id).end_appending())

    def _pop(self, intake_id: UUID) -> HeldIntake:
        kept = self._kept.pop(intake_id)
        kept.forget.cancel()
        return kept.held

    def _use_again(self, intake_id: UUID, wanted: asyncio.Event) -> HeldIntake | None:
        """Return the hold that is kept for the next piece, if there is enough left of it."""
        kept = self._kept.get(intake_id)
        if kept is None:
            return None
        left = kept.held.kept_until - asyncio.get_running_loop().time()
        if left < _LEAST_SECONDS:
            return None
        held = self._pop(intake_id)
        self._listen(held.holder, wanted)
        return self._hold(held.intake, held.holder, wanted, left=left, resting=held.resting)

    def _hold(
        self,
        intake: Intake,
        holder: UUID,
        wanted: asyncio.Event,
        *,
        left: float | None = None,
        resting: RestingAppender | None = None,
    ) -> HeldIntake:
        return HeldIntake(
            intake,
            holder,
            self._database,
            self._store,
            lease=self._lease,
            wanted=wanted,
            may_keep=self._heard() and intake.id not in self._contended,
            left=left,
            resting=resting,
        )

    @contextlib.asynccontextmanager
    async def _turn(
        self, intake_id: UUID, patience: float, wanted: asyncio.Event, *, insist: bool
    ) -> AsyncIterator[None]:
        """Wait for those in this process that came first."""
        line = self._lines.setdefault(intake_id, _Line())
        line.insisting += insist
        try:
            if insist and line.wanted is not None:
                line.wanted.set()
            async with asyncio.timeout(patience):
                await line.lock.acquire()
        except TimeoutError:
            raise _busy() from None
        finally:
            line.insisting -= insist
        line.wanted = wanted
        if line.insisting:
            wanted.set()
        try:
            yield
        finally:
            line.wanted = None
            line.lock.release()

    async def _take(
        self, intake_id: UUID, deadline: float, wanted: asyncio.Event, *, insist: bool
    ) -> HeldIntake:
        """Wait for those in other processes."""
        holder = uuid4()
        if intake_id in self._kept:
            # What is left of it, too little to use it, is in nobody's way under its own name.
            kept = self._pop(intake_id)
            holder = kept.holder
            await kept.end_appending()
        self._listen(holder, wanted)
        try:
            taken = await self._wait_for(intake_id, holder, deadline, insist=insist)
        except BaseException as error:
            del self._wanted[holder]
            if isinstance(error, asyncio.CancelledError):  # the database may have given it already
                self._start(release_hold(self._database, intake_id, holder))
            raise
        return self._hold(taken, holder, wanted)

    async def _wait_for(
        self, intake_id: UUID, holder: UUID, deadline: float, *, insist: bool
    ) -> Intake:
        pause = _FIRST_PAUSE_SECONDS
        asked_at = -_ASK_AGAIN_SECONDS
        while True:
            async with self._database.read() as connection:
                taken = await intakes.take(connection, intake_id, holder, seconds=self._lease)
                seen = taken or await intakes.find(connection, intake_id)
                if taken is None and insist and time.monotonic() - asked_at > _ASK_AGAIN_SECONDS:
                    await intakes.ask_for(connection, intake_id)
                    asked_at = time.monotonic()
                    pause = _FIRST_PAUSE_SECONDS
            if taken is not None:
                return taken
            if seen is None:
                raise IntakeGoneError("There is nothing here that takes bytes.")
            if seen.closed:
                raise IntakeClosedError("It takes no more bytes.")
            left = deadline - time.monotonic()
            if left <= 0:
                raise _busy()
            await asyncio.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _delete(self, object_keys: Iterable[str]) -> None:
        """Delete objects. What fails goes when the intake has ended."""
        for key in object_keys:
            try:
                await self._store.delete(key)
            except Exception as error:  # noqa: BLE001 - the bytes are acknowledged already
                log.warning("object not deleted", key=key, error=str(error))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start something that ends by itself, whether anybody waits for it or not."""
        task = asyncio.create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)
        return task


def _busy() -> IntakeBusyError:
    return IntakeBusyError("Another request is still at work on it. Try again later.")
