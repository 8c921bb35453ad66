"""Rows of workers: who runs jobs, and when each last gave a sign of life."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from mediatheque.catalog.database import Transaction
from mediatheque.catalog.tables import job_events, jobs, workers
from mediatheque.domain.jobs import EventKind, JobStatus
from mediatheque.domain.workers import Worker


async def beat(
    transaction: Transaction, worker_id: UUID, name: str, *, warning: str | None
) -> None:
    """Record that a worker is alive now, by the database's clock."""
    query = insert(workers).values(id=worker_id, name=name, warning=warning)
    await transaction.execute(
        query.on_conflict_do_update(index_elements=[workers.c.id], set_={"seen_at": func.now()})
    )


async def remove(transaction: Transaction, worker_id: UUID) -> None:
    """Forget a worker that ended."""
    await transaction.execute(delete(workers).where(workers.c.id == worker_id))


async def remove_silent(transaction: Transaction, *, seconds: float) -> None:
    """Forget the workers that gave no sign of life for so long."""
    silent = workers.c.seen_at < func.now() - timedelta(seconds=seconds)
    await transaction.execute(delete(workers).where(silent))


async def alive(transaction: Transaction, *, seconds: float) -> list[tuple[str, str | None]]:
    """Return name and warning of the workers that were alive in the last ``seconds``."""
    recently = workers.c.seen_at >= func.now() - timedelta(seconds=seconds)
    query = select(workers.c.name, workers.c.warning).where(recently).order_by(workers.c.name)
    return [(name, warning) for name, warning in await transaction.execute(query)]


async def standing(transaction: Transaction, *, seconds: float) -> list[Worker]:
    """Return the workers that were alive in the last ``seconds``, by name."""
    begun = (
        select(job_events.c.actor)
        .where(
            job_events.c.job_id == jobs.c.id,
            job_events.c.kind.in_((EventKind.STARTED, EventKind.TAKEN_OVER)),
        )
        .order_by(job_events.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    holders = select(begun.label("name")).where(jobs.c.status == JobStatus.RUNNING).subquery()
    running = (
        select(func.count())
        .select_from(holders)
        .where(holders.c.name == workers.c.name)
        .scalar_subquery()
    )
    query = (
        select(workers, running.label("running"))
        .where(workers.c.seen_at >= func.now() - timedelta(seconds=seconds))
        .order_by(workers.c.name, workers.c.id)
    )
    return [Worker(**row) for row in (await transaction.execute(query)).mappings()]
