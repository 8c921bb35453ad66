"""The history of jobs, and the notices that tell of it as it happens.

A notice carries what happened, so that whoever listens need not ask; who was not connected asks
the history. Its text is JSON and stays well below the 8000 bytes that PostgreSQL delivers.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, insert, select, true

from mediatheque.catalog.database import Transaction
from mediatheque.catalog.tables import job_events, jobs
from mediatheque.domain.jobs import EventKind, Job, JobEvent, JobGlimpse, JobStatus

CHANNEL = "mediatheque_jobs"

_PROGRESS: Final = "progress"


@dataclass(frozen=True, slots=True)
class Notice:
    """What was told of a job, and whose it is."""

    owner: str
    news: JobEvent | JobGlimpse


async def add(
    transaction: Transaction, job: Job, kind: EventKind, actor: str, **detail: Any
) -> None:
    """Append to the history of ``job``, as it stands now.

    It is numbered, and those who listen are told, when the transaction is committed.
    """
    query = insert(job_events).values(
        job_id=job.id,
        owner=job.created_by,
        kind=kind,
        actor=actor,
        detail=detail,
        status=job.status,
        progress=job.progress,
    )
    await transaction.execute(query)


async def tell_progress(transaction: Transaction, job: Job) -> None:
    """Tell those who listen how far ``job`` is. It leaves no trace in the history."""
    notice = {
        "kind": _PROGRESS,
        "job": str(job.id),
        "owner": job.created_by,
        "at": job.updated_at.isoformat(),
        "status": job.status,
        "progress": job.progress,
    }
    await transaction.execute(select(func.pg_notify(CHANNEL, json.dumps(notice))))


def read_notice(text: str) -> Notice:
    """Return what a notice on the channel says."""
    values = json.loads(text)
    standing: dict[str, Any] = {
        "job_id": UUID(values["job"]),
        "at": datetime.fromisoformat(values["at"]),
        "status": JobStatus(values["status"]),
        "progress": float(values["progress"]),
    }
    if values["kind"] == _PROGRESS:
        return Notice(values["owner"], JobGlimpse(kind=_PROGRESS, **standing))
    event = JobEvent(
        id=values["id"],
        kind=EventKind(values["kind"]),
        actor=values["actor"],
        detail=values["detail"],
        **standing,
    )
    return Notice(values["owner"], event)


async def after(
    transaction: Transaction,
    last_id: int,
    *,
    job_ids: Collection[UUID] | None,
    owner: str | None,
    limit: int,
) -> list[JobEvent]:
    """Return the next events after ``last_id``, of some jobs or (None) of all."""
    query = (
        select(job_events)
        .where(
            job_events.c.number > last_id,
            true() if job_ids is None else job_events.c.job_id.in_(job_ids),
            true() if owner is None else job_events.c.owner == owner,
        )
        .order_by(job_events.c.number)
        .limit(limit)
    )
    return [_event(row) for row in await transaction.execute(query)]


async def standing(
    transaction: Transaction, job_ids: Collection[UUID], *, owner: str | None
) -> tuple[int, list[JobGlimpse]]:
    """Return the number of the newest event, 0 without any, and how these jobs stand after it.

    Jobs that are not there, or that ``owner`` may not see, are left out.
    """
    newest = select(func.coalesce(func.max(job_events.c.number), 0))
    if not job_ids:
        return int(await transaction.scalar(newest) or 0), []
    # One statement sees both at the same moment.
    query = select(
        newest.scalar_subquery().label("newest"),
        jobs.c.id,
        jobs.c.updated_at,
        jobs.c.status,
        jobs.c.progress,
    ).where(jobs.c.id.in_(job_ids), true() if owner is None else jobs.c.created_by == owner)
    rows = list(await transaction.execute(query))
    glimpses = [
        JobGlimpse(
            kind="state",
            job_id=row.id,
            at=row.updated_at,
            status=JobStatus(row.status),
            progress=row.progress,
        )
        for row in rows
    ]
    return rows[0].newest if rows else 0, glimpses


def _event(row: Row[Any]) -> JobEvent:
    return JobEvent(
        id=row.number,
        job_id=row.job_id,
        at=row.at,
        kind=EventKind(row.kind),
        actor=row.actor,
        detail=row.detail,
        status=JobStatus(row.status),
        progress=row.progress,
    )
