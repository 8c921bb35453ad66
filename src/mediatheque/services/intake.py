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
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from typing import TypeVar
from uuid import UUID, uuid4
from weakref import WeakValueDictionary

from mediatheque.catalog import intakes
from mediatheque.catalog.database import Database, Transaction
from mediatheque.catalog.intakes import Acknowledgement
from mediatheque.domain.errors import ConflictError, NotFoundError, UnavailableError
from mediatheque.domain.intakes import Intake
from mediatheque.storage.intakes import Appended, Appender, Hasher
from mediatheque.storage.stores import Store
from mediatheque.telemetry.logs import get_logger

log = get_logger(__name__)

T = TypeVar("T")
Write = Callable[[Transaction, Acknowledgement], Awaitable[T | None]]

_LEASE_SECONDS = 6.0
_FIRST_PAUSE_SECONDS = 0.01
_LONGEST_PAUSE_SECONDS = 0.1


class IntakeBusyError(UnavailableError):
    """Others hold the intake, for longer than the caller has patience."""


class IntakeClosedError(ConflictError):
    """The intake takes no more bytes."""


class HoldLostError(ConflictError):
    """The intake was closed, or another holder took it, before the bytes were acknowledged."""


class HeldIntake:
    """An intake that this holder alone may add to. See ``IntakeService.hold``."""

    def __init__(
        self, intake: Intake, holder: UUID, database: Database, store: Store, *, lease: float
    ) -> None:
        self.intake = intake
        self._holder = holder
        self._database = database
        self._store = store
        self._lease = lease
        self._lost = False
        self._appender: Appender | None = None
        self._committed: Appended | None = None

    async def append(
        self, pieces: AsyncIterator[bytes], *, digests: Sequence[Hasher] = ()
    ) -> Appended:
        """Make ``pieces`` durable behind the acknowledged bytes; ``commit`` acknowledges them.

        Once for each hold. ``digests`` are fed every byte. Raises HoldLostError, and what the
        pieces and the store raise.
        """
        self._appender = self._store.appender(self.intake, digests=digests)
        async for piece in pieces:
            if self._lost:
                raise _lost()
            await self._appender.write(piece)
        return await self._appender.flush()

    async def commit(self, appended: Appended, write: Write[T]) -> T:
        """Acknowledge what was appended together with what it means, and end the hold with it.

        ``write`` does so in one statement and returns None when that found the hold lost. Raises
        HoldLostError then.
        """
        if self._appender is not None:
            # Before the next holder may come, who would else begin another object.
            await self._appender.close()
        acknowledgement = Acknowledgement(
            before=self.intake,
            holder=self._holder,
            segments=appended.segments,
            size=appended.size,
            crc64nvme=appended.crc64nvme,
        )
        async with self._database.read() as connection:
            written = await write(connection, acknowledgement)
        if written is None:
            raise _lost()
        self._committed = appended
        return written

    @property
    def superseded(self) -> set[str] | None:
        """Keys of objects that the intake needs no more; None before ``commit``."""
        if self._committed is None:
            return None
        kept = {segment.object_key for segment in self._committed.segments}
        return {segment.object_key for segment in self.intake.segments} - kept

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
                        connection, self.intake.id, self._holder, seconds=self._lease
                    )
            except UnavailableError as error:
                # Until somebody else has taken the intake it can still be renewed.
                log.warning("hold not renewed", intake=str(self.intake.id), error=error.detail)
            await asyncio.sleep(self._lease / 3)

    async def release(self) -> None:
        """Let go of the intake. A hold that cannot be released ends by itself."""
        if self._appender is not None:
            await self._appender.close(recorded=False)
        try:
            async with self._database.read() as connection:
                await intakes.release(connection, self.intake.id, self._holder)
        except UnavailableError as error:
            log.warning("hold not released", intake=str(self.intake.id), error=error.detail)


class IntakeService:
    """Lets one holder at a time add to an intake. ``lease``: seconds a hold lasts unrenewed."""

    def __init__(self, database: Database, store: Store, *, lease: float = _LEASE_SECONDS) -> None:
        self._database = database
        self._store = store
        self._lease = lease
        self._turns: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()
        self._deleting: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def hold(self, intake_id: UUID, *, patience: float) -> AsyncIterator[HeldIntake]:
        """Hold an intake for the block; waits up to ``patience`` seconds for other holders.

        Raises IntakeBusyError, IntakeClosedError, and NotFoundError when there is no such intake.
        """
        deadline = time.monotonic() + patience
        async with self._turn(intake_id, patience):
            held = await self._take(intake_id, deadline)
            superseded: set[str] | None = None
            try:
                with held.kept():
                    yield held
                superseded = held.superseded
            finally:
                if superseded is None:
                    await held.release()
        if superseded:
            self._delete_beside(superseded)

    @contextlib.asynccontextmanager
    async def _turn(self, intake_id: UUID, patience: float) -> AsyncIterator[None]:
        """Wait for those in this process that came first."""
        turn = self._turns.setdefault(intake_id, asyncio.Lock())
        try:
            async with asyncio.timeout(patience):
                await turn.acquire()
        except TimeoutError:
            raise _busy() from None
        try:
            yield
        finally:
            turn.release()

    async def _take(self, intake_id: UUID, deadline: float) -> HeldIntake:
        """Wait for those in other processes."""
        holder = uuid4()
        pause = _FIRST_PAUSE_SECONDS
        while True:
            async with self._database.read() as connection:
                taken = await intakes.take(connection, intake_id, holder, seconds=self._lease)
                seen = taken or await intakes.find(connection, intake_id)
            if taken is not None:
                return HeldIntake(taken, holder, self._database, self._store, lease=self._lease)
            if seen is None:
                raise NotFoundError("There is nothing here that takes bytes.")
            if seen.closed:
                raise IntakeClosedError("It takes no more bytes.")
            left = deadline - time.monotonic()
            if left <= 0:
                raise _busy()
            await asyncio.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _delete_beside(self, object_keys: Iterable[str]) -> None:
        """Delete objects without anybody waiting. What fails goes when the intake has ended."""

        async def delete() -> None:
            for key in object_keys:
                try:
                    await self._store.delete(key)
                except Exception as error:  # noqa: BLE001 - the bytes are acknowledged already
                    log.warning("object not deleted", key=key, error=str(error))

        task = asyncio.create_task(delete())
        self._deleting.add(task)
        task.add_done_callback(self._deleting.discard)


def _busy() -> IntakeBusyError:
    return IntakeBusyError("Other bytes for it are still on their way. Send these again later.")


def _lost() -> HoldLostError:
    return HoldLostError(
        "It was completed, or others added to it, before these bytes were through. "
        "Nothing of them was kept."
    )
