"""Running syncs: plan, do what is missing, then what changed, then what goes away."""

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from mediatheque.catalog import jobs, sync_buckets, sync_objects, sync_operations, syncs
from mediatheque.catalog.connections import DatabaseUnavailableError
from mediatheque.catalog.database import Database, Transaction
from mediatheque.domain.errors import (
    ConflictError,
    MediathequeError,
    StorageFullError,
    UnavailableError,
)
from mediatheque.domain.jobs import Signal
from mediatheque.domain.sync_safety import (
    Objection,
    SyncLimits,
    objection,
    objection_to_foreign,
)
from mediatheque.domain.syncs import RANK, Action, Phase, Sync, SyncBucket
from mediatheque.services.job_runs import JobRun, JobStopped, LeaseLost, patiently
from mediatheque.services.sync_as_planned import check_kept_to
from mediatheque.services.sync_crew import Crew
from mediatheque.services.sync_deleter import SyncDeleter
from mediatheque.services.sync_failure import CONNECTION, SyncFailedError
from mediatheque.services.sync_ledger import Ledger
from mediatheque.services.sync_planner import Planner
from mediatheque.services.sync_requests import sealing_context
from mediatheque.services.sync_sender import SyncSender
from mediatheque.storage.endpoints import Endpoints
from mediatheque.storage.mirror_opening import Mirrors
from mediatheque.storage.mirrors import Mirror
from mediatheque.storage.sealing import Sealer
from mediatheque.storage.sources import SourceRoots
from mediatheque.telemetry.logs import get_logger

log = get_logger(__name__)

T = TypeVar("T")

_LOOK_SECONDS = 0.2
_PATIENCE_SECONDS = 30.0
_PLAN_HOLDS = timedelta(hours=1)
_WORK = ((Phase.UPLOADING, RANK[Action.UPLOAD]), (Phase.UPDATING, RANK[Action.UPDATE]))
_DELETIONS = RANK[Action.DELETE]
_FULL_LOOK_SECONDS = 300.0
"""How long a watch trusts that it hears of every change."""

_RETRY_SECONDS = (5.0, 10.0, 40.0, 110.0, 320.0)


