"""Planning a sync: what its bucket needs so that it becomes what the folder is."""

import asyncio
import os
import threading
from dataclasses import replace
from typing import Any

from mediatheque.catalog import sync_buckets
from mediatheque.catalog.database import Database
from mediatheque.domain.syncs import Plan, Sync, SyncBucket
from mediatheque.services.job_runs import JobRun
from mediatheque.services.sync_comparison import Comparison
from mediatheque.services.sync_draft import Draft
from mediatheque.services.sync_failure import SyncFailedError
from mediatheque.services.sync_readings import FileReader, Readings
from mediatheque.services.sync_source import (
    BackslashError,
    Backslashes,
    SourceReader,
    VanishedError,
)
from mediatheque.storage.mirrors import Mirror, UnorderedError
from mediatheque.storage.sources import SourceRoots
from mediatheque.storage.threads import Threads

_TRIES = 3
_READERS = 4


class Planner:
    """Makes the plan of one sync and writes it down."""

    def __init__(
        self,
        run: JobRun,
        database: Database,
        mirror: Mirror,
        roots: SourceRoots,
        *,
        sync: Sync,
        bucket: SyncBucket,
    ) -> None:
        self._run = run
        self._database = database
        self._mirror = mirror
        self._roots = roots
        self._sync = sync
        self._bucket, self._new_prefix = _with_backups(bucket, sync.options.backup_prefix)
        self._backslashes = Backslashes.UNEXPECTED

    async def plan(self) -> Plan:
        """Replace the plan that the sync may have, and return the new one.

        What is found out about objects meanwhile is remembered, except by a dry run. Raises
        SyncFailedError when something in the source cannot be read, or when it does not hold
        still; what the source's root and the mirror raise; JobStopped as soon as that is wanted.
        """
        self._run.check()
        planning = asyncio.create_task(self._plan())
        stopping = asyncio.create_task(self._run.stopping.wait())
        try:
            await asyncio.wait({planning, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            planning.cancel()
            stopping.cancel()
            await asyncio.wait({planning, stopping})
        if planning.cancelled():
            self._run.check()
        return planning.result()

    async def _plan(self) -> Plan:
        vanished = 0
        while True:
            try:
                return await self._try()
            except UnorderedError:
                await self._note(ordered=False)
            except BackslashError:
                self._backslashes = await self._look_for_backslashes()
            except VanishedError as error:
                vanished += 1
                if vanished == _TRIES:
                    raise SyncFailedError(
                        f"The source did not hold still, so nothing was changed or deleted: "
                        f"{error.detail} Start the sync again."
                    ) from error

    async def _try(self) -> Plan:
        place = self._roots.place(os.fsencode(self._sync.source))
        left_out = tuple(prefix.encode() for prefix in self._bucket.backup_prefixes)
        source = SourceReader(
            self._roots,
            place,
            left_out=left_out,
            new_prefix=self._new_prefix,
            backslashes=self._backslashes,
        )
        stop = threading.Event()
        # Not waited for at the end: a store that does not answer would keep a sync from ending.
        threads = Threads(_READERS + 2, thread_name_prefix="sync-planner")
        readings = Readings(FileReader(self._roots, place, self._mirror, stop), threads)
        draft = Draft(self._run, self._database, self._sync)
        comparison = Comparison(
            self._database,
            self._mirror,
            source,
            readings,
            draft,
            threads=threads,
            bucket=self._bucket,
            verify=self._sync.options.verify,
        )
        try:
            plan = await comparison.plan()
        finally:
            stop.set()
            readings.close()
            threads.shutdown(wait=False, cancel_futures=True)
        if self._bucket.created and comparison.is_another_bucket:
            # Somebody may have removed ours, and made one of his own by the same name.
            await self._note(created=False)
        return plan

    async def _look_for_backslashes(self) -> Backslashes:
        """Find out, if it is not known, what the bucket makes of them."""
        kept = self._bucket.backslashes
        if kept is None and self._sync.options.dry_run:
            kept = True  # nothing may be written to find out
        elif kept is None:
            if await asyncio.to_thread(self._mirror.create):
                await self._note(created=True)
            kept = await asyncio.to_thread(self._mirror.keeps_backslashes)
            await self._note(backslashes=kept)
        return Backslashes.KEPT if kept else Backslashes.MAPPED

    async def _note(self, **values: Any) -> None:
        """Keep what was found out about the bucket."""
        self._bucket = replace(self._bucket, **values)
        if not self._sync.options.dry_run:
            draft = Draft(self._run, self._database, self._sync)
            await draft.write(
                lambda transaction: sync_buckets.change(transaction, self._bucket.id, **values)
            )


def _with_backups(bucket: SyncBucket, prefix: str | None) -> tuple[SyncBucket, bytes | None]:
    """Return the bucket with the prefix of its backups, which is also returned when it is new."""
    name = f"{prefix}/"
    if prefix is None or name in bucket.backup_prefixes:
        return bucket, None
    return replace(bucket, backup_prefixes=(*bucket.backup_prefixes, name)), name.encode()
