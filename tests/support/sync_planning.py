"""Planning syncs of a real folder, with a real catalog, into a bucket in memory."""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from blake3 import blake3

from mediatheque.catalog import jobs, sync_buckets, sync_objects, sync_operations, syncs
from mediatheque.catalog.database import Database
from mediatheque.domain.jobs import JobStatus
from mediatheque.domain.sync_plan import Remembered
from mediatheque.domain.syncs import (
    Operation,
    Plan,
    Sync,
    SyncBucket,
    SyncOptions,
)
from mediatheque.services.job_runs import JobRun
from mediatheque.services.sync_planner import Planner
from mediatheque.storage.beneath import Place
from mediatheque.storage.sources import SourceFile, SourceRoots
from mediatheque.storage.walk import Found
from tests.support.mirrors import MemoryMirror
from tests.support.restricted import without_privileges
from tests.support.sync_rows import LOCATION, add_sync

OLD_NS = 1_600_000_000_123_456_789
Summary = list[tuple[str, str]]


class Roots(SourceRoots):
    """The folder's root. ``before_open`` may change a file first; ``walks`` replace some walks."""

    def __init__(self, roots: Sequence[Path]) -> None:
        super().__init__(roots)
        self.opened: list[bytes] = []
        self.before_open: Callable[[], object] = lambda: None
        self.walks: list[list[Found]] = []

    def open(self, place: Place) -> SourceFile:
        self.opened.append(place.relative)
        self.before_open()
        return super().open(place)

    def walk(self, place: Place, **options: Any) -> Iterator[Found]:
        if self.walks:
            yield from self.walks.pop()
        else:
            yield from super().walk(place, **options)


class PowerlessRoots(Roots):
    """The same, where permissions hold for root too."""

    def open(self, place: Place) -> SourceFile:
        return without_privileges(lambda: super(PowerlessRoots, self).open(place))

    def walk(self, place: Place, **options: Any) -> Iterator[Found]:
        found = super().walk(place, **options)
        yield from without_privileges(lambda: list(found))


class Stage:
    """One folder, one bucket, and what is remembered of both."""

    def __init__(self, database: Database, root: Path) -> None:
        self.database = database
        self.root = root
        self.root.mkdir(exist_ok=True)
        self.roots = Roots([root])
        self.mirror = MemoryMirror()

    def write(self, *names: str, content: bytes | None = None, old: bool = True) -> None:
        """Write files, each with its own name as content unless told otherwise."""
        for name in names:
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(name.encode() if content is None else content)
            if old:
                os.utime(path, ns=(OLD_NS, OLD_NS))

    async def done(self, *names: str) -> None:
        """Let files be in the bucket, as a sync leaves them."""
        await asyncio.sleep(0.03)  # so that their times tell of every later change
        rows = []
        for name in names:
            path = self.root / name
            status = path.stat()
            entry = self.mirror.hold(name.encode(), path.read_bytes())
            rows.append(
                Remembered(
                    key=entry.key,
                    size=entry.size,
                    etag=entry.etag,
                    mtime_ns=status.st_mtime_ns,
                    ctime_ns=status.st_ctime_ns,
                    inode=status.st_ino,
                    blake3=blake3(path.read_bytes()).hexdigest(),
                    uploaded=True,
                )
            )
        await self.remember(*rows)

    async def remember(self, *rows: Remembered) -> None:
        bucket = await self.bucket()
        async with self.database.begin() as transaction:
            await sync_objects.save(transaction, bucket.id, rows)

    async def known(self) -> dict[str, Remembered]:
        """Return what is remembered, by key."""
        bucket = await self.bucket()
        async with self.database.read() as connection:
            rows = await sync_objects.page(connection, bucket.id, None, 10_000)
        return {row.key.decode(): row for row in rows}

    async def bucket(self) -> SyncBucket:
        async with self.database.begin() as transaction:
            return await sync_buckets.claim(transaction, LOCATION, "photos")

    async def claim(self, source: str = "", **options: Any) -> tuple[JobRun, Planner]:
        """Start a sync and its run."""
        sync = await add_sync(self.database, source=source, options=SyncOptions(**options))
        async with self.database.begin() as transaction:
            job = await jobs.change(transaction, sync.id, status=JobStatus.RUNNING, epoch=1)
        run = JobRun(job, self.database)
        return run, await self.planner(run)

    async def planner(self, run: JobRun) -> Planner:
        sync = await self.find(run)
        bucket = await self.bucket()
        return Planner(run, self.database, self.mirror, self.roots, sync=sync, bucket=bucket)

    async def plan(self, source: str = "", **options: Any) -> tuple[Plan, Summary]:
        """Plan a sync; return the plan, and the actions with their keys in the order of work."""
        run, planner = await self.claim(source, **options)
        plan = await planner.plan()
        sync = await self.find(run)
        assert sync.plan == plan
        assert sync.planned_at is not None
        return plan, summary(await self.operations(run))

    async def find(self, run: JobRun) -> Sync:
        async with self.database.read() as connection:
            found = await syncs.find_by_id(connection, run.id)
        assert found is not None
        return found

    async def operations(self, run: JobRun) -> list[Operation]:
        async with self.database.read() as connection:
            return await sync_operations.page(
                connection, run.id, action=None, state=None, after=None, limit=10_000
            )


def summary(operations: Sequence[Operation]) -> Summary:
    return [(each.action, each.key.decode(errors="backslashreplace")) for each in operations]
