"""Rows of intakes, with those of their segments.

Who holds an intake may add to it. A hold that is not renewed ends by itself, by the database's
clock; until somebody else has taken the intake its former holder may still use it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
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
from mediatheque.catalog.prepared import Prepared
from mediatheque.catalog.tables import intake_segments, intakes
from mediatheque.domain.intakes import NO_BYTES_CRC64NVME, Intake, Segment

CHANNEL = "intakes"
"""Where holders are told, by their id, that somebody else waits for their intake."""

_UUIDS = ARRAY(Uuid)
_START = intake_segments.c.start


def _in_order(column: Any) -> Any:
    gathered = func.array_agg(aggregate_order_by(column, _START), type_=ARRAY(column.type))
    return select(gathered).where(intake_segments.c.intake_id == intakes.c.id).scalar_subquery()


_INTAKE = (
    *(intakes.c[name] for name in Intake.__dataclass_fields__ if name != "segments"),
    _in_order(intake_segments.c.object_key).label("object_keys"),
    _in_order(intake_segments.c.size).label("sizes"),
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

_KEPT = bindparam("kept", type_=Boolean)

# The parts of a statement that acknowledges bytes. What they mean is written by the same statement:
# for that it reads ``ACKNOWLEDGED``, which is empty when the hold was lost.
ACKNOWLEDGED = (
    update(intakes)
    .where(intakes.c.id == _ID, _OPEN, _MINE)
    .values(
        size=bindparam("new_size"),
        crc64nvme=bindparam("new_crc64nvme"),
        touched_at=func.now(),
        holder=case((_KEPT, intakes.c.holder), else_=None),
        held_until=case((_KEPT, intakes.c.held_until), else_=None),
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
        bindparam("starts", type_=ARRAY(BigInteger)),
        bindparam("sizes", type_=ARRAY(BigInteger)),
        bindparam("object_keys", type_=ARRAY(Text)),
    )
    .table_valued(
        column("start", BigInteger), column("size", BigInteger), column("object_key", Text)
    )
    .render_derived("fresh")
)
_NEW = insert(intake_segments).from_select(
    ["intake_id", "start", "size", "object_key"],
    select(ACKNOWLEDGED.c.id, *_FRESH.c).join_from(ACKNOWLEDGED, _FRESH, true()),
)
_WRITTEN = _NEW.on_conflict_do_update(
    index_elements=[intake_segments.c.intake_id, _START],
    set_={"size": _NEW.excluded.size, "object_key": _NEW.excluded.object_key},
).cte("written")
SEGMENTS_CHANGED = (_GONE, _WRITTEN)
_ACKNOWLEDGE = Prepared(select(ACKNOWLEDGED.c.touched_at).add_cte(*SEGMENTS_CHANGED))


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """That ``holder`` acknowledges bytes behind those of ``before``.

    With it the holder lets go of the intake, unless the hold is ``kept``.
    """

    before: Intake
    holder: UUID
    segments: Sequence[Segment]
    size: int
    crc64nvme: str
    kept: bool = False

    @property
    def values(self) -> dict[str, Any]:
        """The parameters of ``ACKNOWLEDGED`` and ``SEGMENTS_CHANGED``."""
        known, wanted = _by_start(self.before.segments), _by_start(self.segments)
        fresh = {start: one for start, one in wanted.items() if known.get(start) != one}
        return {
            "intake_id": self.before.id,
            "by": self.holder,
            "new_size": self.size,
            "new_crc64nvme": self.crc64nvme,
            "kept": self.kept,
            "gone_starts": list(known.keys() - wanted.keys()),
            "starts": list(fresh),
            "sizes": [one.size for one in fresh.values()],
            "object_keys": [one.object_key for one in fresh.values()],
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
        {"intake_id": intake_id, "start": start, "size": one.size, "object_key": one.object_key}
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


async def acknowledge(connection: Transaction, acknowledgement: Acknowledgement) -> datetime | None:
    """Acknowledge bytes that mean nothing by themselves; return when, None when the hold was lost.

    On a connection of ``Database.read``.
    """
    row = await _ACKNOWLEDGE.one(connection, acknowledgement.values)
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
    object_keys, sizes = values.pop("object_keys") or (), values.pop("sizes") or ()
    segments = tuple(Segment(*pair) for pair in zip(object_keys, sizes, strict=True))
    return Intake(**values, segments=segments)
