"""Entries of the queue: each says that one job wants to be run, and nothing else."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence import qb
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain import models
from pgqueuer.domain.settings import DBSettings
from pgqueuer.domain.types import JOB_STATUS, Channel, QueueManagerId
from pgqueuer.ports.driver import Driver

# Everything is said here: the library would read its own environment variables otherwise.
SETTINGS = DBSettings(
    prefix="", db_schema=None, channel=Channel("mediatheque_queue"), queue_table="pgqueuer"
)


class QueueQueries(Queries):
    """The library's statements, with the one change that a stopped worker needs.

    A worker that was presumed dead and goes on later still thinks that its entries are its own.
    Entries that another worker took over must not vanish under that one's feet.
    """

    owner: QueueManagerId | None = None

    async def log_jobs(
        self,
        job_status: list[tuple[models.Job, JOB_STATUS, models.TracebackRecord | None]],
    ) -> None:
        """Remove the entries of jobs that were handled, as far as they are still this worker's.

        Whatever was not handled to the end keeps its entry and is taken over.
        """
        handled = [job.id for job, status, _ in job_status if status == "successful"]
        await self.driver.execute(
            f"DELETE FROM {SETTINGS.queue_table} "  # noqa: S608 - a constant
            "WHERE id = ANY($1::bigint[]) AND queue_manager_id = $2",
            handled,
            self.owner,
        )

    async def clear_log(self) -> None:
        """Remove what the library logs of every entry: the jobs' own history says it all."""
        await self.driver.execute(f"DELETE FROM {SETTINGS.queue_table_log}")  # noqa: S608


def queries(driver: Driver) -> QueueQueries:
    """Return the library's statements on a driver, with our names for its tables."""
    return QueueQueries(
        driver,
        qbe=qb.QueryBuilderEnvironment(SETTINGS),
        qbq=qb.QueryQueueBuilder(SETTINGS),
        qbs=qb.QuerySchedulerBuilder(SETTINGS),
    )


async def enqueue(
    connection: Any, *, queue: str, job_id: UUID, priority: int = 0, delay: float = 0
) -> int:
    """Add an entry in the transaction of ``connection`` (asyncpg's) and return its number.

    ``delay`` in seconds from now; higher ``priority`` first.
    """
    ids: Sequence[int] = await queries(AsyncpgDriver(connection)).enqueue(
        queue, job_id.bytes, priority, timedelta(seconds=delay)
    )
    return ids[0]


async def install(connection: Any) -> None:
    """Make the queue's tables on ``connection`` (asyncpg's), or bring them up to date.

    One process at a time: the caller holds the lock of the schema.
    """
    statements = queries(AsyncpgDriver(connection))
    if await statements.schema_is_installed():
        await statements.apply_upgrade()
    else:
        await statements.install()
