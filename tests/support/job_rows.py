"""Jobs of a running service, put straight into its database; nobody runs their class."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg
import pytest

from mediatheque.catalog.database import Database
from mediatheque.catalog.embedded import EmbeddedPostgres
from mediatheque.domain.access import LOCAL_OPERATOR
from mediatheque.domain.jobs import Job
from mediatheque.services.jobs import JobService
from tests.support.database import execute
from tests.support.medias import fresh
from tests.support.service import Service

T = TypeVar("T")
QUEUE = "nobody"
"""A queue that no worker of a service takes from."""

ATTRIBUTES = {
    "job_class",
    "arguments",
    "priority",
    "status",
    "progress",
    "retry_count",
    "error",
    "unicity",
    "scheduled_at",
    "created_at",
    "updated_at",
    "started_at",
    "finished_at",
}

# Some values are equal, some null, and some mean something to SQL or to LIKE.
ROWS: list[dict[str, Any]] = [
    {"priority": 0, "status": "pending", "unicity": "key-1"},
    {"priority": 5, "status": "pending", "scheduled_at": "2030-01-01T00:00:00+00"},
    {"priority": 5, "status": "running", "progress": 0.25, "unicity": "100%"},
    {"priority": -5, "status": "paused", "progress": 0.5, "unicity": "a_b"},
    {"priority": 0, "status": "completed", "progress": 1.0, "created_at": "2025-06-01T12:00:00+00"},
    {"priority": 0, "status": "completed", "progress": 1.0, "updated_at": "2025-06-02T12:00:00+00"},
    {"priority": 0, "status": "errored", "retry_count": 5, "error": "The store does not answer."},
    {"priority": 9, "status": "errored", "retry_count": 1, "error": "it's; DROP TABLE jobs --"},
    {"priority": 0, "status": "cancelled", "error": "", "scheduled_at": "2030-01-01T00:00:00+00"},
    {"priority": 0, "status": "cancelled", "scheduled_at": "2031-01-01T00:00:00+00"},
]
_TIMES = {"scheduled_at", "created_at", "updated_at"}


def database_url(service: Service) -> str:
    """Return the URL of the database that a service embeds."""
    return EmbeddedPostgres(service.data_dir).url


def with_jobs(service: Service, use: Callable[[JobService], Awaitable[T]]) -> T:
    """Return what ``use`` returns when it is given the jobs of a service."""

    async def run() -> T:
        database = Database(database_url(service), connections=2)
        try:
            return await use(JobService(database))
        finally:
            await database.close()

    return asyncio.run(run())


def enqueue(service: Service, job_class: str | None = None, **options: Any) -> Job:
    """Add a job to a service."""
    values = {"queue": QUEUE, "arguments": {}, **options}
    return with_jobs(
        service,
        lambda jobs: jobs.enqueue(LOCAL_OPERATOR, job_class=job_class or fresh(), **values),
    )


def sql(service: Service, statement: str, *values: Any) -> None:
    """Run one statement on the database of a service."""
    asyncio.run(execute(database_url(service), statement, *values))


@pytest.fixture(scope="session")
def job_classes(local_service: Service) -> tuple[str, str]:
    """Two classes of which ``ROWS`` are the only jobs, in turn."""
    classes = (f"{fresh()}-a", f"{fresh()}-b")

    async def fill() -> None:
        connection = await asyncpg.connect(database_url(local_service))
        database = Database(database_url(local_service), connections=1)
        jobs = JobService(database)
        try:
            for number, values in enumerate(ROWS):
                job = await jobs.enqueue(
                    LOCAL_OPERATOR,
                    job_class=classes[number % 2],
                    queue=QUEUE,
                    arguments={"number": number, "nested": {"list": [1, None, "ä"]}},
                )
                for name, value in values.items():
                    text = f"'{value}'::timestamptz" if name in _TIMES else "$2"
                    given = () if name in _TIMES else (value,)
                    await connection.execute(
                        f"UPDATE jobs SET {name} = {text} WHERE id = $1", job.id, *given
                    )
        finally:
            await connection.close()
            await database.close()

    asyncio.run(fill())
    return classes
