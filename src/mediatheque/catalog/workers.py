"""Rows of workers: who runs jobs, and when each last gave a sign of life."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from mediatheque.catalog.database import Transaction
from mediatheque.catalog.tables import workers


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
