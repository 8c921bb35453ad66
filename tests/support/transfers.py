"""Transfers in this process: what the doors and the workers call, on a real database and store."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mediatheque.catalog import medias
from mediatheque.catalog.database import Database
from mediatheque.domain.access import LOCAL_OPERATOR
from mediatheque.domain.jobs import Signal
from mediatheque.domain.media import Media
from mediatheque.domain.paging import Listing
from mediatheque.domain.transfers import FileState, Transfer, TransferFile
from mediatheque.services.identity import IdentityService
from mediatheque.services.janitor import Janitor
from mediatheque.services.job_runs import JobRunner
from mediatheque.services.jobs import JobService
from mediatheque.services.processing import ProcessingService
from mediatheque.services.transfer_runs import TransferLimits, TransferRunner
from mediatheque.services.transfers import JOB_CLASS, TransferService
from mediatheque.storage.keys import CATALOG_ID
from mediatheque.storage.sources import SourceRoots
from mediatheque.storage.stores import Store
from tests.support.parts import NO_PROCESSING
from tests.support.stores import get

LIMITS = TransferLimits(
    max_size=1 << 40, segment_bytes=100_000, segment_seconds=10, deduplicate=False
)


@dataclass
class TransferStage:
    """One database, one store and one source root, with the services of transfers on them."""

    database: Database
    store: Store
    root: Path
    limits: TransferLimits = LIMITS

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.roots = SourceRoots([self.root])
        self.reopen()

    def reopen(self) -> None:
        """Put the services together, as a process that starts does."""
        self.jobs = JobService(self.database)
        self.transfers = TransferService(self.database, self.store, self.roots)
        self.runner = TransferRunner(
            self.database,
            self.store,
            self.roots,
            limits=self.limits,
            processing=ProcessingService(self.database, NO_PROCESSING),
        )
        self.workers = JobRunner(self.database, {JOB_CLASS: self.runner.run})
        self.janitor = Janitor(
            self.database,
            self.store,
            IdentityService(self.database, self.store),
            orphan_age=1,
            unfinished_age=1,
        )

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write files below the root."""
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    async def start(self, *sources: Path, **options: Any) -> Transfer:
        """Start a transfer, of the whole root unless told otherwise; nothing runs yet."""
        named = [str(source) for source in sources or (self.root,)]
        return await self.transfers.start(LOCAL_OPERATOR, named, **options)

    async def run(self, transfer: Transfer) -> Transfer:
        """Run its job as a worker does, until that ends, and return what it has come to."""
        job = await self.jobs.find(LOCAL_OPERATOR, str(transfer.id))
        assert job.queue_id is not None
        await self.workers.run(job.id, job.queue_id)
        return await self.find(transfer)

    async def run_beside(self, transfer: Transfer) -> "asyncio.Task[Transfer]":
        """Run its job in a task, for what a test wants to do meanwhile."""
        return asyncio.create_task(self.run(transfer))

    async def transfer(self, *sources: Path, **options: Any) -> Transfer:
        """Start a transfer and run it."""
        return await self.run(await self.start(*sources, **options))

    async def find(self, transfer: Transfer) -> Transfer:
        """Return a transfer as it stands now."""
        return await self.transfers.find(LOCAL_OPERATOR, str(transfer.id))

    async def signal(self, transfer: Transfer, signal: Signal) -> Transfer:
        """Signal a transfer, and let its worker hear of it."""
        signalled = await self.transfers.signal(LOCAL_OPERATOR, str(transfer.id), signal)
        await self.workers.hear_signals()
        return signalled

    async def files(
        self, transfer: Transfer, state: FileState | None = None
    ) -> dict[str, TransferFile]:
        """Return its files by their path below the root."""
        _, page = await self.transfers.find_with_files(
            LOCAL_OPERATOR, str(transfer.id), state=state, after=-1, limit=1000
        )
        start = len(bytes(self.root)) + 1
        return {file.path[start:].decode(errors="backslashreplace"): file for file, _ in page.files}

    async def medias(self) -> list[Media]:
        """Return every media, oldest first."""
        async with self.database.read() as connection:
            return await medias.page(connection, Listing(), owner=None)

    async def objects(self) -> set[str]:
        """Return the keys of everything stored, save the mark that says whose the store is."""
        return {info.key async for info in self.store.list("")} - {CATALOG_ID}

    async def contents(self) -> dict[str, bytes]:
        """Return the bytes of every media by its file name."""
        return {
            media.filename: await get(self.store, media.object_key) for media in await self.medias()
        }

    async def wait(self, transfer: Transfer, condition: Any, *, seconds: float = 20) -> Transfer:
        """Return a transfer as soon as it fulfils a condition."""
        async with asyncio.timeout(seconds):
            while not condition(found := await self.find(transfer)):
                await asyncio.sleep(0.02)
        return found
