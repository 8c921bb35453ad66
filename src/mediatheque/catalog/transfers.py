"""Rows of transfers, read together with the job of each."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, insert, select, true, update

from mediatheque.catalog.database import Transaction
from mediatheque.catalog.tables import jobs, transfers
from mediatheque.domain.jobs import JobStatus
from mediatheque.domain.transfers import JOB_STATUS_OF, STATUS_OF, Transfer, TransferStatus

_WITH_JOB = select(
    transfers,
    jobs.c.status,
    jobs.c.progress,
    jobs.c.checkpoint,
    jobs.c.error,
    jobs.c.scheduled_at,
    jobs.c.created_at,
    jobs.c.started_at,
    jobs.c.finished_at,
).join(jobs, jobs.c.id == transfers.c.id)


async def add(transaction: Transaction, **values: Any) -> None:
    """Insert a transfer whose job the transaction has inserted."""
    await transaction.execute(insert(transfers).values(**values))


async def find(
    transaction: Transaction, transfer_id: UUID, *, owner: str | None
) -> Transfer | None:
    """Return a transfer that ``owner`` (None: anybody) may see."""
    query = _WITH_JOB.where(transfers.c.id == transfer_id, _owned(owner))
    row = (await transaction.execute(query)).one_or_none()
    return None if row is None else _transfer(row)


async def page(
    transaction: Transaction,
    *,
    statuses: Sequence[TransferStatus],
    after: UUID | None,
    limit: int,
    owner: str | None,
) -> list[Transfer]:
    """Return transfers, newest first, of some statuses or (empty) of all; ``after`` this one."""
    query = _WITH_JOB.where(_owned(owner)).order_by(transfers.c.id.desc()).limit(limit)
    if statuses:
        query = query.where(jobs.c.status.in_([JOB_STATUS_OF[status] for status in statuses]))
    if after is not None:
        query = query.where(transfers.c.id < after)
    return [_transfer(row) for row in await transaction.execute(query)]


async def change(transaction: Transaction, transfer_id: UUID, **values: Any) -> None:
    """Set columns of a transfer."""
    await transaction.execute(
        update(transfers).where(transfers.c.id == transfer_id).values(**values)
    )


async def count(transaction: Transaction, transfer_id: UUID, **added: int) -> float:
    """Add to columns that count, together with the change of what they count.

    Returns how far the transfer is, as a ratio: of its bytes, or of its files when all are empty.
    """
    counts = transfers.c
    query = (
        update(transfers)
        .where(transfers.c.id == transfer_id)
        .values({name: counts[name] + number for name, number in added.items()})
        .returning(
            counts.bytes_complete,
            counts.bytes_total,
            counts.files_complete + counts.files_skipped,
            counts.files_total,
        )
    )
    bytes_complete, bytes_total, files_complete, files_total = (
        await transaction.execute(query)
    ).one()
    if bytes_total:
        return float(bytes_complete / bytes_total)
    return float(files_complete / files_total) if files_total else 0.0


async def bandwidth(transaction: Transaction, transfer_id: UUID) -> int | None:
    """Return the limit of a transfer in bytes per second."""
    limit: int | None = await transaction.scalar(
        select(transfers.c.bandwidth).where(transfers.c.id == transfer_id)
    )
    return limit


def _owned(owner: str | None) -> ColumnElement[bool]:
    return true() if owner is None else jobs.c.created_by == owner


def _transfer(row: Row[Any]) -> Transfer:
    values = dict(row._mapping)  # noqa: SLF001 - the documented name of a row's mapping
    status = STATUS_OF[JobStatus(values.pop("status"))]
    checkpoint = values.pop("checkpoint") or {}
    scheduled_at = values.pop("scheduled_at")
    values["sources"] = tuple(values["sources"])
    return Transfer(
        **values,
        status=status,
        rate=checkpoint.get("rate") if status is TransferStatus.RUNNING else None,
        due=scheduled_at if status is TransferStatus.PENDING else None,
    )
