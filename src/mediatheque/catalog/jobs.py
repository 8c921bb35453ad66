"""Rows of jobs.

Whatever a worker writes names the epoch of its claim: a worker that was presumed dead and replaced
changes nothing any more.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, case, delete, func, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from mediatheque.catalog import listing as pages
from mediatheque.catalog.database import Transaction
from mediatheque.catalog.tables import LIVE_JOBS, jobs
from mediatheque.domain.jobs import Job, JobStatus, Signal
from mediatheque.domain.paging import Filter, Listing


async def add(transaction: Transaction, **values: Any) -> Job | None:
    """Insert a pending job; None when a live one has its unicity key."""
    query = (
        insert(jobs)
        .values(status=JobStatus.PENDING, **values)
        .on_conflict_do_nothing(index_elements=[jobs.c.unicity], index_where=LIVE_JOBS)
        .returning(jobs)
    )
    return _one(await transaction.execute(query))


async def find_live(transaction: Transaction, unicity: str) -> Job | None:
    """Return the live job that holds a unicity key."""
    return _one(await transaction.execute(select(jobs).where(jobs.c.unicity == unicity, LIVE_JOBS)))


async def find(transaction: Transaction, job_id: UUID, *, owner: str | None) -> Job | None:
    """Return a job that ``owner`` (None: anybody) may see."""
    return _one(await transaction.execute(select(jobs).where(jobs.c.id == job_id, _owned(owner))))


async def lock(transaction: Transaction, job_id: UUID, *, owner: str | None) -> Job | None:
    """Return a job and keep others from changing it until the transaction ends."""
    query = select(jobs).where(jobs.c.id == job_id, _owned(owner)).with_for_update()
    return _one(await transaction.execute(query))


async def change(transaction: Transaction, job_id: UUID, **values: Any) -> Job:
    """Set columns of a job that the transaction has locked, and return it."""
    query = update(jobs).where(jobs.c.id == job_id)
    changed = await transaction.execute(
        query.values(**values, updated_at=func.now()).returning(jobs)
    )
    return job_of(changed.one())


async def revive(transaction: Transaction, job_id: UUID, **values: Any) -> Job | None:
    """Make an ended job that the transaction has locked pending; None when its key is taken."""
    try:
        async with transaction.begin_nested():
            return await change(transaction, job_id, status=JobStatus.PENDING, **values)
    except IntegrityError:
        return None


async def save(
    transaction: Transaction,
    job_id: UUID,
    epoch: int,
    *,
    progress: float | None,
    checkpoint: dict[str, Any] | None,
) -> Job | None:
    """Save where a running job stands; None when this claim is not the newest any more.

    A job that gets on starts to count its failures and crashes anew: only those that keep it
    where it is shall end it.
    """
    values: dict[str, Any] = {"updated_at": func.now()}
    if progress is not None:
        gets_on = jobs.c.progress < progress
        values["progress"] = progress
        values["retry_count"] = case((gets_on, 0), else_=jobs.c.retry_count)
        values["crashes"] = case((gets_on, 0), else_=jobs.c.crashes)
    if checkpoint is not None:
        values["checkpoint"] = checkpoint
    query = (
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.epoch == epoch, jobs.c.status == JobStatus.RUNNING)
        .values(**values)
        .returning(jobs)
    )
    return _one(await transaction.execute(query))


async def signals(transaction: Transaction, ids: Sequence[UUID]) -> dict[UUID, Signal | None]:
    """Return what each of these running jobs is asked to do."""
    query = select(jobs.c.id, jobs.c.signal).where(
        jobs.c.id.in_(ids), jobs.c.status == JobStatus.RUNNING
    )
    rows = await transaction.execute(query)
    return {row.id: Signal(row.signal) if row.signal else None for row in rows}


async def page(transaction: Transaction, listing: Listing, *, owner: str | None) -> list[Job]:
    """Return one page of jobs."""
    rows = await transaction.execute(pages.page(jobs, listing, _owned(owner)))
    return [job_of(row) for row in rows]


async def lock_page(
    transaction: Transaction,
    filters: tuple[Filter, ...],
    *,
    after: UUID | None,
    limit: int,
    owner: str | None,
) -> list[Job]:
    """Return the next jobs by id that pass the filters, and keep others from changing them."""
    listing = Listing(filters=filters, limit=limit, after=(after,) if after else None)
    query = pages.page(jobs, listing, _owned(owner)).with_for_update()
    return [job_of(row) for row in await transaction.execute(query)]


async def count(transaction: Transaction, filters: tuple[Filter, ...], *, owner: str | None) -> int:
    """Return how many jobs pass the filters, exactly."""
    where = pages.conditions(jobs, filters)
    query = select(func.count()).select_from(jobs).where(*where, _owned(owner))
    return int(await transaction.scalar(query) or 0)


async def remove(transaction: Transaction, job_id: UUID) -> None:
    """Delete a job with its history."""
    await transaction.execute(delete(jobs).where(jobs.c.id == job_id))


def job_of(row: Row[Any]) -> Job:
    """Return the job of a row that has every column."""
    values = dict(row._mapping)  # noqa: SLF001 - the documented name of a row's mapping
    values["status"] = JobStatus(values["status"])
    values["signal"] = Signal(values["signal"]) if values["signal"] else None
    return Job(**values)


def _owned(owner: str | None) -> ColumnElement[bool]:
    return true() if owner is None else jobs.c.created_by == owner


def _one(rows: Any) -> Job | None:
    row = rows.one_or_none()
    return None if row is None else job_of(row)
