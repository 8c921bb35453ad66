"""Rows of intakes, with those of their segments.

Who holds an intake may add to it. A hold that is not renewed ends by itself, by the database's
clock; until somebody else has taken the intake its former holder may still use it.
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Interval,
    Text,
    Uuid,
    any_,
    bindparam,
    case,
    cast,
    column,
    delete,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert

from mediatheque.catalog.database import Transaction
from mediatheque.catalog.group_commit import GroupCommit, Grouped
from mediatheque.catalog.prepared import Prepared
from mediatheque.catalog.tables import intake_segments, intakes
from mediatheque.domain.intakes import NO_BYTES_CRC64NVME, Intake, Part, Segment

CHANNEL = "intakes"
"""Where holders are told, by their id, that somebody else waits for their intake."""

_UUIDS = ARRAY(Uuid)
_START = intake_segments.c.start


_SEGMENT = tuple(
    intake_segments.c[name] for name in ("object_key", "size", "upload_id", "part_number", "etag")
)
_INTAKE = (
    *(intakes.c[name] for name in Intake.__dataclass_fields__ if name != "segments"),
    # As text, because not everybody who runs these statements decodes JSON.
    select(cast(func.json_agg(aggregate_order_by(func.json_build_array(*_SEGMENT), _START)), Text))
    .where(intake_segments.c.intake_id == intakes.c.id)
    .scalar_subquery()
    .label("segments"),
)
_NOW = func.clock_timestamp()

# Built once: putting these together for every piece costs more than running them.
_ID = bindparam("intake_id", type_=Uuid)
_HOLDER = bindparam("by", type_=Uuid)
_UNTIL = _NOW + bindparam("lease", type_=Interval)
# In a statement that is a transaction of its own: nobody waits until the disk has it.
_LAX = literal_column("set_config('synchronous_commit', 'off', true)", Text) == literal_column(
    "'off'"
)
_MINE = intakes.c.holder == _HOLDER
_FREE = or_(intakes.c.holder.is_(None), intakes.c.held_until < _NOW)
_OPEN = intakes.c.closed.is_(False)

_FIND = Prepared(select(*_INTAKE).where(intakes.c.id == _ID))
_TAKE = Prepared(
    update(intakes)
    .where(intakes.c.id == _ID, _OPEN, or_(_FREE, _MINE), _LAX)
    .values(holder=_HOLDER, held_until=_UNTIL)
    .returning(*_INTAKE)
)
_RENEW = (
    update(intakes)
    .where(intakes.c.id == _ID, _OPEN, _MINE, _LAX)
    .values(held_until=_UNTIL)
    .returning(intakes.c.id)
)
_ASK = select(func.pg_notify(CHANNEL, cast(intakes.c.holder, Text))).where(
    intakes.c.id == _ID, intakes.c.holder.is_not(None)
)
_RELEASE = update(intakes).where(intakes.c.id == _ID, _MINE, _LAX).values(holder=None)

_KEPT_FOR = bindparam("kept_for", type_=Interval)
_IS_KEPT = _KEPT_FOR.is_not(None)

# The parts of a statement that acknowledges bytes. What they mean is written by the same statement:
# for that it reads ``ACKNOWLEDGED``, which is empty when the hold was lost.
ACKNOWLEDGED = (
    update(intakes)
    # A crash of the database may have taken back what its holder believes to be there.
    .where(intakes.c.id == _ID, _OPEN, _MINE, intakes.c.size == bindparam("old_size"))
    .values(
        size=bindparam("new_size"),
        crc64nvme=bindparam("new_crc64nvme"),
        touched_at=func.now(),
        holder=case((_IS_KEPT, intakes.c.holder), else_=None),
        held_until=_NOW + _KEPT_FOR,
    )
    .returning(intakes.c.id, intakes.c.touched_at)
    .cte("acknowledged")
)
_GONE = (
    delete(intake_segments)
    .where(
        intake_segments.c.intake_id == ACKNOWLEDGED.c.id,
        any_(bindparam("gone_starts", type_=ARRAY(BigInteger))) == _START,
    )
    .cte("gone")
)
_FRESH = (
    func.unnest(
        *(
            bindparam(f"fresh_{given.name}", type_=ARRAY(given.type))
            for given in (_START, *_SEGMENT)
        )
    )
    .table_valued(*(column(given.name, given.type) for given in (_START, *_SEGMENT)))
    .render_derived("fresh")
)
_NEW = insert(intake_segments).from_select(
    ["intake_id", *(given.name for given in (_START, *_SEGMENT))],
    select(ACKNOWLEDGED.c.id, *_FRESH.c).join_from(ACKNOWLEDGED, _FRESH, true()),
)
_WRITTEN = _NEW.on_conflict_do_update(
    index_elements=[intake_segments.c.intake_id, _START],
    set_={given.name: _NEW.excluded[given.name] for given in _SEGMENT},
).cte("written")
SEGMENTS_CHANGED = (_GONE, _WRITTEN)
_ACKNOWLEDGE = Grouped(select(ACKNOWLEDGED.c.touched_at).add_cte(*SEGMENTS_CHANGED))

# What nearly every acknowledgement comes to takes the database less time by itself.
_GROWN = (
    update(intake_segments)
    .where(
        intake_segments.c.intake_id == ACKNOWLEDGED.c.id,
        bindparam("grown_start", type_=BigInteger) == _START,
    )
    .values(size=bindparam("grown_size"))
    .cte("grown")
)
_ACKNOWLEDGE_GROWN = Grouped(select(ACKNOWLEDGED.c.touched_at).add_cte(_GROWN))


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """That ``holder`` acknowledges bytes behind those of ``before``.

    With it the holder lets go of the intake, unless the hold is ``kept_for`` some seconds more.
    """

    before: Intake
    holder: UUID
    segments: Sequence[Segment]
    size: int
    crc64nvme: str
    kept_for: float | None = None

    @property
    def has_grown(self) -> bool:
        """Whether nothing is new but the size of the last segment."""
        before, after = self.before.segments, self.segments
        return (
            len(before) == len(after) > 0
            and before[:-1] == after[:-1]
            and replace(before[-1], size=after[-1].size) == after[-1]
        )

    @property
    def grown_values(self) -> dict[str, Any]:
        """The parameters of ``ACKNOWLEDGED`` and ``_GROWN``."""
        size = self.segments[-1].size
        return {**self._values, "grown_start": self.size - size, "grown_size": size}

    @property
    def values(self) -> dict[str, Any]:
        """The parameters of ``ACKNOWLEDGED`` and ``SEGMENTS_CHANGED``."""
        known, wanted = _by_start(self.before.segments), _by_start(self.segments)
        fresh = {start: one for start, one in wanted.items() if known.get(start) != one}
        return {
            **self._values,
            "gone_starts": list(known.keys() - wanted.keys()),
            "fresh_start": list(fresh),
            **{
                f"fresh_{column.name}": [_values(one)[column.name] for one in fresh.values()]
                for column in _SEGMENT
            },
        }

    @property
    def _values(self) -> dict[str, Any]:
        return {
            "intake_id": self.before.id,
            "by": self.holder,
            "old_size": self.before.size,
            "new_size": self.size,
            "new_crc64nvme": self.crc64nvme,
            "kept_for": None if self.kept_for is None else timedelta(seconds=self.kept_for),
        }


async def add(
    transaction: Transaction,
    intake_id: UUID,
    *,
    segments: Sequence[Segment] = (),
    crc64nvme: str = NO_BYTES_CRC64NVME,
) -> None:
    """Insert an intake; it has no bytes yet, or those of the ``segments`` of others."""
    size = sum(segment.size for segment in segments)
    await transaction.execute(insert(intakes).values(id=intake_id, size=size, crc64nvme=crc64nvme))
    rows = [
        {"intake_id": intake_id, "start": start, **_values(one)}
        for start, one in _by_start(segments).items()
    ]
    if rows:
        await transaction.execute(insert(intake_segments), rows)


async def find(transaction: Transaction, intake_id: UUID) -> Intake | None:
    """Return an intake with its segments."""
    return _intake(await _FIND.one(transaction, {"intake_id": intake_id}))


async def take(
    connection: Transaction, intake_id: UUID, holder: UUID, *, seconds: float
) -> Intake | None:
    """Hold an intake for ``seconds`` from now and return it; None when it cannot be taken.

    Others hold it, or it is closed or gone. On a connection that only reads, as all of these that
    do not say ``transaction``: a hold need not survive a crash of the database.
    """
    values = {"intake_id": intake_id, "by": holder, "lease": timedelta(seconds=seconds)}
    taken = _intake(await _TAKE.one(connection, values))
    if taken is not None and sum(segment.size for segment in taken.segments) != taken.size:
        # The statement waited for one that appended, and does not see the segments of that.
        return await find(connection, intake_id)
    return taken


async def renew(connection: Transaction, intake_id: UUID, holder: UUID, *, seconds: float) -> bool:
    """Hold an intake for ``seconds`` more from now; False when the hold was lost."""
    values = {"intake_id": intake_id, "by": holder, "lease": timedelta(seconds=seconds)}
    return await connection.scalar(_RENEW, values) is not None


async def release(connection: Transaction, intake_id: UUID, holder: UUID) -> None:
    """Let go of an intake, if it is still held. Until when it was held stays, as a sign of life."""
    await connection.execute(_RELEASE, {"intake_id": intake_id, "by": holder})


async def acknowledge(group: GroupCommit, acknowledgement: Acknowledgement) -> datetime | None:
    """Acknowledge bytes that mean nothing by themselves; return when, None when the hold was lost.

    Committed when this returns.
    """
    if acknowledgement.has_grown:
        row = await group.one(_ACKNOWLEDGE_GROWN, acknowledgement.grown_values)
    else:
        row = await group.one(_ACKNOWLEDGE, acknowledgement.values)
    return None if row is None else row["touched_at"]


async def ask_for(connection: Transaction, intake_id: UUID) -> None:
    """Ask whoever holds an intake to let go of it soon. Who listens to ``CHANNEL`` hears of it."""
    # Names the holder, not the intake: who asks may hold that one before it hears of itself.
    await connection.execute(_ASK, {"intake_id": intake_id})


async def still_held(transaction: Transaction, intake_id: UUID, holder: UUID) -> bool:
    """Tell whether the hold is not lost, and keep others from taking it in this transaction."""
    query = select(intakes.c.id).where(intakes.c.id == intake_id, intakes.c.holder == holder)
    return await transaction.scalar(query.with_for_update()) is not None


async def close(transaction: Transaction, intake_id: UUID) -> None:
    """Take no more bytes, also not those that somebody who holds the intake is about to append."""
    await transaction.execute(
        update(intakes)
        .where(intakes.c.id == intake_id)
        .values(closed=True, holder=None, held_until=None)
    )


async def remove(transaction: Transaction, intake_id: UUID) -> bool:
    """Delete an intake; False when it is gone already."""
    query = delete(intakes).where(intakes.c.id == intake_id).returning(intakes.c.id)
    return await transaction.scalar(query) is not None


async def existing(transaction: Transaction, ids: Sequence[UUID]) -> set[UUID]:
    """Return which of these intakes there are."""
    query = select(intakes.c.id).where(intakes.c.id == any_(literal(list(ids), _UUIDS)))
    return set(await transaction.scalars(query))


async def uploads_in_use(transaction: Transaction) -> set[str]:
    """Return every multipart upload that has acknowledged bytes."""
    column = intake_segments.c.upload_id
    return set(await transaction.scalars(select(column).where(column.is_not(None)).distinct()))


def _by_start(segments: Sequence[Segment]) -> dict[int, Segment]:
    starts: dict[int, Segment] = {}
    start = 0
    for segment in segments:
        starts[start] = segment
        start += segment.size
    return starts


def _intake(row: Mapping[str, Any] | None) -> Intake | None:
    if row is None:
        return None
    values = dict(row)
    segments: list[list[Any]] = json.loads(values.pop("segments") or "[]")
    return Intake(**values, segments=tuple(itertools.starmap(_segment, segments)))


def _segment(
    object_key: str, size: int, upload_id: str | None, part_number: int | None, etag: str | None
) -> Segment:
    if upload_id is None or part_number is None or etag is None:
        return Segment(object_key, size)
    return Segment(object_key, size, Part(upload_id, part_number, etag))


def _values(segment: Segment) -> dict[str, Any]:
    part = segment.part
    return {
        "object_key": segment.object_key,
        "size": segment.size,
        "upload_id": None if part is None else part.upload_id,
        "part_number": None if part is None else part.number,
        "etag": None if part is None else part.etag,
    }
