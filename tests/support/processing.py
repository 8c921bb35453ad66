"""Processing in this process, with real child processes: recordings and medias, and their jobs."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mediatheque.catalog import medias
from mediatheque.catalog.database import Database, Transaction
from mediatheque.domain.access import LOCAL_OPERATOR
from mediatheque.domain.errors import UnavailableError
from mediatheque.domain.jobs import Job
from mediatheque.domain.media import Media
from mediatheque.domain.paging import Listing
from mediatheque.domain.recordings import ChunkPlace, Recording
from mediatheque.processing.pool import ProcessingPool
from mediatheque.processing.workbench import Workbench
from mediatheque.services import processing, recordings
from mediatheque.services.derivation import Derivation, Deriver
from mediatheque.services.intake import IntakeService
from mediatheque.services.job_runs import JobRunner
from mediatheque.services.jobs import JobService
from mediatheque.services.medias import MediaService
from mediatheque.services.processing import ProcessingLimits, ProcessingService
from mediatheque.services.processing_runs import ProcessingRunner
from mediatheque.services.recording_runs import RecordingRunner
from mediatheque.services.recordings import RecordingService
from mediatheque.services.uploads import UploadService
from mediatheque.storage.keys import CATALOG_ID
from mediatheque.storage.stores import Store
from tests.support.parts import pieces
from tests.support.stores import get

LIMITS = ProcessingLimits(probe=True, max_size=1 << 30, max_pixels=50_000_000, location=False)


@dataclass
class ProcessingStage:
    """One database and one store, with the services that receive and process on them."""

    database: Database
    store: Store
    folder: Path
    pool: ProcessingPool
    limits: ProcessingLimits = LIMITS
    keep_original: bool = True
    workflows: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        uploads = UploadService(self.database, self.store, expiry=60)
        self.jobs = JobService(self.database)
        self.processing = ProcessingService(self.database, self.limits)
        self.medias = MediaService(self.database, self.store, uploads, self.processing)
        self.recordings = RecordingService(
            self.database,
            self.store,
            IntakeService(self.database, self.store),
            quiet_after=3600,
            expiry=3600,
            most_bytes=1 << 30,
        )
        deriver = Deriver(
            self.store, uploads, self.pool, Workbench(self.folder, reserved_bytes=0), self.limits
        )
        self.workers = JobRunner(
            self.database,
            {
                processing.JOB_CLASS: ProcessingRunner(self.database, deriver).run,
                recordings.JOB_CLASS: RecordingRunner(
                    self.database,
                    self.store,
                    uploads,
                    deriver,
                    keep_original=self.keep_original,
                ).run,
                **self.workflows,
            },
        )

    async def upload(self, filename: str, content: bytes) -> Media:
        """Receive one media whose resource is its file name."""
        async with self.medias.receive(LOCAL_OPERATOR) as reception:
            await reception.take(filename, pieces(content), size_hint=None)
            return await reception.keep(resource=filename, key="", public=False, project_id=None)

    async def record(self, chunks: Sequence[bytes]) -> Recording:
        """Receive a recording and complete it; nothing runs yet."""
        made = await self.recordings.create(LOCAL_OPERATOR)
        for chunk in chunks:
            await self.recordings.add(
                LOCAL_OPERATOR, str(made.id), pieces(chunk), place=ChunkPlace(), digests={}
            )
        return await self.recordings.complete(LOCAL_OPERATOR, str(made.id))

    async def finish(self, chunks: Sequence[bytes]) -> Recording:
        """Receive a recording, complete it and run its job."""
        recording = await self.record(chunks)
        await self.run_all()
        return await self.recordings.find(LOCAL_OPERATOR, str(recording.id))

    async def waiting(self) -> list[Job]:
        """Return the jobs that wait to be run, oldest first."""
        found = await self.jobs.page(LOCAL_OPERATOR, Listing(), count=False)
        return [job for job in found.jobs if job.status == "pending"]

    async def run_all(self) -> list[Job]:
        """Run every job that waits, as a worker does; return what each has come to."""
        ran = await self.waiting()
        for job in ran:
            assert job.queue_id is not None
            await self.workers.run(job.id, job.queue_id)
        return [await self.jobs.find(LOCAL_OPERATOR, str(job.id)) for job in ran]

    async def find(self, resource: str, key: str = "") -> Media:
        """Return a media by its address."""
        return await self.medias.find(LOCAL_OPERATOR, resource, key)

    async def keys(self, resource: str) -> set[str]:
        """Return the keys of an original and of everything that was derived from it."""
        async with self.database.read() as connection:
            every = await medias.page(connection, Listing(), owner=None)
        return {media.key for media in every if media.resource == resource}

    async def content(self, resource: str, key: str = "") -> bytes:
        """Return the bytes of a media."""
        return await get(self.store, (await self.find(resource, key)).object_key)

    async def objects(self) -> set[str]:
        """Return the keys of everything stored, save the mark that says whose the store is."""
        return {info.key async for info in self.store.list("")} - {CATALOG_ID}


def lose_an_answer(patch: pytest.MonkeyPatch) -> None:
    """Let the first commit of what was derived succeed, and its answer never come."""
    begin, record_in = Database.begin, Deriver.record_in
    recorded = 0

    async def record(self: Deriver, transaction: Transaction, derivation: Derivation) -> list[str]:
        nonlocal recorded
        recorded += 1
        return await record_in(self, transaction, derivation)

    @asynccontextmanager
    async def begin_and_lose(self: Database) -> AsyncIterator[Transaction]:
        before = recorded
        async with begin(self) as transaction:
            yield transaction
        if (before, recorded) == (0, 1):
            raise UnavailableError("The connection was cut.")

    patch.setattr(Deriver, "record_in", record)
    patch.setattr(Database, "begin", begin_and_lose)


@contextmanager
def nothing_left_in(folder: Path) -> Iterator[None]:
    """Check at the end that no job left anything in the folder where medias are processed."""
    yield
    assert not folder.exists() or list(folder.iterdir()) == []
