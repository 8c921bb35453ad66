"""Job workers, each a process of its own, on a database that is theirs."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from mediatheque.catalog.database import Database
from mediatheque.catalog.embedded import EmbeddedPostgres
from mediatheque.catalog.schema import migrate
from mediatheque.domain.access import LOCAL_OPERATOR
from mediatheque.domain.jobs import Job, Signal
from mediatheque.engine import queue
from mediatheque.services.jobs import JobService
from tests.bench.job_worker import QUEUE
from tests.bench.outcome import BenchError
from tests.bench.probe import family
from tests.bench.server import environment, is_database

_READY = "worker started"
_START_SECONDS = 60
_STOP_SECONDS = 60
_CONNECTIONS = 10


class Engine:
    """The job engine as a process that enqueues sees it; workers are started beside it."""

    def __init__(self, directory: Path, url: str, jobs: JobService) -> None:
        self._directory = directory
        self._url = url
        self._jobs = jobs
        self._started = 0

    async def enqueue(self, job_class: str) -> Job:
        """Enqueue a job of a class that the workers know."""
        return await self._jobs.enqueue(
            LOCAL_OPERATOR, job_class=job_class, queue=QUEUE, arguments={}
        )

    async def cancel(self, job: Job) -> None:
        """Ask a running job to end."""
        await self._jobs.signal(LOCAL_OPERATOR, str(job.id), Signal.CANCEL)

    async def fetch(self, query: str, *values: Any) -> list[Any]:
        """Return the rows of a query on the engine's database."""
        connection = await asyncpg.connect(self._url)
        try:
            return list(await connection.fetch(query, *values))
        finally:
            await connection.close()

    def database_processes(self) -> list[psutil.Process]:
        """Return the processes of the database."""
        return [process for process in family(psutil.Process()) if is_database(process)]

    @contextmanager
    def worker(self) -> Iterator[psutil.Popen]:
        """Run a worker with default settings for the length of a block, unless it is killed.

        :raises BenchError: it does not start, or does not stop when it is told to.
        """
        self._started += 1
        log = self._directory / f"worker-{self._started}.log"
        settings = {"MEDIATHEQUE_DATABASE_URL": self._url, "MEDIATHEQUE_SECRET_KEY": "b" * 32}
        with log.open("wb") as output:
            worker = psutil.Popen(
                [sys.executable, "-m", "tests.bench.job_worker"],
                env=environment(self._directory / "data", settings),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            deadline = time.monotonic() + _START_SECONDS
            while _READY not in log.read_text():
                if worker.poll() is not None or time.monotonic() > deadline:
                    raise BenchError(f"The job worker did not start: {log.read_text()[-3000:]}")
                time.sleep(0.05)
            yield worker
        finally:
            _stop(worker)


@asynccontextmanager
async def engine(directory: Path) -> AsyncIterator[Engine]:
    """Run a database with nothing in it but the schema for the length of a block."""
    directory.mkdir(parents=True)
    server = EmbeddedPostgres(directory)
    await asyncio.to_thread(server.start)
    database = Database(server.url, connections=_CONNECTIONS)
    try:
        await migrate(server.url, queue.install)
        yield Engine(directory, server.url, JobService(database))
    finally:
        await database.close()
        await asyncio.to_thread(server.stop)


def _stop(worker: psutil.Popen) -> None:
    if worker.poll() is not None:
        return
    worker.terminate()
    try:
        worker.wait(_STOP_SECONDS)
    except psutil.TimeoutExpired:
        worker.kill()
        raise BenchError(f"The job worker did not stop within {_STOP_SECONDS} s.") from None
