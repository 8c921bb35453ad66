"""Rows of the buckets that syncs write to."""

from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects.postgresql import insert

from mediatheque.catalog.database import Transaction
from mediatheque.catalog.tables import sync_buckets
from mediatheque.domain.syncs import SyncBucket


async def claim(transaction: Transaction, location: str, name: str) -> SyncBucket:
    """Return what is known of a bucket; a row of its own begins with the first claim.

    ``location`` is the address of its store, empty for the configured one.
    """
    # One that another transaction is just inserting is waited for, and found by the query.
    await transaction.execute(
        insert(sync_buckets)
        .values(location=location, name=name)
        .on_conflict_do_nothing(index_elements=[sync_buckets.c.location, sync_buckets.c.name])
    )
    query = select(sync_buckets).where(
        sync_buckets.c.location == location, sync_buckets.c.name == name
    )
    return _bucket((await transaction.execute(query)).one())


async def find(transaction: Transaction, bucket_id: int) -> SyncBucket | None:
    """Return what is known of a bucket."""
    query = select(sync_buckets).where(sync_buckets.c.id == bucket_id)
    row = (await transaction.execute(query)).one_or_none()
    return None if row is None else _bucket(row)


async def change(transaction: Transaction, bucket_id: int, **values: Any) -> None:
    """Set columns of a bucket."""
    await transaction.execute(
        update(sync_buckets).where(sync_buckets.c.id == bucket_id).values(**values)
    )


async def add_backup_prefix(transaction: Transaction, bucket_id: int, prefix: str) -> None:
    """Keep what lies below ``prefix``, which ends with a slash, out of the mirror for ever."""
    prefixes = sync_buckets.c.backup_prefixes
    await transaction.execute(
        update(sync_buckets)
        .where(sync_buckets.c.id == bucket_id, ~prefixes.contains([prefix]))
        .values(backup_prefixes=func.array_append(prefixes, prefix))
    )


def _bucket(row: Row[Any]) -> SyncBucket:
    values = row._mapping  # noqa: SLF001 - the documented name of a row's mapping
    return SyncBucket(**{**values, "backup_prefixes": tuple(values["backup_prefixes"])})
