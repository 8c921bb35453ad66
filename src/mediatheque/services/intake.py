"""Taking in items whose bytes arrive in pieces, as recordings do.

One holder at a time adds to an item, in all processes on one database: within a process they queue
in order of arrival, among processes the database gives the hold for a few seconds, renewed while
it is used. Whoever loses it, because the process stood still or the item was closed, commits
nothing. Order of a piece: hold the item, make the bytes durable behind those acknowledged,
acknowledge them in the transaction of whatever they mean. Bytes that no transaction acknowledged
count for nothing; the next holder writes over them.
"""

import asyncio
import contextlib
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Sequence,
)
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID, uuid4
from weakref import WeakValueDictionary

from mediatheque.catalog import intakes
from mediatheque.catalog.database import Database, Transaction
from mediatheque.catalog.intakes import Acknowledgement
from mediatheque.domain.errors import ConflictError, NotFoundError, UnavailableError
from mediatheque.domain.ids import parse_id
from mediatheque.domain.intakes import Intake
from mediatheque.storage.intakes import Appended, Appender, Hasher, Target
from mediatheque.storage.stores import Store
from mediatheque.telemetry.logs import get_logger

log = get_logger(__name__)

T = TypeVar("T")
Write = Callable[[Transaction, Acknowledgement], Awaitable[T | None]]

_LEASE_SECONDS = 6.0
_FIRST_PAUSE_SECONDS = 0.01
_LONGEST_PAUSE_SECONDS = 0.1
_ASK_AGAIN_SECONDS = 0.5


class IntakeBusyError(UnavailableError):
    """Others hold the intake, for longer than the caller has patience."""


class IntakeClosedError(ConflictError):
    """The intake takes no more bytes."""


class IntakeGoneError(NotFoundError):
    """There is no such intake, or not any more."""


class HoldLostError(ConflictError):
    """The intake was closed, or another holder took it, before the bytes were acknowledged."""