class SyncRunner:
    """Does the work of syncs, in the process that runs their jobs."""

    def __init__(
        self,
        database: Database,
        mirrors: Mirrors,
        *,
        endpoints: Endpoints,
        sealer: Sealer,
        roots: SourceRoots,
        limits: SyncLimits,
    ) -> None:
        self._database = database
        self._mirrors = mirrors
        self._endpoints = endpoints
        self._sealer = sealer
        self._roots = roots
        self._limits = limits

    async def run(self, run: JobRun) -> None:
        """Make the bucket what the folder is, going on where an earlier run ended.

        Raises SyncFailedError, after its reason was written down, and JobStopped.
        """
        async with self._mirror_of(run) as mirror:
            sync = await self._find(run)
            if sync.options.watch:
                await self._watch(run, mirror, sync)
            else:
                await self._once(run, mirror)

    async def _watch(self, run: JobRun, mirror: Mirror, sync: Sync) -> None:
        """Mirror the folder whenever something in it changes, until somebody cancels.

        The first round of all tells whether it can be done; troubles of later ones pass, in
        whatever process they are met.
        """
        # Imported when first needed: most syncs watch nothing.
        from mediatheque.storage.watching import listening, pause  # noqa: PLC0415

        folder = Path(os.fsdecode(self._roots.place(os.fsencode(sync.source)).path))
        rounds, failures = sync.rounds, 0
        while True:
            # Before the round looks at the folder, so that what changes meanwhile is heard of.
            async with listening(folder, run.stopping) as wait_for_change:
                try:
                    await self._once(run, mirror)
                except SyncFailedError as error:
                    if not rounds:
                        raise
                    log.warning("sync failed", sync=sync.number, reason=error.reason)
                    await self._change(run, reason=error.reason, planned_at=None)
                    seconds = _RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)]
                    await pause(run.stopping, seconds)
                    failures += 1
                else:
                    rounds, failures = rounds + 1, 0
                    await self._rest(run, rounds)
                    await wait_for_change(_FULL_LOOK_SECONDS)

    async def _rest(self, run: JobRun, rounds: int) -> None:
        """Note that a round is over; the next one makes a plan of its own."""
        await self._change(run, phase=Phase.WATCHING, rounds=rounds, planned_at=None, reason=None)
        await run.save(progress=1.0)

    @contextlib.asynccontextmanager
    async def _mirror_of(self, run: JobRun) -> AsyncIterator[Mirror]:
        """Offer the bucket of a sync; what ends the block is written down and cleaned up after."""
        sync = await self._find(run)
        mirror: Mirror | None = None
        try:
            mirror = await self._open(sync)
            yield mirror
        except LeaseLost:
            raise
        except JobStopped:
            if mirror is not None and await self._asked(run) is Signal.CANCEL:
                await self._give_up_uploads(run, mirror)
            raise
        except SyncFailedError as error:
            await self._note(run, error)
            if mirror is not None:
                await self._give_up_uploads(run, mirror)
            raise
        finally:
            if mirror is not None:
                await asyncio.to_thread(mirror.close)

    async def _once(self, run: JobRun, mirror: Mirror) -> None:
        """Mirror the folder once. Raises SyncFailedError and JobStopped."""
        try:
            await self._round(run, mirror)
        except (DatabaseUnavailableError, SyncFailedError):
            raise
        except UnavailableError as error:
            raise SyncFailedError(error.detail, reason=CONNECTION) from error
        except StorageFullError as error:
            raise SyncFailedError(error.detail, reason="the store is full") from error
        except MediathequeError as error:
            raise SyncFailedError(error.detail) from error

    async def _round(self, run: JobRun, mirror: Mirror) -> None:
        run.check()
        exists = await asyncio.to_thread(mirror.exists)
        sync, bucket = await self._planned(run, mirror, exists=exists)
        plan = sync.plan
        assert plan is not None
        if exists:
            _object(objection(plan, sync.options, bucket, self._limits))
        if sync.options.dry_run:
            return
        await self._read(lambda connection: check_kept_to(connection, sync))
        bucket = await self._note_backups(run, sync)
        if not (exists or plan.empty):
            await self._create(run, mirror, bucket)
        await self._work(run, mirror, sync, bucket)
        sync = await self._find(run)
        _object(objection_to_foreign(plan, bucket, self._limits))
        await self._check_failures(run, sync)
        if plan.empty and exists:
            await self._remove(run, mirror, bucket)

    async def _planned(
        self, run: JobRun, mirror: Mirror, *, exists: bool
    ) -> tuple[Sync, SyncBucket]:
        """Return the sync with a plan that still holds, made anew if need be.

        None holds for a bucket that is not there: one that was, is gone with what the plan skips.
        """
        sync = await self._find(run)
        bucket = await self._bucket(sync)
        made = sync.planned_at
        if exists and sync.plan and made and datetime.now(UTC) - made <= _PLAN_HOLDS:
            return sync, bucket
        if bucket.created and not exists and not sync.options.dry_run:
            # Gone, and whoever makes the next one of its name need not be us.
            await self._change_bucket(run, bucket, created=False)
        await self._change(run, phase=Phase.PLANNING, planned_at=None, reason=None)
        await self._give_up_uploads(run, mirror)
        planner = Planner(run, self._database, mirror, self._roots, sync=sync, bucket=bucket)
        await planner.plan()
        return await self._find(run), await self._bucket(sync)

    async def _create(self, run: JobRun, mirror: Mirror, bucket: SyncBucket) -> None:
        # A crash between the two leaves a bucket that is not known to be ours: never deleted.
        if await asyncio.to_thread(mirror.create):
            await self._change_bucket(run, bucket, created=True)

    async def _work(self, run: JobRun, mirror: Mirror, sync: Sync, bucket: SyncBucket) -> None:
        """Do the plan, rank by rank. Nothing is deleted after something else failed."""
        ledger = Ledger(run, self._database, sync)
        aborted = threading.Event()
        sender = SyncSender(mirror, self._roots, sync, ledger.follow, aborted)
        deleter = SyncDeleter(
            self._database,
            mirror,
            sync,
            sender,
            backups=tuple(prefix.encode() for prefix in bucket.backup_prefixes),
            unowned=self._limits.unowned,
        )
        crew = Crew(
            run,
            self._database,
            sync,
            at_once=mirror.at_once,
            sender=sender,
            deleter=deleter,
            ledger=ledger,
            aborted=aborted,
        )
        try:
            await self._attend(run, crew, ledger, self._ranks(run, crew, ledger))
        finally:
            await asyncio.to_thread(crew.close)

    async def _ranks(self, run: JobRun, crew: Crew, ledger: Ledger) -> None:
        for phase, rank in _WORK:
            await self._change(run, phase=phase)
            await crew.work(rank)
            run.check()
        await ledger.flush()
        await self._check_failures(run, await self._find(run))
        await self._change(run, phase=Phase.DELETING)
        await crew.work(_DELETIONS)

    async def _attend(
        self, run: JobRun, crew: Crew, ledger: Ledger, work: Coroutine[Any, Any, None]
    ) -> None:
        """Save how far the work is, and let the crew stop when that is wanted."""
        keeping = asyncio.create_task(ledger.keep_up())
        working = asyncio.create_task(work)
        try:
            while not (working.done() or keeping.done()):
                await asyncio.wait(
                    {working, keeping}, timeout=_LOOK_SECONDS, return_when="FIRST_COMPLETED"
                )
                await self._look_up(run, crew, ledger)
        finally:
            # Whatever happens, nothing of this run goes on after it, or waits for the ledger.
            crew.abort()
            ledger.close()
            await asyncio.gather(working, keeping, return_exceptions=True)
        if not isinstance(keeping.exception(), LeaseLost):
            await ledger.flush()
        for error in (keeping.exception(), working.exception()):
            if error is not None:
                raise error
        run.check()

    async def _look_up(self, run: JobRun, crew: Crew, ledger: Ledger) -> None:
        """Save the progress; tell the crew when the run is wanted to end."""
        try:
            await run.save(progress=ledger.progress)
        except LeaseLost:
            raise
        except JobStopped:
            crew.halt()
            if await self._asked(run) is None:
                crew.abort()  # only people's wishes leave time for what is under way

    async def _asked(self, run: JobRun) -> Signal | None:
        """Return what people ask of the job, as long as this run has it."""
        job = await self._read(lambda connection: jobs.find(connection, run.id, owner=None))
        return job.signal if job is not None and job.epoch == run.epoch else None

    async def _check_failures(self, run: JobRun, sync: Sync) -> None:
        if not sync.failed or sync.plan is None:
            return
        first = await self._read(lambda connection: sync_operations.first_error(connection, run.id))
        raise SyncFailedError(f"{sync.failed} of {sync.plan.operations} operations failed: {first}")

    async def _remove(self, run: JobRun, mirror: Mirror, bucket: SyncBucket) -> None:
        try:
            await asyncio.to_thread(mirror.remove)
        except ConflictError:
            if not bucket.backup_prefixes:
                raise
            return  # the backups in it stay

        async def write(transaction: Transaction) -> None:
            await sync_objects.forget_all(transaction, bucket.id)
            await sync_buckets.change(transaction, bucket.id, created=False)

        await self._fenced(run, write)

    async def _open(self, sync: Sync) -> Mirror:
        sealed = await self._read(lambda connection: syncs.credentials(connection, sync.id))
        try:
            if sealed is None and sync.options.keyed:
                raise SyncFailedError(
                    "The keys that were given for this sync were wiped when it ended. Start a new "
                    "one with the same parameters.",
                    reason="its keys were wiped",
                )
            # What the operator allows may have changed since it was asked for.
            location = sync.location and self._endpoints.check(sync.location)
            context = sealing_context(location, sync.bucket)
            keys = None if sealed is None else self._sealer.open(sealed, context)
            return await asyncio.to_thread(
                self._mirrors.open,
                location,
                sync.bucket,
                region=sync.options.region,
                keys=keys,
            )
        except SyncFailedError:
            raise
        except MediathequeError as error:
            raise SyncFailedError(error.detail) from error

    async def _give_up_uploads(self, run: JobRun, mirror: Mirror) -> None:
        """Remove the multipart uploads that nobody will continue, if the store still answers."""
        with contextlib.suppress(MediathequeError):
            async with self._database.begin() as transaction:
                await run.still_holds(transaction)
                given_up = await sync_operations.uploads(transaction, run.id)
                await sync_operations.forget_uploads(transaction, run.id)
            for key, upload_id in given_up:
                await mirror.abandon(key, upload_id)

    async def _note(self, run: JobRun, error: SyncFailedError) -> None:
        await self._change(run, reason=error.reason)

    async def _find(self, run: JobRun) -> Sync:
        found = await self._read(lambda connection: syncs.find_by_id(connection, run.id))
        if found is None:
            raise LeaseLost
        return found

    async def _bucket(self, sync: Sync) -> SyncBucket:
        found = await self._read(lambda connection: sync_buckets.find(connection, sync.bucket_id))
        assert found is not None  # syncs refer to it
        return found

    async def _note_backups(self, run: JobRun, sync: Sync) -> SyncBucket:
        """Keep the prefix of the backups out of the mirror, before there are any."""
        prefix = sync.options.backup_prefix
        if prefix is not None:
            await self._fenced(
                run,
                lambda transaction: sync_buckets.add_backup_prefix(
                    transaction, sync.bucket_id, f"{prefix}/"
                ),
            )
        return await self._bucket(sync)

    async def _change(self, run: JobRun, **values: object) -> None:
        await self._fenced(run, lambda transaction: syncs.change(transaction, run.id, **values))

    async def _change_bucket(self, run: JobRun, bucket: SyncBucket, **values: object) -> None:
        await self._fenced(
            run, lambda transaction: sync_buckets.change(transaction, bucket.id, **values)
        )

    async def _read(self, read: Callable[[Transaction], Awaitable[T]]) -> T:
        async def once() -> T:
            async with self._database.read() as connection:
                return await read(connection)

        return await patiently(once, seconds=_PATIENCE_SECONDS)

    async def _fenced(self, run: JobRun, write: Callable[[Transaction], Awaitable[T]]) -> T:
        async def once() -> T:
            async with self._database.begin() as transaction:
                await run.still_holds(transaction)
                return await write(transaction)

        return await patiently(once, seconds=_PATIENCE_SECONDS)


def _object(objected: Objection | None) -> None:
    if objected is not None:
        raise SyncFailedError(objected.detail, reason=objected.reason)
