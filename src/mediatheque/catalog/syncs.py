"""Rows of syncs, read together with the job and the bucket of each."""

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Row, Select, insert, select, true, update

from mediatheque.catalog.database import Transaction
from mediatheque.catalog.tables import LIVE_JOBS, jobs, sync_buckets, syncs
from mediatheque.domain.jobs import JobStatus
from mediatheque.domain.syncs import Phase, Plan, Sync, SyncOptions, Tally

MAX_NUMBER = 2**63 - 1
"""Highest number of a sync or a schedule."""

_COUNTS = {"files": "done_files", "bytes": "done_bytes", "failed": "failed"}

# Without the credentials: these are read by themselves, where they are needed.
_SYNC: Select[Any] = (
    select(
        *(kind for kind in syncs.c if kind.name != "credentials"),
        sync_buckets.c.location,
        sync_buckets.c.name.label("bucket"),
        jobs.c.status.label("job_status"),
        jobs.c.error,
        jobs.c.created_at,
        jobs.c.started_at,
        jobs.c.finished_at,
    )
    .join(jobs, jobs.c.id == syncs.c.id)
    .join(sync_buckets, sync_buckets.c.id == syncs.c.bucket_id)
)


async def add(transaction: Transaction, *, options: SyncOptions, **values: Any) -> int:
    """Insert a sync whose job the transaction has inserted, and return its number."""
    query = (
        insert(syncs)
        .values(phase=Phase.PLANNING, options=msgspec.to_builtins(options), **values)
        .returning(syncs.c.number)
    )
    number: int = (await transaction.execute(query)).scalar_one()
    return number


async def find(transaction: Transaction, number: int, *, owner: str | None) -> Sync | None:
    """Return a sync by its number, any at all, that ``owner`` (None: anybody) may see."""
    if abs(number) > MAX_NUMBER:
        return None
    query = _SYNC.where(syncs.c.number == number, _owned(owner))
    return _one(await transaction.execute(query))


async def find_by_id(transaction: Transaction, sync_id: UUID) -> Sync | None:
    """Return a sync by the id of its job."""
    return _one(await transaction.execute(_SYNC.where(syncs.c.id == sync_id)))


async def running(transaction: Transaction, *, owner: str | None) -> list[Sync]:
    """Return the syncs that have not ended, oldest first."""
    query = _SYNC.where(LIVE_JOBS, _owned(owner)).order_by(syncs.c.number)
    return [_sync(row) for row in await transaction.execute(query)]


async def history(
    transaction: Transaction, *, owner: str | None, after: int | None, limit: int
) -> list[Sync]:
    """Return syncs that have ended or not, newest first: those that were started before ``after``.

    ``after`` is the number of a sync; None: from the newest on.
    """
    query = _SYNC.where(_owned(owner)).order_by(syncs.c.number.desc()).limit(limit)
    if after is not None:
        query = query.where(syncs.c.number < after)
    return [_sync(row) for row in await transaction.execute(query)]


async def change(transaction: Transaction, sync_id: UUID, **values: Any) -> None:
    """Set columns of a sync; ``plan`` as a ``Plan``."""
    if "plan" in values:
        values["plan"] = msgspec.to_builtins(values["plan"])
    await transaction.execute(update(syncs).where(syncs.c.id == sync_id).values(**values))


async def count(transaction: Transaction, sync_id: UUID, **added: int) -> None:
    """Add ``files``, ``bytes`` and ``failed``, together with the change of what they count."""
    values = {_COUNTS[name]: syncs.c[_COUNTS[name]] + number for name, number in added.items()}
    await transaction.execute(update(syncs).where(syncs.c.id == sync_id).values(values))


async def credentials(transaction: Transaction, sync_id: UUID) -> bytes | None:
    """Return the sealed keys of a sync's store; None when it was given none, or has ended."""
    sealed: bytes | None = await transaction.scalar(
        select(syncs.c.credentials).where(syncs.c.id == sync_id)
    )
    return sealed


def _owned(owner: str | None) -> ColumnElement[bool]:
    return true() if owner is None else jobs.c.created_by == owner


def _one(rows: Any) -> Sync | None:
    row = rows.one_or_none()
    return None if row is None else _sync(row)


def _sync(row: Row[Any]) -> Sync:
    values = dict(row._mapping)  # noqa: SLF001 - the documented name of a row's mapping
    values["options"] = msgspec.convert(values["options"], SyncOptions)
    values["plan"] = msgspec.convert(values["plan"], Plan | None)
    values["phase"] = Phase(values["phase"])
    values["job_status"] = JobStatus(values["job_status"])
    values["done"] = Tally(values.pop("done_files"), values.pop("done_bytes"))
    return Sync(**values)
