"""What can be asked of syncs. Their work is done by jobs of the same ids."""

import asyncio
import hashlib
from dataclasses import dataclass

from mediatheque.catalog import jobs, sync_buckets, sync_operations, syncs
from mediatheque.catalog.database import Database, Transaction
from mediatheque.domain.access import Principal, owner_scope
from mediatheque.domain.errors import ConflictError, NotFoundError
from mediatheque.domain.ids import new_id
from mediatheque.domain.jobs import MAX_UNICITY_LENGTH, Job, Signal
from mediatheque.domain.syncs import Action, Operation, OperationState, Sync
from mediatheque.services.jobs import enqueue_in, signal_in
from mediatheque.services.sync_as_planned import check_planned
from mediatheque.services.sync_requests import SyncRequest, SyncTask, check_request
from mediatheque.storage.endpoints import Endpoints
from mediatheque.storage.sealing import Sealer

JOB_CLASS = "sync"
QUEUE = "syncs"
WATCH_QUEUE = "watches"
"""Those that watch never end by themselves: no other sync shall stand behind them."""

_CANCEL_SECONDS = 2.0
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class SyncPage:
    """One page of syncs, newest first."""

    syncs: list[Sync]
    more: bool


@dataclass(frozen=True, slots=True)
class OperationPage:
    """One page of a sync's operations, in the order of work."""

    operations: list[Operation]
    more: bool


class SyncService:
    """Starts, shows and cancels syncs."""

    def __init__(self, database: Database, endpoints: Endpoints, sealer: Sealer) -> None:
        self._database = database
        self._endpoints = endpoints
        self._sealer = sealer

    async def start(self, principal: Principal, request: SyncRequest) -> Sync:
        """Let a job mirror a folder into a bucket; return at once.

        Raises InvalidError, ForbiddenError for a store that the operator does not allow, and
        ConflictError while another sync of the bucket goes on, or when the plan that it shall keep
        to is out of date: then nothing is started.
        """
        task = check_request(request, self._endpoints, self._sealer)
        async with self._database.begin() as transaction:
            await check_planned(transaction, principal, task)
            job, started = await start_in(transaction, principal, task)
            if started is None:
                holder = await syncs.find_by_id(transaction, job.id)
                known = f" (id {holder.number})" if holder else ""
                raise ConflictError(
                    f"The bucket {task.bucket!r} is being synchronised already{known}. Wait for "
                    "its end, or cancel it."
                )
        return started

    async def find(self, principal: Principal, number: int) -> Sync:
        """Return a sync. Raises NotFoundError."""
        async with self._database.read() as connection:
            found = await syncs.find(connection, number, owner=owner_scope(principal))
        if found is None:
            raise NotFoundError(f"There is no sync {str(number)[:40]}.")
        return found

    async def runnings(self, principal: Principal) -> list[Sync]:
        """Return every sync that has not ended, oldest first."""
        async with self._database.read() as connection:
            return await syncs.running(connection, owner=owner_scope(principal))

    async def history(self, principal: Principal, *, after: int | None, limit: int) -> SyncPage:
        """Return a page of syncs, newest first; those that were started before ``after``."""
        async with self._database.read() as connection:
            found = await syncs.history(
                connection, owner=owner_scope(principal), after=after, limit=limit + 1
            )
        return SyncPage(found[:limit], len(found) > limit)

    async def wait_for(self, principal: Principal, number: int, seconds: float) -> Sync:
        """Return a sync once it has ended, or after so many seconds as it stands then.

        Raises NotFoundError.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        pause = _FIRST_PAUSE_SECONDS
        while True:
            found = await self.find(principal, number)
            left = deadline - clock()
            if not found.job_status.live or left <= 0:
                return found
            await asyncio.sleep(min(pause, left))
            pause = min(1.5 * pause, _LONGEST_PAUSE_SECONDS)

    async def cancel(self, principal: Principal, number: int) -> Sync:
        """End a sync before its next file operation; one that has ended stays as it is.

        Waits a moment for the end, and returns the sync as it stands then. Raises NotFoundError.
        """
        found = await self.find(principal, number)
        async with self._database.begin() as transaction:
            job = await jobs.lock(transaction, found.id, owner=owner_scope(principal))
            if job is not None and job.status.live:
                await signal_in(transaction, principal, job, Signal.CANCEL)
        return await self.wait_for(principal, number, _CANCEL_SECONDS)

    async def operations(
        self,
        principal: Principal,
        number: int,
        *,
        action: Action | None = None,
        state: OperationState | None = None,
        under_way: bool = False,
        after: tuple[int, int] | None = None,
        limit: int,
    ) -> OperationPage:
        """Return a page of a sync's operations, of one action and state or (None) of any.

        ``under_way``: only of files of which a part was sent. ``after`` the one of this rank and
        position. Raises NotFoundError.
        """
        found = await self.find(principal, number)
        async with self._database.read() as connection:
            operations = await sync_operations.page(
                connection,
                found.id,
                action=action,
                state=state,
                under_way=under_way,
                after=after,
                limit=limit + 1,
            )
        return OperationPage(operations[:limit], len(operations) > limit)


async def start_in(
    transaction: Transaction, principal: Principal, task: SyncTask
) -> tuple[Job, Sync | None]:
    """Add a sync with its job. Where another sync of the bucket goes on, only return its job."""
    sync_id = new_id()
    job = await enqueue_in(
        transaction,
        principal,
        job_class=JOB_CLASS,
        queue=WATCH_QUEUE if task.options.watch else QUEUE,
        # Everybody who sees jobs sees these.
        arguments={
            "source": task.source,
            "dest": task.bucket,
            "storage_url": task.location or None,
            "dry_run": task.options.dry_run,
        },
        unicity=None if task.options.dry_run else _unicity(task.location, task.bucket),
        job_id=sync_id,
    )
    if job.id != sync_id:
        return job, None
    bucket = await sync_buckets.claim(transaction, task.location, task.bucket)
    await syncs.add(
        transaction,
        id=sync_id,
        bucket_id=bucket.id,
        source=task.source,
        options=task.options,
        credentials=task.credentials,
    )
    return job, await syncs.find_by_id(transaction, sync_id)


def _unicity(location: str, bucket: str) -> str:
    """Return the key of which only one sync at a time can have: that of the bucket."""
    key = f"sync:{location or 'store'}/{bucket}"
    if len(key) <= MAX_UNICITY_LENGTH:
        return key
    return f"sync:{hashlib.sha256(key.encode()).hexdigest()}"
