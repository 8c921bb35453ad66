"""Jobs on a database server of their own, run by worker processes that can be hurt."""

import asyncio
import contextlib
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil

from mediatheque.catalog.database import Database
from mediatheque.catalog.embedded import EmbeddedPostgres
from mediatheque.domain.access import LOCAL_OPERATOR
from mediatheque.domain.errors import UnavailableError
from mediatheque.domain.jobs import EventKind, Job, JobEvent
from mediatheque.services.jobs import JobService
from tests.support.database import execute, fetch
from tests.support.forking import fork
from tests.support.job_worker import EFFECTS
from tests.support.prepared import put_database
from tests.support.service import environment

_READY = b"worker started"


class WorkerProcess:
    """One worker with the workflows of tests."""

    def __init__(self, log: Path, variables: dict[str, str]) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = fork(
                "tests.support.job_worker",
                variables=variables,
                stdout=output.fileno(),
                stderr=output.fileno(),
            )

    @property
    def pid(self) -> int:
        """Its process id, which its effects carry."""
        return self.process.pid

    def wait_until_ready(self) -> "WorkerProcess":
        """Return once it takes jobs."""
        deadline = time.monotonic() + 60
        while _READY not in self.log.read_bytes():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)
        return self

    def send(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def end(self, number: int = signal.SIGKILL) -> int:
        """End it and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(number)
        return self.process.wait(60)


@dataclass
class Fleet:
    """A database server, its jobs, and the workers that run them."""

    server: EmbeddedPostgres
    database: Database
    jobs: JobService
    folder: Path
    lease: int
    workers: list[WorkerProcess] = field(default_factory=list)

    def start_worker(self) -> WorkerProcess:
        """Start one more worker, without waiting for it."""
        variables = environment(
            self.folder / "data",
            {
                "MEDIATHEQUE_DATABASE_URL": self.server.url,
                "MEDIATHEQUE_SECRET_KEY": "s" * 32,
                "MEDIATHEQUE_JOB_LEASE": str(self.lease),
                "MEDIATHEQUE_SHUTDOWN_TIMEOUT": "10",
            },
        )
        worker = WorkerProcess(self.folder / f"worker-{len(self.workers)}.log", variables)
        self.workers.append(worker)
        return worker

    def start_workers(self, count: int) -> list[WorkerProcess]:
        """Start workers and wait until they take jobs."""
        started = [self.start_worker() for _ in range(count)]
        return [worker.wait_until_ready() for worker in started]

    async def enqueue(self, job_class: str, *, queue: str = "free", **options: Any) -> Job:
        """Enqueue a job; what is not an option of the queue is an argument of the workflow."""
        known = {"priority", "unicity", "delay"}
        chosen = {name: options.pop(name) for name in known & set(options)}
        return await self.jobs.enqueue(
            LOCAL_OPERATOR,
            job_class=job_class,
            queue=queue,
            arguments={**options, "queue": queue},
            **chosen,
        )

    async def find(self, job: Job) -> Job:
        """Return a job as it stands now."""
        return await self.jobs.find(LOCAL_OPERATOR, str(job.id))

    async def wait(self, job: Job, until: Callable[[Job], bool], *, seconds: float = 30) -> Job:
        """Return a job as soon as it fulfils a condition; the database may be away meanwhile."""
        async with asyncio.timeout(seconds):
            while True:
                with contextlib.suppress(UnavailableError):
                    if until(found := await self.find(job)):
                        return found
                await asyncio.sleep(0.02)

    async def wait_for_end(self, job: Job, *, seconds: float = 30) -> Job:
        """Return a job once it is no more live."""
        return await self.wait(job, lambda found: not found.status.live, seconds=seconds)

    async def events(self, job: Job) -> list[JobEvent]:
        """Return the history of a job."""
        return await self.jobs.events(LOCAL_OPERATOR, 0, job_ids=[job.id], limit=1000)

    async def kinds(self, job: Job) -> list[EventKind]:
        """Return what happened to a job, in order."""
        return [event.kind for event in await self.events(job)]

    async def effects(self, jobs: Iterable[Job] | None = None) -> list[tuple[UUID, int, str, int]]:
        """Return what workflows wrote: job, epoch, what, process."""
        wanted = None if jobs is None else {job.id for job in jobs}
        rows = await fetch(self.server.url, "SELECT * FROM effects ORDER BY at")
        return [
            (row["job_id"], row["epoch"], row["what"], row["worker"])
            for row in rows
            if wanted is None or row["job_id"] in wanted
        ]

    def crash_database(self) -> None:
        """Kill the database server without warning; it is started again by itself."""
        postmaster = self.server._server
        assert postmaster is not None
        main = psutil.Process(postmaster.pid)
        main.send_signal(signal.SIGQUIT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            postmaster.wait(10)

    def end_workers(self) -> None:
        """Kill every worker that still runs."""
        for worker in self.workers:
            worker.end()


@contextlib.asynccontextmanager
async def fleet(folder: Path, *, lease: int) -> AsyncIterator[Fleet]:
    """Run a database server with the job tables; its workers end with the block."""
    await asyncio.to_thread(put_database, folder)
    server = EmbeddedPostgres(folder)
    await asyncio.to_thread(server.start)
    database = Database(server.url, connections=5)
    running = Fleet(server, database, JobService(database), folder, lease)
    try:
        await execute(server.url, EFFECTS)
        yield running
    finally:
        running.end_workers()
        await database.close()
        await asyncio.to_thread(server.stop)
