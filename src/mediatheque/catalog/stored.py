"""What the catalog holds, in sums."""

from collections import defaultdict
from datetime import date

from sqlalchemy import Date, cast, func, select, true

from mediatheque.catalog.database import Transaction
from mediatheque.catalog.tables import medias
from mediatheque.domain.library import Amount, LibraryKind, library_kind


async def amounts(
    connection: Transaction, *, owner: str | None
) -> dict[tuple[date, LibraryKind], Amount]:
    """Return what came of each kind on each day (UTC), earliest first. Reads every row: rarely."""
    day = cast(func.timezone("UTC", medias.c.created_at), Date).label("day")
    main_type = func.split_part(medias.c.mime_type, "/", 1).label("main_type")
    query = (
        select(day, main_type, func.count().label("number"), func.sum(medias.c.size).label("bytes"))
        .where(true() if owner is None else medias.c.created_by == owner)
        .group_by("day", "main_type")
        .order_by("day", "main_type")
    )
    found: dict[tuple[date, LibraryKind], Amount] = defaultdict(Amount)
    for row in await connection.execute(query):
        found[row.day, library_kind(row.main_type)] += Amount(row.number, int(row.bytes))
    return found
