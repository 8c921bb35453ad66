"""What a running sync writes down: operations that are over, and what it remembers of objects.

Many operations are written in one transaction, which holds the job's claim: a crash loses the
knowledge of a few that are over, which are then done once more, to the same effect; a worker that
was replaced writes nothing at all.
"""

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mediatheque.catalog import sync_objects, sync_operations, syncs
from mediatheque.catalog.database import Database, Transaction
from mediatheque.domain.sync_plan import Remembered
from mediatheque.domain.syncs import Action, Operation, OperationState, Sync, ratio
from mediatheque.services.job_runs import JobRun, patiently
from mediatheque.services.sync_sending import SyncSending

_BATCH = 250
_MOST_WAITING = 2000
_TICK_SECONDS = 0.4
_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an operation, and what is now known of its object."""

    operation: Operation
    state: OperationState
    error: str | None = None
    remembered: Remembered | None = None


class Ledger:
    """The records of one round of a sync."""

    def __init__(self, run: JobRun, database: Database, sync: Sync) -> None:
        self._run = run
        self._database = database
        self._sync = sync
        self._total = sync.plan.operations if sync.plan else 0
        self._over = sync.done.files + sync.failed
        self._outcomes: list[Outcome] = []
        self._under_way: dict[SyncSending, int] = {}  # with how much was written down as sent
        self._full = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._writing = asyncio.Lock()
        self._closed = False

    @contextlib.contextmanager
    def follow(self, operation: Operation, stop: threading.Event) -> Iterator[SyncSending]:
        """Offer what a large file is sent with; how far it is is written down meanwhile."""
        sending = SyncSending(operation, self.note_upload, stop)
        self._under_way[sending] = operation.sent
        try:
            yield sending
        finally:
            del self._under_way[sending]

    async def note_upload(self, operation: Operation, upload_id: str) -> None:
        """Keep the id of an operation's multipart upload; durable when it returns."""

        async def write() -> None:
            async with self._database.begin() as transaction:
                await self._run.still_holds(transaction)
                await sync_operations.set_upload(
                    transaction, self._run.id, operation.rank, operation.position, upload_id
                )

        await patiently(write, seconds=_PATIENCE_SECONDS)

    async def ended(self, outcomes: list[Outcome]) -> None:
        """Take outcomes, to be written soon; waits while many are still to be written."""
        await self._room.wait()
        self._outcomes.extend(outcomes)
        if len(self._outcomes) >= _BATCH:
            self._full.set()
        if len(self._outcomes) >= _MOST_WAITING and not self._closed:
            self._room.clear()

    async def keep_up(self) -> None:
        """Write what there is to write, several times a second, until ``close`` is called.

        Raises LeaseLost, and UnavailableError when the database does not answer for half a minute.
        """
        while not self._closed:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), _TICK_SECONDS)
            await self.flush()

    def close(self) -> None:
        """Let ``keep_up`` end; what it is writing is written to the end. Nobody waits for it."""
        self._closed = True
        self._full.set()
        self._room.set()

    async def flush(self) -> None:
        """Write everything that has happened so far. Raises as ``keep_up`` does."""
        async with self._writing:
            self._full.clear()
            outcomes = self._outcomes.copy()
            moved = {each: each.sent for each, told in self._under_way.items() if each.sent != told}
            if outcomes or moved:
                await patiently(lambda: self._write(outcomes, moved), seconds=_PATIENCE_SECONDS)
                del self._outcomes[: len(outcomes)]
                self._over += len(outcomes)
                self._under_way |= {each: moved[each] for each in moved.keys() & self._under_way}
            self._room.set()

    @property
    def progress(self) -> float:
        """Ratio of the plan's operations that are over."""
        return min(1.0, ratio(self._over, self._total))

    async def _write(self, outcomes: list[Outcome], moved: Mapping[SyncSending, int]) -> None:
        done = [o.operation for o in outcomes if o.state is not OperationState.FAILED]
        async with self._database.begin() as transaction:
            await self._run.still_holds(transaction)
            await sync_operations.save(
                transaction,
                self._run.id,
                [(o.operation.rank, o.operation.position, o.state, o.error) for o in outcomes],
            )
            await sync_operations.advance(
                transaction,
                self._run.id,
                [(each.operation.rank, each.operation.position, moved[each]) for each in moved],
            )
            await self._remember(transaction, outcomes)
            await syncs.count(
                transaction,
                self._run.id,
                files=len(done),
                bytes=sum(each.size for each in done if each.action is not Action.DELETE),
                failed=len(outcomes) - len(done),
            )

    async def _remember(self, transaction: Transaction, outcomes: list[Outcome]) -> None:
        remembered = [o.remembered for o in outcomes if o.remembered is not None]
        if remembered:
            await sync_objects.save(transaction, self._sync.bucket_id, remembered)
        gone = [
            o.operation.key
            for o in outcomes
            if o.operation.action is Action.DELETE and o.state is OperationState.DONE
        ]
        if gone:
            await sync_objects.forget(transaction, self._sync.bucket_id, gone)
