"""Rows of recordings and of their chunks, recordings read together with the job of each.

Whoever changes a recording and its intake changes the intake first, so that no two of them wait
for each other for ever.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Text,
    Uuid,
    bindparam,
    cast,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from mediatheque.catalog.database import Transaction
from mediatheque.catalog.group_commit import GroupCommit, Grouped
from mediatheque.catalog.intakes import ACKNOWLEDGED, SEGMENTS_CHANGED, Acknowledgement
from mediatheque.catalog.prepared import Prepared
from mediatheque.catalog.tables import intakes, jobs, medias, recording_chunks, recordings
from mediatheque.domain.jobs import JobStatus
from mediatheque.domain.recordings import Chunk, Recording, RecordingState

_CANCELLED = "Processing was cancelled; retry its job."

_WITH_JOB: Select[Any] = select(
    recordings, jobs.c.status.label("job_status"), jobs.c.error.label("job_error")
).outerjoin(jobs, jobs.c.id == recordings.c.job_id)
_CHUNK = tuple(recording_chunks.c[name] for name in Chunk.__dataclass_fields__)
# Its intake goes when its original comes: without both, people have deleted what it became.
_THERE = or_(
    exists().where(intakes.c.id == recordings.c.media_id),
    exists().where(medias.c.resource == cast(recordings.c.id, Text)),
)

# Built once: putting these together for every chunk costs more than running them.
_ID = bindparam("recording_id", type_=Uuid)
_OWNER = bindparam("owner", type_=Text)
_FIND = Prepared(
    _WITH_JOB.where(
        recordings.c.id == _ID, or_(_OWNER.is_(None), recordings.c.created_by == _OWNER), _THERE
    )
)
_BYTES = bindparam("bytes", type_=BigInteger)
_COUNTED = (
    update(recordings)
    .where(recordings.c.id == _ID, recordings.c.media_id == ACKNOWLEDGED.c.id)
    .values(chunks=recordings.c.chunks + 1, size=recordings.c.size + _BYTES, updated_at=func.now())
    .returning(recordings.c.id, recordings.c.chunks, recordings.c.size, recordings.c.updated_at)
    .cte("counted")
)
_NUMBERED = (
    insert(recording_chunks)
    .from_select(
        ["recording_id", "number", "start", "size", "blake3"],
        select(
            _COUNTED.c.id,
            _COUNTED.c.chunks - 1,
            _COUNTED.c.size - _BYTES,
            _BYTES,
            bindparam("hash", type_=Text),
        ),
    )
    .cte("numbered")
)
_ADD_CHUNK = Grouped(
    select(_COUNTED.c.chunks, _COUNTED.c.size, _COUNTED.c.updated_at).add_cte(
        *SEGMENTS_CHANGED, _NUMBERED
    )
)


async def add(transaction: Transaction, **values: Any) -> Recording:
    """Insert a recording whose intake the transaction has inserted, and return it."""
    row = await transaction.execute(
        insert(recordings)
        .values(state=RecordingState.RECORDING, **values)
        .returning(recordings, literal(None).label("job_status"), literal(None).label("job_error"))
    )
    return _recording(row.mappings().one())


async def find(
    transaction: Transaction, recording_id: UUID, *, owner: str | None
) -> Recording | None:
    """Return a recording that ``owner`` (None: anybody) may see; none whose medias were deleted."""
    values = {"recording_id": recording_id, "owner": owner}
    found = await _FIND.one(transaction, values)
    return None if found is None else _recording(found)


async def lock(transaction: Transaction, recording_id: UUID) -> Recording | None:
    """Return a recording and keep others from changing it until the transaction ends."""
    query = _WITH_JOB.where(recordings.c.id == recording_id).with_for_update(of=recordings)
    found = (await transaction.execute(query)).mappings().one_or_none()
    return None if found is None else _recording(found)


async def change(transaction: Transaction, recording_id: UUID, **values: Any) -> Recording:
    """Set columns of a recording and return it."""
    this = recordings.c.id == recording_id
    await transaction.execute(
        update(recordings).where(this).values(**values, updated_at=func.now())
    )
    changed = await transaction.execute(_WITH_JOB.where(this))
    return _recording(changed.mappings().one())


async def page(
    transaction: Transaction, *, after: Recording | None, limit: int, owner: str | None
) -> list[Recording]:
    """Return recordings, newest first, ``after`` this one; none whose medias were deleted."""
    query = (
        _WITH_JOB.where(true() if owner is None else recordings.c.created_by == owner, _THERE)
        .order_by(recordings.c.created_at.desc(), recordings.c.id.desc())
        .limit(limit)
    )
    if after is not None:
        place = tuple_(recordings.c.created_at, recordings.c.id)
        query = query.where(place < tuple_(literal(after.created_at), literal(after.id)))
    found = await transaction.execute(query)
    return [_recording(row) for row in found.mappings()]


async def quiet(transaction: Transaction, before: datetime, *, limit: int) -> list[Recording]:
    """Return recordings with bytes that nobody has added to since ``before``, nor tried to."""
    query = (
        _WITH_JOB.join(intakes, intakes.c.id == recordings.c.media_id)
        .where(*_unattended(before), recordings.c.size > 0)
        .order_by(recordings.c.updated_at)
        .limit(limit)
    )
    found = await transaction.execute(query)
    return [_recording(row) for row in found.mappings()]


async def lock_without_job(transaction: Transaction, *, limit: int) -> list[Recording]:
    """Return recordings that wait for a job that was deleted, and keep others from changing them.

    Those that another transaction has are left out.
    """
    query = (
        _WITH_JOB.where(
            recordings.c.state == RecordingState.PROCESSING, recordings.c.job_id.is_(None)
        )
        .limit(limit)
        .with_for_update(of=recordings, skip_locked=True)
    )
    found = await transaction.execute(query)
    return [_recording(row) for row in found.mappings()]


async def remove_empty(transaction: Transaction, before: datetime, *, limit: int) -> int:
    """Delete recordings that never got a byte, with their intakes, unless somebody adds to them.

    Returns how many. Those that were touched at ``before`` or later stay.
    """
    empty = (
        select(intakes.c.id)
        .join(recordings, recordings.c.media_id == intakes.c.id)
        .where(*_unattended(before), intakes.c.size == 0)
        .limit(limit)
        .with_for_update(of=intakes, skip_locked=True)
    )
    ids = list(await transaction.scalars(empty))
    await transaction.execute(delete(intakes).where(intakes.c.id.in_(ids)))
    await transaction.execute(delete(recordings).where(recordings.c.media_id.in_(ids)))
    return len(ids)


async def remove_forgotten(transaction: Transaction, *, limit: int) -> int:
    """Delete recordings whose medias were all deleted; return how many."""
    forgotten = select(recordings.c.id).where(~_THERE).limit(limit)
    query = delete(recordings).where(recordings.c.id.in_(forgotten)).returning(recordings.c.id)
    return len(list(await transaction.scalars(query)))


async def add_chunk(
    group: GroupCommit,
    acknowledgement: Acknowledgement,
    recording: Recording,
    *,
    size: int,
    blake3: str,
) -> Recording | None:
    """Acknowledge the next chunk of a recording; return the recording with it.

    Committed when this returns. None, with nothing changed, when the hold of the intake was lost.
    """
    values = {"recording_id": recording.id, "bytes": size, "hash": blake3}
    counted = await group.one(_ADD_CHUNK, values | acknowledgement.values)
    if counted is None:
        return None
    return replace(
        recording,
        chunks=counted["chunks"],
        size=counted["size"],
        updated_at=counted["updated_at"],
    )


async def chunk(transaction: Transaction, recording_id: UUID, number: int) -> Chunk | None:
    """Return a chunk by its number."""
    return await _chunk(
        transaction,
        select(*_CHUNK).where(
            recording_chunks.c.recording_id == recording_id, recording_chunks.c.number == number
        ),
    )


async def chunk_at(transaction: Transaction, recording_id: UUID, start: int) -> Chunk | None:
    """Return the chunk whose first byte is at ``start``, an empty one only if there is no other."""
    return await _chunk(
        transaction,
        select(*_CHUNK)
        .where(recording_chunks.c.recording_id == recording_id, recording_chunks.c.start == start)
        .order_by(recording_chunks.c.size.desc())
        .limit(1),
    )


async def _chunk(transaction: Transaction, query: Select[Any]) -> Chunk | None:
    row = (await transaction.execute(query)).one_or_none()
    return None if row is None else Chunk(*row)


def _unattended(before: datetime) -> tuple[ColumnElement[bool], ...]:
    """Return what is so of recordings that nobody has tried to add to since ``before``."""
    return (
        recordings.c.state == RecordingState.RECORDING,
        recordings.c.updated_at < before,
        or_(
            intakes.c.held_until.is_(None),
            intakes.c.held_until < func.least(literal(before), func.clock_timestamp()),
        ),
    )


def _recording(row: Mapping[str, Any]) -> Recording:
    values = dict(row)
    values["state"] = RecordingState(values["state"])
    status, error = values.pop("job_status"), values.pop("job_error")
    if values["state"] is RecordingState.PROCESSING and status in {
        JobStatus.ERRORED,
        JobStatus.CANCELLED,
    }:
        # What becomes of it the job knows, which may be retried.
        values["state"] = RecordingState.FAILED
        values["error"] = _CANCELLED if status == JobStatus.CANCELLED else error
    return Recording(**values)
