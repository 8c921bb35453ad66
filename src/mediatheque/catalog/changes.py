"""Finding out that medias changed, without a word from those who change them.

What was added or changed shows by its time; whatever removes medias says so, by a trigger.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import func, select

from mediatheque.catalog.database import Transaction
from mediatheque.catalog.tables import medias

REMOVED_CHANNEL = "mediatheque_medias_removed"

_OVERLAP = timedelta(seconds=30)
"""How late a change may become visible after the time it bears, and clocks may differ."""


@dataclass(frozen=True, slots=True)
class Recent:
    """The medias that bear a time from ``since`` on: their number, and the sum of their times."""

    since: datetime
    number: int
    total: Decimal | None


async def recent(connection: Transaction, before: Recent | None) -> tuple[Recent, bool]:
    """Return which medias changed lately, and whether they are others than ``before`` told of.

    Without ``before`` nobody knows, and they count as others.
    """
    since = func.now() - _OVERLAP if before is None else before.since
    age = func.extract("epoch", medias.c.updated_at)
    later = medias.c.updated_at >= func.now() - _OVERLAP
    query = select(
        (func.now() - _OVERLAP).label("since"),
        func.count().filter(later).label("number"),
        func.sum(age).filter(later).label("total"),
        func.count().label("number_before"),
        func.sum(age).label("total_before"),
    ).where(medias.c.updated_at >= since)
    row = (await connection.execute(query)).one()
    found = Recent(row.since, row.number, row.total)
    if before is None:
        return found, True
    return found, (before.number, before.total) != (row.number_before, row.total_before)
