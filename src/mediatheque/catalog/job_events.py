"""The history of jobs, and the notices that tell of it as it happens.

A notice carries what happened, so that whoever listens need not ask; who was not connected asks
the history. Its text is JSON and stays well below the 8000 bytes that PostgreSQL delivers.
"""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, insert, select, true

from mediatheque.catalog.database import Transaction
from mediatheque.catalog.tables import job_events, jobs
from mediatheque.domain.jobs import EventKind, Job, JobEvent

CHANNEL = "mediatheque_jobs"


async def add(
    transaction: Transaction, job: Job, kind: EventKind, actor: str, **detail: Any
) -> None:
    """Append to the history of ``job``, as it stands now, and tell those who listen.

    The transaction has changed or locked the job's row: so the events of one job are numbered in
    the order in which they become visible.
    """
    query = (
        insert(job_events)
        .values(job_id=job.id, kind=kind, actor=actor, detail=detail)
        .returning(job_events.c.id, job_events.c.at)
    )
    row = (await transaction.execute(query)).one()
    await _notify(
        transaction,
        job,
        {"id": row.id, "kind": kind, "at": row.at.isoformat(), "actor": actor, "detail": detail},
    )


async def tell_progress(transaction: Transaction, job: Job) -> None:
    """Tell those who listen how far ``job`` is. It leaves no trace in the history."""
    await _notify(transaction, job, {"kind": "progress", "at": job.updated_at.isoformat()})


async def after(
    transaction: Transaction,
    last_id: int,
    *,
    job_ids: Sequence[UUID] | None,
    owner: str | None,
    limit: int,
) -> list[JobEvent]:
    """Return the next events after ``last_id``, of some jobs or (None) of all."""
    query = (
        select(job_events)
        .join(jobs, jobs.c.id == job_events.c.job_id)
        .where(
            job_events.c.id > last_id,
            true() if job_ids is None else job_events.c.job_id.in_(job_ids),
            true() if owner is None else jobs.c.created_by == owner,
        )
        .order_by(job_events.c.id)
        .limit(limit)
    )
    return [_event(row) for row in await transaction.execute(query)]


async def last_id(transaction: Transaction) -> int:
    """Return the number of the newest event, 0 when there is none."""
    return int(await transaction.scalar(select(func.max(job_events.c.id))) or 0)


async def _notify(transaction: Transaction, job: Job, notice: dict[str, Any]) -> None:
    notice |= {
        "job": str(job.id),
        "owner": job.created_by,
        "status": job.status,
        "progress": job.progress,
    }
    await transaction.execute(select(func.pg_notify(CHANNEL, json.dumps(notice))))


def _event(row: Row[Any]) -> JobEvent:
    return JobEvent(
        id=row.id,
        job_id=row.job_id,
        at=row.at,
        kind=EventKind(row.kind),
        actor=row.actor,
        detail=row.detail,
    )
