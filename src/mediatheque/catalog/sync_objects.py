"""Rows of the objects in buckets that syncs write to."""

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    LargeBinary,
    any_,
    bindparam,
    delete,
    literal,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from mediatheque.catalog.database import Transaction
from mediatheque.catalog.given_rows import given_rows
from mediatheque.catalog.tables import sync_objects
from mediatheque.domain.sync_plan import Remembered

_MOST_ALIKE = 100
_MOST_MOVED = 10_000

_COLUMNS = tuple(sync_objects.c[name] for name in Remembered._fields)
# Built once: it is read for every file of every sync.
_PAGE = (
    select(*_COLUMNS)
    .where(
        sync_objects.c.bucket_id == bindparam("bucket_id"), sync_objects.c.key > bindparam("after")
    )
    .order_by(sync_objects.c.key)
    .limit(bindparam("limit"))
)


async def page(
    transaction: Transaction, bucket_id: int, after: bytes | None, limit: int
) -> list[Remembered]:
    """Return objects by the bytes of their keys, from the one after ``after``."""
    # No key is empty, so all come after the empty one.
    values = {"bucket_id": bucket_id, "after": after or b"", "limit": limit}
    return [Remembered._make(row) for row in await transaction.execute(_PAGE, values)]


async def find(transaction: Transaction, bucket_id: int, keys: Sequence[bytes]) -> list[Remembered]:
    """Return what is remembered of these keys."""
    query = select(*_COLUMNS).where(
        sync_objects.c.bucket_id == bucket_id,
        sync_objects.c.key == any_(literal(list(keys), ARRAY(LargeBinary()))),
    )
    return [Remembered._make(row) for row in await transaction.execute(query)]


async def save(transaction: Transaction, bucket_id: int, objects: Sequence[Remembered]) -> None:
    """Remember objects, no key twice, instead of what was known of their keys."""
    if not objects:
        return
    values = zip(*objects, strict=True)
    rows = given_rows(
        **{kind.name: (kind.type, given) for kind, given in zip(_COLUMNS, values, strict=True)}
    )
    query = insert(sync_objects).from_select(
        ["bucket_id", *Remembered._fields], select(literal(bucket_id, BigInteger()), *rows.c)
    )
    await transaction.execute(
        query.on_conflict_do_update(
            index_elements=[sync_objects.c.bucket_id, sync_objects.c.key],
            set_={name: query.excluded[name] for name in Remembered._fields if name != "key"},
        )
    )


async def forget(transaction: Transaction, bucket_id: int, keys: Sequence[bytes]) -> None:
    """Forget the objects of these keys."""
    await transaction.execute(
        delete(sync_objects).where(
            sync_objects.c.bucket_id == bucket_id,
            sync_objects.c.key == any_(literal(list(keys), ARRAY(LargeBinary()))),
        )
    )


async def forget_all(transaction: Transaction, bucket_id: int) -> None:
    """Forget every object of a bucket."""
    await transaction.execute(delete(sync_objects).where(sync_objects.c.bucket_id == bucket_id))


async def moved(
    transaction: Transaction, bucket_id: int, looks: Sequence[tuple[int, int]]
) -> list[Remembered]:
    """Return objects whose file had one of these pairs of a size and an ``mtime_ns``.

    Not all when there are many: at most 100 of each pair, and 10,000 of all together.
    """
    sizes, times = zip(*set(looks), strict=True) if looks else ((), ())
    kind = BigInteger()
    wanted = given_rows(size=(kind, sizes), mtime_ns=(kind, times))
    alike = (
        select(*_COLUMNS)
        .where(
            sync_objects.c.bucket_id == bucket_id,
            sync_objects.c.size == wanted.c.size,
            sync_objects.c.mtime_ns == wanted.c.mtime_ns,
        )
        .limit(_MOST_ALIKE)
        .lateral()
    )
    query = select(alike).select_from(wanted.join(alike, true())).limit(_MOST_MOVED)
    return [Remembered._make(row) for row in await transaction.execute(query)]


async def exist(transaction: Transaction, bucket_id: int) -> bool:
    """Tell whether anything is remembered of a bucket."""
    query = select(select(_COLUMNS[0]).where(sync_objects.c.bucket_id == bucket_id).exists())
    return bool(await transaction.scalar(query))
