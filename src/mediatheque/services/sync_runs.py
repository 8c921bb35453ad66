"""Running syncs: plan, do what is missing, then what changed, then what goes away."""

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from mediatheque.catalog import jobs, sync_buckets, sync_objects, sync_operations, syncs
from mediatheque.catalog.database import Database, DatabaseUnavailableError, Transaction
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
from mediatheque.services.sync_crew import Crew
from mediatheque.services.sync_deleter import SyncDeleter
from mediatheque.services.sync_failure import CONNECTION, SyncFailedError
from mediatheque.services.sync_ledger import Ledger
from mediatheque.services.sync_planner import Planner
from mediatheque.services.sync_requests import sealing_context
from mediatheque.services.sync_sender import SyncSender
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
        sealer: Sealer,
        roots: SourceRoots,
        limits: SyncLimits,
    ) -> None:
        self._database = database
        self._mirrors = mirrors
        self._sealer = sealer
        self._roots = roots
        self._limits = limits

    async def run(self, run: JobRun) -> None:
        """Make the bucket what the folder is, going on where an earlier run ended.

        Raises SyncFailedError, after its reason was written down, and JobStopped.
        """
        async with self._mirror_of(run) as mirror:
            await self._once(run, mirror)
            if (await self._find(run)).options.watch:
                await self._watch(run, mirror)

    async def _watch(self, run: JobRun, mirror: Mirror) -> None:
        """Mirror the folder whenever something in it changes, until somebody cancels.

        The first round has told that it can be done; troubles of later ones pass.
        """
        # Imported when first needed: most syncs watch nothing.
        from mediatheque.storage.watching import pause, wait_for_change  # noqa: PLC0415

        sync = await self._find(run)
        folder = Path(os.fsdecode(self._roots.place(os.fsencode(sync.source)).path))
        failures = 0
        while True:
            if not failures:
                await self._rest(run, sync.rounds + 1)
                await wait_for_change(folder, run.stopping, seconds=_FULL_LOOK_SECONDS)
            run.check()
            try:
                await self._once(run, mirror)
                failures = 0
            except SyncFailedError as error:
                log.warning("sync failed", sync=sync.number, reason=error.reason)
                await self._change(run, reason=error.reason, planned_at=None)
                await pause(run.stopping, _RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)])
                failures += 1
            sync = await self._find(run)

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
            if mirror is not None and await self._is_cancelled(run):
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
            if isinstance(error, JobStopped):
                raise
            raise SyncFailedError(error.detail) from error

    async def _round(self, run: JobRun, mirror: Mirror) -> None:
        run.check()
        exists = await asyncio.to_thread(mirror.exists)
        sync, bucket = await self._planned(run, mirror)
        plan = sync.plan
        assert plan is not None
        if exists:
            _object(objection(plan, sync.options, bucket, self._limits))
        if sync.options.dry_run:
            return
        if not (exists or plan.empty):
            await self._create(run, mirror, bucket)
        await self._work(run, mirror, sync)
        sync = await self._find(run)
        _object(objection_to_foreign(plan, bucket, self._limits))
        await self._check_failures(run, sync)
        if plan.empty and exists:
            await self._remove(run, mirror, bucket)

    async def _planned(self, run: JobRun, mirror: Mirror) -> tuple[Sync, SyncBucket]:
        """Return the sync with a plan that still holds, made anew if need be."""
        sync = await self._find(run)
        bucket = await self._bucket(run, sync)
        made = sync.planned_at
        if sync.plan is None or made is None or datetime.now(UTC) - made > _PLAN_HOLDS:
            await self._change(run, phase=Phase.PLANNING, planned_at=None, reason=None)
            await self._give_up_uploads(run, mirror)
            planner = Planner(run, self._database, mirror, self._roots, sync=sync, bucket=bucket)
            await planner.plan()
            sync = await self._find(run)
        return sync, bucket

    async def _create(self, run: JobRun, mirror: Mirror, bucket: SyncBucket) -> None:
        # A crash between the two leaves a bucket that is not known to be ours: never deleted.
        if await asyncio.to_thread(mirror.create):
            await self._change_bucket(run, bucket, created=True)

    async def _work(self, run: JobRun, mirror: Mirror, sync: Sync) -> None:
        """Do the plan, rank by rank. Nothing is deleted after something else failed."""
        ledger = Ledger(run, self._database, sync)
        aborted = threading.Event()
        sender = SyncSender(mirror, self._roots, sync, ledger.note_upload, aborted)
        deleter = SyncDeleter(self._database, mirror, sync, sender, unowned=self._limits.unowned)
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
        except LeaseLost:
            crew.abort()
            raise
        finally:
            # Whatever happens, nothing of this run goes on after it.
            crew.halt()
            await asyncio.gather(working, return_exceptions=True)
            ledger.close()
            await asyncio.gather(keeping, return_exceptions=True)
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
            if not await self._may_finish(run):
                crew.abort()

    async def _may_finish(self, run: JobRun) -> bool:
        """Tell whether operations under way may be done to their end: people asked to stop."""
        async with self._database.read() as connection:
            job = await jobs.find(connection, run.id, owner=None)
        asked = job is not None and job.epoch == run.epoch
        return asked and job is not None and job.signal in {Signal.CANCEL, Signal.PAUSE}

    async def _is_cancelled(self, run: JobRun) -> bool:
        async with self._database.read() as connection:
            job = await jobs.find(connection, run.id, owner=None)
        return job is not None and job.epoch == run.epoch and job.signal is Signal.CANCEL

    async def _check_failures(self, run: JobRun, sync: Sync) -> None:
        if not sync.failed or sync.plan is None:
            return
        async with self._database.read() as connection:
            first = await sync_operations.first_error(connection, run.id)
        raise SyncFailedError(f"{sync.failed} of {sync.plan.operations} operations failed: {first}")

    async def _remove(self, run: JobRun, mirror: Mirror, bucket: SyncBucket) -> None:
        try:
            await asyncio.to_thread(mirror.remove)
        except ConflictError:
            if not bucket.backup_prefixes:
                raise
            return  # the backups in it stay
        async with self._database.begin() as transaction:
            await run.still_holds(transaction)
            await sync_objects.forget_all(transaction, bucket.id)
            await sync_buckets.change(transaction, bucket.id, created=False)

    async def _open(self, sync: Sync) -> Mirror:
        async def read() -> bytes | None:
            async with self._database.read() as connection:
                return await syncs.credentials(connection, sync.id)

        sealed = await patiently(read, seconds=_PATIENCE_SECONDS)
        try:
            if sealed is None and sync.options.keyed:
                raise SyncFailedError(
                    "The keys that were given for this sync were wiped when it ended. Start a new "
                    "one with the same parameters.",
                    reason="its keys were wiped",
                )
            context = sealing_context(sync.location, sync.bucket)
            keys = None if sealed is None else self._sealer.open(sealed, context)
            return await asyncio.to_thread(
                self._mirrors.open,
                sync.location,
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
        async def read() -> Sync | None:
            async with self._database.read() as connection:
                return await syncs.find_by_id(connection, run.id)

        found = await patiently(read, seconds=_PATIENCE_SECONDS)
        if found is None:
            raise LeaseLost
        return found

    async def _bucket(self, run: JobRun, sync: Sync) -> SyncBucket:
        """Return the bucket, with the prefix of the backups noted before there are any."""
        prefix = sync.options.backup_prefix

        async def read(transaction: Transaction) -> SyncBucket:
            if prefix is not None and not sync.options.dry_run:
                await sync_buckets.add_backup_prefix(transaction, sync.bucket_id, f"{prefix}/")
            found = await sync_buckets.find(transaction, sync.bucket_id)
            assert found is not None  # syncs refer to it
            return found

        bucket = await self._fenced(run, read)
        if prefix is not None and f"{prefix}/" not in bucket.backup_prefixes:
            bucket = replace(bucket, backup_prefixes=(*bucket.backup_prefixes, f"{prefix}/"))
        return bucket

    async def _change(self, run: JobRun, **values: object) -> None:
        await self._fenced(run, lambda transaction: syncs.change(transaction, run.id, **values))

    async def _change_bucket(self, run: JobRun, bucket: SyncBucket, **values: object) -> None:
        await self._fenced(
            run, lambda transaction: sync_buckets.change(transaction, bucket.id, **values)
        )

    async def _fenced(self, run: JobRun, write: Callable[[Transaction], Awaitable[T]]) -> T:
        async def once() -> T:
            async with self._database.begin() as transaction:
                await run.still_holds(transaction)
                return await write(transaction)

        return await patiently(once, seconds=_PATIENCE_SECONDS)


def _object(objected: Objection | None) -> None:
    if objected is not None:
        raise SyncFailedError(objected.detail, reason=objected.reason)
