"""Rows of workers: who runs jobs, and when each last gave a sign of life."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from mediatheque.catalog.database import Transaction
from mediatheque.catalog.tables import workers


async def beat(transaction: Transaction, worker_id: UUID, name: str) -> None:
    """Record that a worker is alive now, by the database's clock."""
    query = insert(workers).values(id=worker_id, name=name)
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


async def count_alive(transaction: Transaction, *, seconds: float) -> int:
    """Return how many workers gave a sign of life in the last ``seconds``."""
    alive = workers.c.seen_at >= func.now() - timedelta(seconds=seconds)
    return int(await transaction.scalar(select(func.count()).where(alive)) or 0)
