"""Syncs in this process: what the doors and the workers call, on a real database and folder."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mediatheque.catalog import sync_buckets, sync_objects
from mediatheque.catalog.connections import DatabaseUnavailableError
from mediatheque.catalog.database import Database, Transaction
from mediatheque.domain.access import LOCAL_OPERATOR
from mediatheque.domain.jobs import JobStatus, Signal
from mediatheque.domain.sync_safety import SyncLimits
from mediatheque.domain.syncs import Operation, Sync, SyncBucket, SyncOptions
from mediatheque.services.job_runs import JobRunner
from mediatheque.services.jobs import JobService
from mediatheque.services.sync_requests import SyncRequest
from mediatheque.services.sync_runs import SyncRunner
from mediatheque.services.syncs import JOB_CLASS, SyncService
from mediatheque.storage.endpoints import Endpoints
from mediatheque.storage.mirror_opening import Mirrors
from mediatheque.storage.mirrors import Mirror
from mediatheque.storage.s3_keys import S3Keys
from mediatheque.storage.sealing import Sealer
from mediatheque.storage.sources import SourceRoots

BUCKET = "photos"
LIMITS = SyncLimits(count=100, percent=50, unowned=False)


class FickleDatabase(Database):
    """A database that does not answer while it is ``away``."""

    def __init__(self, url: str) -> None:
        super().__init__(url, connections=10)
        self.away = False

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        """See ``Database``."""
        self._check_there()
        async with super().begin() as transaction:
            yield transaction

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """See ``Database``."""
        self._check_there()
        async with super().read() as connection:
            yield connection

    def _check_there(self) -> None:
        if self.away:
            raise DatabaseUnavailableError("The database is away.")


class OneMirror(Mirrors):
    """Opens the same kind of mirror, whatever is asked for."""

    def __init__(self, make: Callable[[], Mirror]) -> None:
        super().__init__("file:///nowhere", s3_endpoint=None, durable=False, reserved_bytes=0)
        self._make = make

    def open(self, location: str, bucket: str, *, region: str, keys: S3Keys | None) -> Mirror:
        """See ``Mirrors``."""
        del location, bucket, region, keys
        return self._make()


@dataclass
class SyncStage:
    """One database, one folder and one bucket, with the services of syncs on them."""

    database: Database
    root: Path
    make: Callable[[], Mirror]
    limits: SyncLimits = LIMITS

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        endpoints, sealer = Endpoints((), loopback=True), Sealer(b"s" * 32)
        self.syncs = SyncService(self.database, endpoints, sealer)
        self.jobs = JobService(self.database)
        self.runner = SyncRunner(
            self.database,
            OneMirror(self.make),
            endpoints=endpoints,
            sealer=sealer,
            roots=SourceRoots([self.root]),
            limits=self.limits,
        )
        self.workers = JobRunner(self.database, {JOB_CLASS: self.runner.run})

    async def start(self, source: str = "", **options: Any) -> Sync:
        """Start a sync; nothing runs yet."""
        request = SyncRequest(source=source, dest=BUCKET, options=SyncOptions(**options))
        return await self.syncs.start(LOCAL_OPERATOR, request)

    async def run(self, sync: Sync, *, seconds: float = 30) -> Sync:
        """Run its job as a worker does, until that ends, and return what it has come to."""
        async with asyncio.timeout(seconds):
            job = await self.jobs.find(LOCAL_OPERATOR, str(sync.id))
            assert job.queue_id is not None
            await self.workers.run(job.id, job.queue_id)
        return await self.find(sync)

    async def sync(self, source: str = "", **options: Any) -> Sync:
        """Start a sync and run it."""
        return await self.run(await self.start(source, **options))

    async def done(self, source: str = "", **options: Any) -> Sync:
        """Start a sync and run it; it must not fail."""
        ended = await self.sync(source, **options)
        assert ended.status == "success", ended.error
        return ended

    async def find(self, sync: Sync) -> Sync:
        """Return a sync as it stands now."""
        return await self.syncs.find(LOCAL_OPERATOR, sync.number)

    async def wait(self, sync: Sync, condition: Callable[[Sync], bool]) -> Sync:
        """Return a sync as soon as it fulfils a condition."""
        async with asyncio.timeout(20):
            while not condition(found := await self.find(sync)):
                await asyncio.sleep(0.01)
        return found

    async def signal(self, sync: Sync, signal: Signal) -> None:
        """Signal a sync, and let its worker hear of it."""
        await self.jobs.signal(LOCAL_OPERATOR, str(sync.id), signal)
        await self.workers.hear_signals()

    async def status(self, sync: Sync) -> JobStatus:
        """Return where its job stands."""
        return (await self.find(sync)).job_status

    async def bucket(self) -> SyncBucket:
        """Return what is known of the bucket."""
        async with self.database.begin() as transaction:
            return await sync_buckets.claim(transaction, "", BUCKET)

    async def known(self) -> set[str]:
        """Return the keys of the objects that are remembered."""
        bucket = await self.bucket()
        async with self.database.read() as connection:
            rows = await sync_objects.page(connection, bucket.id, None, 10_000)
        return {row.key.decode() for row in rows}

    async def operations(self, sync: Sync) -> dict[str, Operation]:
        """Return the operations of a sync by their keys."""
        page = await self.syncs.operations(LOCAL_OPERATOR, sync.number, limit=10_000)
        return {each.key.decode(): each for each in page.operations}