class HeldIntake:
    """An intake that this holder alone may add to. See ``IntakeService.hold``.

    ``wanted`` is set when somebody else waits for it who shall not wait for long.
    """

    def __init__(
        self,
        intake: Intake,
        holder: UUID,
        database: Database,
        store: Store,
        *,
        lease: float,
        wanted: asyncio.Event,
    ) -> None:
        self.intake = intake
        self.holder = holder
        self.wanted = wanted
        self.released = False
        self.superseded: set[str] = set()
        """Keys of objects that the intake needs no more."""

        self._database = database
        self._store = store
        self._lease = lease
        self._lost = False
        self._appender: Appender | None = None
        self._advanced = False

    def begin(self, digests: Sequence[Hasher] = (), *, target: Target | None = None) -> Appender:
        """Begin to append, once for each hold. ``digests`` and ``target`` as for the store."""
        self._appender = self._store.appender(self.intake, digests=digests, target=target)
        return self._appender

    async def append(
        self, pieces: AsyncIterator[bytes], *, digests: Sequence[Hasher] = ()
    ) -> Appended:
        """Make ``pieces`` durable behind the acknowledged bytes; ``commit`` acknowledges them.

        Raises HoldLostError, and what the pieces and the store raise.
        """
        appender = self.begin(digests)
        async for piece in pieces:
            self.check()
            await appender.write(piece)
        return await appender.flush()

    def check(self) -> None:
        """Raise HoldLostError when the hold is known to be lost."""
        if self._lost:
            raise _lost()

    async def commit(self, appended: Appended, write: Write[T]) -> T:
        """Acknowledge what was appended together with what it means, and end the hold with it.

        ``write`` does so in one statement and returns None when that found the hold lost. Raises
        HoldLostError then.
        """
        self._advanced = True  # from now on in doubt, when the answer is lost
        # Before the next holder may come, who would else begin another object.
        await self.end_appending()
        async with self._database.read() as connection:
            written = await write(connection, self._acknowledgement(appended, kept=False))
        if written is None:
            raise _lost()
        self.released = True
        self._now_has(appended)
        return written

    async def advance(self, appended: Appended, *, last: bool = False) -> None:
        """Acknowledge what was appended, and go on; the ``last`` time the hold ends with it.

        Raises HoldLostError.
        """
        if last:
            touched_at = await self.commit(appended, intakes.acknowledge)
        else:
            self._advanced = True
            async with self._database.read() as connection:
                written = await intakes.acknowledge(
                    connection, self._acknowledgement(appended, kept=True)
                )
            if written is None:
                self._lost = True
                raise _lost()
            touched_at = written
            self._now_has(appended)
        self.intake = replace(self.intake, touched_at=touched_at)

    async def end_appending(self) -> None:
        """Let the store close what is appended to, as it must before it joins it; keep the hold."""
        if self._appender is not None:
            await self._appender.close(recorded=self._advanced)

    def _acknowledgement(self, appended: Appended, *, kept: bool) -> Acknowledgement:
        return Acknowledgement(
            before=self.intake,
            holder=self.holder,
            segments=appended.segments,
            size=appended.size,
            crc64nvme=appended.crc64nvme,
            kept=kept,
        )

    def _now_has(self, appended: Appended) -> None:
        kept = {segment.object_key for segment in appended.segments}
        self.superseded |= {segment.object_key for segment in self.intake.segments} - kept
        self.intake = replace(
            self.intake,
            segments=appended.segments,
            size=appended.size,
            crc64nvme=appended.crc64nvme,
        )

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Renew the hold during the block, as long as it is not lost."""
        keeping: list[asyncio.Task[None]] = []
        # Most holds are over before they would have to be renewed, and need no task.
        due = asyncio.get_running_loop().call_later(
            self._lease / 3, lambda: keeping.append(asyncio.create_task(self._keep()))
        )
        try:
            yield
        finally:
            due.cancel()
            for task in keeping:  # not waited for: it can renew nothing that was released
                task.cancel()

    async def _keep(self) -> None:
        while not self._lost:
            try:
                async with self._database.read() as connection:
                    self._lost = not await intakes.renew(
                        connection, self.intake.id, self.holder, seconds=self._lease
                    )
            except UnavailableError as error:
                # Until somebody else has taken the intake it can still be renewed.
                log.warning("hold not renewed", intake=str(self.intake.id), error=error.detail)
            await asyncio.sleep(self._lease / 3)

    async def release(self) -> None:
        """Let go of the intake. A hold that cannot be released ends by itself."""
        await self.end_appending()
        try:
            async with self._database.read() as connection:
                await intakes.release(connection, self.intake.id, self.holder)
        except UnavailableError as error:
            log.warning("hold not released", intake=str(self.intake.id), error=error.detail)


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
        hold is set. Who holds without one is not asked.

        Raises IntakeBusyError, IntakeClosedError, and IntakeGoneError when there is no such intake.
        """
        deadline = time.monotonic() + patience
        wanted = wanted or asyncio.Event()
        async with self._turn(intake_id, patience, wanted, insist=insist):
            held = await self._take(intake_id, deadline, wanted, insist=insist)
            self._wanted[held.holder] = wanted
            try:
                with held.kept():
                    yield held
            finally:
                del self._wanted[held.holder]
                if not held.released:
                    # A cancelled caller must not leave the next one to wait for the lease's end.
                    await asyncio.shield(self._start(held.release()))
                if held.superseded:
                    self._start(self._delete(held.superseded))

    def hear(self, notice: str) -> None:
        """Take a notice of ``intakes.CHANNEL``: the id of a holder, maybe one of this process."""
        holder = parse_id(notice)
        wanted = self._wanted.get(holder) if holder is not None else None
        if wanted is not None:
            wanted.set()

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
        pause = _FIRST_PAUSE_SECONDS
        asked_at = -_ASK_AGAIN_SECONDS
        while True:
            async with self._database.read() as connection:
                taken = await intakes.take(connection, intake_id, holder, seconds=self._lease)
                seen = taken or await intakes.find(connection, intake_id)
                if taken is None and insist and time.monotonic() - asked_at > _ASK_AGAIN_SECONDS:
                    await intakes.ask_for(connection, intake_id)
                    asked_at = time.monotonic()
            if taken is not None:
                return HeldIntake(
                    taken, holder, self._database, self._store, lease=self._lease, wanted=wanted
                )
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
    return IntakeBusyError("Other bytes for it are still on their way. Send these again later.")


def _lost() -> HoldLostError:
    return HoldLostError(
        "It was completed, or others added to it, before all of these bytes were through."
    )
