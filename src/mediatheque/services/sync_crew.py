"""Several operations of one sync at once."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial

from mediatheque.catalog import sync_operations
from mediatheque.catalog.database import Database
from mediatheque.domain.syncs import Action, Operation, Sync
from mediatheque.services.job_runs import JobRun, patiently
from mediatheque.services.sync_deleter import SyncDeleter
from mediatheque.services.sync_ledger import Ledger, Outcome
from mediatheque.services.sync_sender import SyncSender
from mediatheque.storage.mirrors import SMALL_BYTES, BlockedError
from mediatheque.storage.pace import SendingStoppedError
from mediatheque.storage.threads import Threads

_PAGE = 1000
_PUTS = 25
"""Small files that one thread puts, one after the other, before it tells of them."""

_DELETIONS = 100
_SINGLES_AT_ONCE = 4
_PATIENCE_SECONDS = 30.0


class Crew:
    """Does the pending operations of a sync's plan, rank by rank, ``at_once`` of them at a time.

    Each operation that has begun is done to its end after ``halt``; ``abort`` stops those of which
    the store keeps what it has.
    """

    def __init__(
        self,
        run: JobRun,
        database: Database,
        sync: Sync,
        *,
        at_once: int,
        sender: SyncSender,
        deleter: SyncDeleter,
        ledger: Ledger,
        aborted: threading.Event,
    ) -> None:
        self._run = run
        self._database = database
        self._sync = sync
        self._sender = sender
        self._deleter = deleter
        self._ledger = ledger
        self._aborted = aborted
        self._halted = threading.Event()
        self._trouble: Exception | None = None
        self._wait = sync.options.wait
        at_once = 1 if self._wait else at_once
        self._threads = Threads(at_once, thread_name_prefix="sync")
        self._lanes = asyncio.Semaphore(at_once)
        self._singles = self._lanes if self._wait else asyncio.Semaphore(_SINGLES_AT_ONCE)
        self._at_once = at_once

    async def work(self, rank: int) -> None:
        """Do every pending operation of a rank once; raises why the store or a claim failed."""
        tasks: set[asyncio.Task[None]] = set()
        try:
            await self._begin(rank, tasks)
        finally:
            if tasks:
                await asyncio.wait(tasks)
        if self._trouble is not None:
            raise self._trouble

    def halt(self) -> None:
        """Begin no operation any more."""
        self._halted.set()

    def abort(self) -> None:
        """Stop large files in their middle as well; what the store has of them is kept."""
        self._halted.set()
        self._aborted.set()

    def close(self) -> None:
        """Wait for the threads, which have nothing to do any more. Blocks."""
        self._threads.shutdown()

    async def _begin(self, rank: int, tasks: set[asyncio.Task[None]]) -> None:
        """Begin every pending operation of a rank, until the crew is halted."""
        async for page in self._pages(rank):
            for batch in self._batches(page):
                lane = self._singles if self._is_single(batch[0]) else self._lanes
                await lane.acquire()
                if self._halted.is_set() or self._run.stopping.is_set():
                    lane.release()
                    return
                task = asyncio.create_task(self._do(batch, lane))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

    async def _pages(self, rank: int) -> AsyncIterator[list[Operation]]:
        last = -1

        async def read() -> list[Operation]:
            async with self._database.read() as connection:
                return await sync_operations.pending(
                    connection, self._run.id, rank, after=last, limit=_PAGE
                )

        while not self._halted.is_set():
            page = await patiently(read, seconds=_PATIENCE_SECONDS)
            if not page:
                return
            yield page
            last = page[-1].position

    def _batches(self, page: Sequence[Operation]) -> Iterator[list[Operation]]:
        """Cut a page into what one task does: many small files, many deletions, or one thing."""
        puts: list[Operation] = []
        deletions: list[Operation] = []
        for operation in page:
            if self._wait:
                yield [operation]
            elif operation.action is Action.DELETE:
                deletions.append(operation)
            elif self._is_single(operation):
                yield [operation]
            else:
                puts.append(operation)
        size = max(1, min(_PUTS, len(puts) // (2 * self._at_once)))
        yield from _cut(puts, size)
        yield from _cut(deletions, _DELETIONS)

    def _is_single(self, operation: Operation) -> bool:
        """Tell whether more is to be done than to put a small file or to delete."""
        if operation.action is Action.DELETE:
            return False
        return (
            operation.action is Action.COPY
            or operation.size > SMALL_BYTES
            or operation.upload_id is not None
            or (operation.action is Action.UPDATE and bool(self._sync.options.backup_prefix))
        )

    async def _do(self, batch: list[Operation], lane: asyncio.Semaphore) -> None:
        try:
            if batch[0].action is Action.DELETE:
                await self._ledger.ended(await self._deleter.delete(batch))
            elif self._is_single(batch[0]):
                await self._ledger.ended([await self._single(batch[0])])
            else:
                await self._put(batch)
            if self._wait:
                await _pause(self._run.stopping, self._wait)
        except SendingStoppedError:
            self.halt()  # who asked for it knows
        except Exception as error:  # noqa: BLE001 - raised again by ``work``
            self._trouble = self._trouble or error
            self.halt()
        finally:
            lane.release()

    async def _put(self, batch: list[Operation]) -> None:
        outcomes, left = await asyncio.get_running_loop().run_in_executor(
            self._threads, partial(self._put_in_turn, batch)
        )
        await self._ledger.ended(outcomes)
        for operation in left:
            if self._halted.is_set():
                return
            await self._ledger.ended([await self._single(operation)])

    def _put_in_turn(self, batch: list[Operation]) -> tuple[list[Outcome], list[Operation]]:
        """Put small files one after the other; return also those that need more than that."""
        outcomes: list[Outcome] = []
        left: list[Operation] = []
        for operation in batch:
            if self._halted.is_set():
                break
            try:
                outcome = self._sender.put(operation, self._halted)
            except BlockedError:
                outcome = None
            except SendingStoppedError:
                break  # the store is in trouble, and nobody wants to wait for it any more
            except Exception as error:  # noqa: BLE001 - the outcomes before it must not be lost
                self._trouble = self._trouble or error
                self._halted.set()
                break
            if outcome is None:
                left.append(operation)
            else:
                outcomes.append(outcome)
        return outcomes, left

    async def _single(self, operation: Operation) -> Outcome:
        """Do an operation, after what stands in its way was taken out of it."""
        if operation.action is Action.UPDATE:
            lost = await self._deleter.keep(operation)
            if lost is not None:
                return lost
        try:
            return await self._once(operation)
        except BlockedError as error:
            refused = await self._deleter.clear_the_way(operation)
            if refused is not None:
                return refused
            try:
                return await self._once(operation)
            except BlockedError:
                return self._deleter.still_blocked(operation, error)

    async def _once(self, operation: Operation) -> Outcome:
        if operation.action is Action.COPY:
            return await self._sender.copy(operation)
        return await self._sender.send(operation)


def _cut(operations: list[Operation], size: int) -> Iterator[list[Operation]]:
    for start in range(0, len(operations), size):
        yield operations[start : start + size]


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
