"""Rows of schedules of syncs, read together with the bucket of each."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, Select, delete, insert, select, true, update

from mediatheque.catalog.database import Transaction
from mediatheque.catalog.syncs import MAX_NUMBER
from mediatheque.catalog.tables import sync_buckets, sync_schedules
from mediatheque.domain.syncs import SyncOptions, SyncSchedule

# Without the credentials: these are read by themselves, where they are needed.
_SCHEDULE: Select[Any] = select(
    *(kind for kind in sync_schedules.c if kind.name != "credentials"),
    sync_buckets.c.location,
    sync_buckets.c.name.label("bucket"),
).join(sync_buckets, sync_buckets.c.id == sync_schedules.c.bucket_id)


async def add(transaction: Transaction, *, options: SyncOptions, **values: Any) -> int:
    """Insert a schedule and return its number."""
    query = (
        insert(sync_schedules)
        .values(options=msgspec.to_builtins(options), **values)
        .returning(sync_schedules.c.number)
    )
    number: int = (await transaction.execute(query)).scalar_one()
    return number


async def page(transaction: Transaction, *, owner: str | None) -> list[SyncSchedule]:
    """Return all schedules that ``owner`` (None: anybody) may see, oldest first."""
    query = _SCHEDULE.where(_owned(owner)).order_by(sync_schedules.c.number)
    return [_schedule(row) for row in await transaction.execute(query)]


async def find(transaction: Transaction, number: int, *, owner: str | None) -> SyncSchedule | None:
    """Return a schedule by its number, any at all, that ``owner`` may see."""
    if abs(number) > MAX_NUMBER:
        return None
    query = _SCHEDULE.where(sync_schedules.c.number == number, _owned(owner))
    row = (await transaction.execute(query)).one_or_none()
    return None if row is None else _schedule(row)


async def remove(transaction: Transaction, number: int, *, owner: str | None) -> bool:
    """Delete a schedule, with its keys; False when there is none that ``owner`` may see."""
    if abs(number) > MAX_NUMBER:
        return False
    query = (
        delete(sync_schedules)
        .where(sync_schedules.c.number == number, _owned(owner))
        .returning(sync_schedules.c.number)
    )
    return await transaction.scalar(query) is not None


async def due(transaction: Transaction, now: datetime, limit: int) -> list[SyncSchedule]:
    """Return schedules that are due, and keep them from others until the transaction ends.

    Those that another transaction has are left out.
    """
    query = (
        _SCHEDULE.where(sync_schedules.c.next_at <= now)
        .order_by(sync_schedules.c.next_at)
        .limit(limit)
        .with_for_update(of=sync_schedules, skip_locked=True)
    )
    return [_schedule(row) for row in await transaction.execute(query)]


async def change(transaction: Transaction, number: int, **values: Any) -> None:
    """Set columns of a schedule."""
    await transaction.execute(
        update(sync_schedules).where(sync_schedules.c.number == number).values(**values)
    )


async def credentials(transaction: Transaction, number: int) -> bytes | None:
    """Return the sealed keys of a schedule's store; None when it was given none."""
    sealed: bytes | None = await transaction.scalar(
        select(sync_schedules.c.credentials).where(sync_schedules.c.number == number)
    )
    return sealed


def _owned(owner: str | None) -> ColumnElement[bool]:
    return true() if owner is None else sync_schedules.c.created_by == owner


def _schedule(row: Row[Any]) -> SyncSchedule:
    values = dict(row._mapping)  # noqa: SLF001 - the documented name of a row's mapping
    values["options"] = msgspec.convert(values["options"], SyncOptions)
    return SyncSchedule(**values)
