"""An intake as its holder has it: to append to, to acknowledge what was appended, to let go of.

Whoever loses its hold, because the process stood still or the item was closed, commits nothing.
Order of a piece: hold the item, make the bytes durable behind those acknowledged, acknowledge them
in the transaction of whatever they mean. Bytes that no transaction acknowledged count for nothing,
and are never written over: who cannot tell whether they count begins another object.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from mediatheque.catalog import intakes
from mediatheque.catalog.connections import DatabaseUnavailableError
from mediatheque.catalog.database import Database, Transaction
from mediatheque.catalog.group_commit import GroupCommit
from mediatheque.catalog.intakes import Acknowledgement
from mediatheque.domain.errors import ConflictError, UnavailableError
from mediatheque.domain.intakes import Intake
from mediatheque.storage.intakes import Appended, Appender, Hasher, RestingAppender, Target
from mediatheque.storage.stores import Store
from mediatheque.telemetry.logs import get_logger

log = get_logger(__name__)

T = TypeVar("T")
Write = Callable[[GroupCommit, Acknowledgement], Awaitable[T | None]]

_KEPT_SECONDS = 1.5
"""How long a hold is kept for the next piece: so long nobody else has it when this process dies."""


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
        may_keep: bool = False,
        left: float | None = None,
        resting: RestingAppender | None = None,
    ) -> None:
        self.intake = intake
        self.holder = holder
        self.wanted = wanted
        self.released = False
        self.kept_until = 0.0
        """Until when it is kept after the block, by the clock of the loop; 0 when it is not."""

        self.superseded: set[str] = set()
        """Keys of objects that the intake needs no more."""

        self._database = database
        self._store = store
        self._lease = lease
        self._left = lease if left is None else left  # of the lease, in seconds
        self._may_keep = may_keep
        self._lost = False
        self._appender: Appender | None = None
        self.resting = resting
        """What the piece before has left open for the next one."""

        self._advanced = False

    def begin(self, digests: Sequence[Hasher] = (), *, target: Target | None = None) -> Appender:
        """Begin to append, once for each hold. ``digests`` and ``target`` as for the store."""
        resting, self.resting = self.resting, None
        if resting is not None:
            self._appender = resting.go_on(digests)
        else:
            self._appender = self._store.appender(self.intake, digests=digests, target=target)
        return self._appender

    async def append(
        self, pieces: AsyncIterator[bytes], *, digests: Sequence[Hasher] = ()
    ) -> Appended:
        """Make ``pieces`` durable behind the acknowledged bytes; ``commit`` acknowledges them.

        Raises HoldLostError, and what the pieces and the store raise.
        """
        appender = self.begin(digests)
        async with self.storing():
            async for piece in pieces:
                self.check()
                await appender.write(piece)
                del piece  # it would stay in memory for as long as the next one takes to come
            return await appender.flush()

    @contextlib.asynccontextmanager
    async def storing(self) -> AsyncIterator[None]:
        """Raise HoldLostError in place of what a store says of bytes that others have by now.

        Who closed the intake meanwhile may have moved them already.
        """
        try:
            yield
        except DatabaseUnavailableError:  # of an acknowledgement, which may have ended the hold
            raise
        except (ConflictError, UnavailableError) as error:
            if await self._was_lost():
                raise _lost() from error
            raise

    def check(self) -> None:
        """Raise HoldLostError when the hold is known to be lost."""
        if self._lost:
            raise _lost()

    async def commit(
        self,
        appended: Appended,
        write: Write[T],
        *,
        touched_at: Callable[[T], datetime] | None = None,
    ) -> T:
        """Acknowledge what was appended together with what it means, and end the hold with it.

        ``write`` does so in one statement and returns None when that found the hold lost. Where
        ``touched_at`` can tell from what it returns when that was, the hold may be kept a moment
        for the next piece, unless somebody wants it. Raises HoldLostError.
        """
        self._advanced = True  # from now on in doubt, when the answer is lost
        keep = touched_at is not None and self._may_keep and not self.wanted.is_set()
        kept_until = asyncio.get_running_loop().time() + _KEPT_SECONDS
        # Before the next holder may come, who would else begin another object.
        await (self._rest() if keep else self.end_appending())
        acknowledgement = self._acknowledgement(appended, kept_for=_KEPT_SECONDS if keep else None)
        written = await write(self._database.group, acknowledgement)
        if written is None:
            raise _lost()
        # A renewal that began meanwhile may have lengthened it by more than is believed here.
        kept = keep and self._may_keep
        self.released = not keep
        self._now_has(appended)
        if touched_at is not None:
            self.intake = replace(self.intake, touched_at=touched_at(written))
        if kept:
            self.kept_until = kept_until
        return written

    async def advance(self, appended: Appended, *, last: bool = False) -> None:
        """Acknowledge what was appended, and go on; the ``last`` time as ``commit`` does.

        Raises HoldLostError.
        """
        if last:
            await self.commit(appended, intakes.acknowledge, touched_at=lambda at: at)
            return
        self._advanced = True
        touched_at = await intakes.acknowledge(
            self._database.group, self._acknowledgement(appended, kept_for=self._lease)
        )
        if touched_at is None:
            self._lost = True
            raise _lost()
        self._now_has(appended)
        self.intake = replace(self.intake, touched_at=touched_at)

    @contextlib.asynccontextmanager
    async def ending(self) -> AsyncIterator[Transaction]:
        """Run a transaction that removes the intake, and with it the hold.

        Raises HoldLostError, and what ``Database.begin`` raises.
        """
        async with self._database.begin() as transaction:
            if not await intakes.still_held(transaction, self.intake.id, self.holder):
                raise _lost()
            yield transaction
        self.released = True

    async def end_appending(self) -> None:
        """Let the store close what is appended to, as it must before it joins it; keep the hold."""
        if self._appender is not None:
            await self._appender.close(recorded=self._advanced)
        if self.resting is not None:
            await self.resting.close()

    async def _rest(self) -> None:
        if self._appender is not None:
            self.resting = await self._appender.rest()

    def _acknowledgement(self, appended: Appended, *, kept_for: float | None) -> Acknowledgement:
        return Acknowledgement(
            before=self.intake,
            holder=self.holder,
            segments=appended.segments,
            size=appended.size,
            crc64nvme=appended.crc64nvme,
            kept_for=kept_for,
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

        def begin() -> None:
            # A renewal that is under way must not lengthen a hold that is kept for the next piece.
            self._may_keep = False
            keeping.append(asyncio.create_task(self._keep()))

        # Most holds are over before they would have to be renewed, and need no task.
        due = asyncio.get_running_loop().call_later(self._left / 3, begin)
        try:
            yield
        finally:
            due.cancel()
            for task in keeping:  # not waited for: it can renew nothing that was released
                task.cancel()

    async def _keep(self) -> None:
        while not self._lost:
            try:
                self._lost = not await self._renewed()
            except UnavailableError as error:
                # Until somebody else has taken the intake it can still be renewed.
                log.warning("hold not renewed", intake=str(self.intake.id), error=error.detail)
            await asyncio.sleep(self._lease / 3)

    async def _was_lost(self) -> bool:
        """Tell whether somebody else has the intake, or nobody any more; False in doubt."""
        try:
            return not await self._renewed()
        except UnavailableError:
            return False

    async def _renewed(self) -> bool:
        async with self._database.read() as connection:
            return await intakes.renew(connection, self.intake.id, self.holder, seconds=self._lease)

    async def release(self) -> None:
        """Let go of the intake. A hold that cannot be released ends by itself."""
        try:
            await self.end_appending()
        finally:
            await release_hold(self._database, self.intake.id, self.holder)


async def release_hold(database: Database, intake_id: UUID, holder: UUID) -> None:
    """Let go of an intake, if it is held. A hold that cannot be released ends by itself."""
    try:
        async with database.read() as connection:
            await intakes.release(connection, intake_id, holder)
    except UnavailableError as error:
        log.warning("hold not released", intake=str(intake_id), error=error.detail)


def _lost() -> HoldLostError:
    return HoldLostError(
        "It was completed, or others added to it, before all of these bytes were through."
    )
