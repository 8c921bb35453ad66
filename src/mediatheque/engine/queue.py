"""Entries of the queue: each says that one job wants to be run, and nothing else."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence import qb
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain import models
from pgqueuer.domain.settings import DBSettings, Durability
from pgqueuer.domain.types import JOB_STATUS, Channel
from pgqueuer.ports.driver import Driver

# Everything is said here: the library would read its own environment variables otherwise, and make
# tables that forget everything when the database crashes.
SETTINGS = DBSettings(
    prefix="",
    db_schema=None,
    channel=Channel("mediatheque_queue"),
    function="fn_pgqueuer_changed",
    statistics_table="pgqueuer_statistics",
    queue_status_type="pgqueuer_status",
    queue_table="pgqueuer",
    queue_table_log="pgqueuer_log",
    trigger="tg_pgqueuer_changed",
    schedules_table="pgqueuer_schedules",
    durability=Durability.durable,
    widen_id=True,
)


class QueueQueries(Queries):
    """The library's statements, with the one change that a stopped worker needs.

    A worker that was presumed dead and goes on later still thinks that its entries are its own.
    Entries that were picked again since must not vanish under the feet of who has them now, be it
    another worker or a later run in the same one.
    """

    async def log_jobs(
        self,
        job_status: list[tuple[models.Job, JOB_STATUS, models.TracebackRecord | None]],
    ) -> None:
        """Remove the entries of jobs that were handled, as far as nobody picked them since.

        Whatever was not handled to the end keeps its entry and is taken over.
        """
        handled = [job for job, status, _ in job_status if status == "successful"]
        await self.driver.execute(
            f"DELETE FROM {SETTINGS.queue_table} "  # noqa: S608 - a constant
            # Every pick sets it, heartbeats do not.
            "WHERE (id, updated) IN (SELECT * FROM unnest($1::bigint[], $2::timestamptz[]))",
            [job.id for job in handled],
            [job.updated for job in handled],
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


async def withdraw(connection: Any, entry: int) -> None:
    """Remove an entry in the transaction of ``connection`` (asyncpg's), unless it was picked."""
    await connection.execute(
        f"DELETE FROM {SETTINGS.queue_table} WHERE id = $1 AND status = 'queued'",  # noqa: S608
        entry,
    )


async def install(connection: Any) -> None:
    """Make the queue's tables on ``connection`` (asyncpg's), or bring them up to date.

    One process at a time: the caller holds the lock of the schema.
    """
    statements = queries(AsyncpgDriver(connection))
    if await statements.schema_is_installed():
        await statements.apply_upgrade()
    else:
        await statements.install()
