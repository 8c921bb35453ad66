"""Rows of the operations of syncs' plans.

An operation that is over has no multipart upload any more: whoever ends it has removed that.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Row,
    Select,
    TableValuedAlias,
    cast,
    delete,
    func,
    literal_column,
    null,
    or_,
    select,
    text,
    true,
    tuple_,
    update,
)

from mediatheque.catalog.connections import driver_connection
from mediatheque.catalog.database import Transaction
from mediatheque.catalog.given_rows import given_rows
from mediatheque.catalog.tables import LIVE_JOBS, jobs, sync_operations, syncs
from mediatheque.domain.jobs import LIVE
from mediatheque.domain.syncs import RANK, Action, Operation, OperationState

Outcome = tuple[int, int, OperationState, str | None]
"""Rank and position of an operation, what became of it, and why when it failed."""

_FIELDS = tuple(Operation.__dataclass_fields__)
_OPERATION = tuple(sync_operations.c[name] for name in _FIELDS)
_values = attrgetter("rank", *_FIELDS)
_AS_PLANNED = "as_planned"
_LOST = ("rank", "key", "stored_etag", "stored_size")
"""What tells an object that is overwritten or deleted."""

_PENDING = text("state = 'pending'")
"""As in the index of this name."""

_UNDER_WAY = text("state = 'pending' AND sent > 0")
"""As in the index of this name."""


async def add(transaction: Transaction, sync_id: UUID, operations: Sequence[Operation]) -> None:
    """Insert operations; the transaction must have run a statement before this."""
    connection = await driver_connection(transaction)
    # SQLAlchemy begins a transaction with the first statement that it sees, and sees none here.
    assert connection.is_in_transaction()
    await connection.copy_records_to_table(
        sync_operations.name,
        columns=["sync_id", "rank", *_FIELDS],
        records=[(sync_id, *_values(operation)) for operation in operations],
    )


async def clear(transaction: Transaction, bucket_id: int, sync_id: UUID, *, limit: int) -> int:
    """Delete operations of a sync, and of those of its bucket that have ended; return how many.

    At most ``limit``, because there may be millions: again until it is fewer. Plans that others
    have to keep to stay until those have ended, or their first round has.
    """
    number = cast(syncs.c.options[_AS_PLANNED].as_string(), BigInteger)
    bound = select(number).join(jobs, jobs.c.id == syncs.c.id)
    old = (
        select(syncs.c.id)
        .join(jobs, jobs.c.id == syncs.c.id)
        .where(
            syncs.c.bucket_id == bucket_id,
            or_(syncs.c.id == sync_id, jobs.c.status.not_in(sorted(LIVE))),
            syncs.c.number.not_in(bound.where(LIVE_JOBS, syncs.c.rounds == 0, number.is_not(None))),
        )
    )
    row: ColumnElement[Any] = literal_column("sync_operations.ctid")
    some = select(row).where(sync_operations.c.sync_id.in_(old)).limit(limit)
    found = await transaction.execute(
        delete(sync_operations).where(row == func.any(func.array(some.scalar_subquery())))
    )
    return found.rowcount


async def unplanned(
    transaction: Transaction, sync_id: UUID, planned_id: UUID
) -> tuple[int, bytes | None]:
    """Return how many objects a sync overwrites or deletes that another plan does not, and one.

    An object that is another one by now, under the same key, is not what was planned.
    """

    def lost(of: UUID) -> Select[Any]:
        return select(*(sync_operations.c[name] for name in _LOST)).where(
            sync_operations.c.sync_id == of, sync_operations.c.rank >= RANK[Action.UPDATE]
        )

    # Not by a join: of plans that were made just now the database has no statistics, and without
    # them it would compare each with each.
    found = lost(sync_id).except_(lost(planned_id)).subquery()
    query = select(found.c.key, func.count().over()).order_by(found.c.key).limit(1)
    row = (await transaction.execute(query)).one_or_none()
    return (0, None) if row is None else (row[1], row[0])


async def pending(
    transaction: Transaction, sync_id: UUID, rank: int, after: int, limit: int
) -> list[Operation]:
    """Return what is still to be done of a rank, from the position after ``after``."""
    query = (
        select(*_OPERATION)
        .where(
            sync_operations.c.sync_id == sync_id,
            sync_operations.c.rank == rank,
            sync_operations.c.position > after,
            _PENDING,
        )
        .order_by(sync_operations.c.position)
        .limit(limit)
    )
    return [_operation(row) for row in await transaction.execute(query)]


async def save(transaction: Transaction, sync_id: UUID, outcomes: Sequence[Outcome]) -> None:
    """Write what became of operations, and forget their multipart uploads."""
    if not outcomes:
        return
    ranks, positions, states, errors = zip(*outcomes, strict=True)
    saved = _rows(rank=ranks, position=positions, state=states, error=errors)
    await transaction.execute(
        update(sync_operations)
        .where(*_each_of(saved, sync_id))
        .values(state=saved.c.state, error=saved.c.error, upload_id=null(), sent=0)
    )


async def advance(
    transaction: Transaction, sync_id: UUID, standings: Sequence[tuple[int, int, int]]
) -> None:
    """Write how many bytes were sent of operations, each by its rank and position."""
    if not standings:
        return
    ranks, positions, sent = zip(*standings, strict=True)
    standing = _rows(rank=ranks, position=positions, sent=sent)
    await transaction.execute(
        update(sync_operations).where(*_each_of(standing, sync_id)).values(sent=standing.c.sent)
    )


async def set_upload(
    transaction: Transaction, sync_id: UUID, rank: int, position: int, upload_id: str | None
) -> None:
    """Note the multipart upload of an operation, or (None) that it has none."""
    await transaction.execute(
        update(sync_operations)
        .where(
            sync_operations.c.sync_id == sync_id,
            sync_operations.c.rank == rank,
            sync_operations.c.position == position,
        )
        .values(upload_id=upload_id)
    )


async def page(
    transaction: Transaction,
    sync_id: UUID,
    *,
    action: Action | None = None,
    state: OperationState | None = None,
    under_way: bool = False,
    after: tuple[int, int] | None = None,
    limit: int,
) -> list[Operation]:
    """Return operations in the order of work, of one action and state or (None) of any.

    ``under_way``: only those of files of which a part was sent. ``after`` the one of this rank and
    position.
    """
    place = tuple_(sync_operations.c.rank, sync_operations.c.position)
    query = (
        select(*_OPERATION)
        .where(
            sync_operations.c.sync_id == sync_id,
            true() if action is None else sync_operations.c.action == action,
            true() if state is None else sync_operations.c.state == state,
            _UNDER_WAY if under_way else true(),
            true() if after is None else place > after,
        )
        .order_by(sync_operations.c.rank, sync_operations.c.position)
        .limit(limit)
    )
    return [_operation(row) for row in await transaction.execute(query)]


async def uploads(transaction: Transaction, sync_id: UUID) -> list[tuple[bytes, str]]:
    """Return the key and the id of every multipart upload of a sync."""
    query = select(sync_operations.c.key, sync_operations.c.upload_id).where(*_begun(sync_id))
    return [(row.key, row.upload_id) for row in await transaction.execute(query)]


async def forget_uploads(transaction: Transaction, sync_id: UUID) -> None:
    """Forget all multipart uploads of a sync, and how far its files were."""
    for begun in (_begun(sync_id), (sync_operations.c.sync_id == sync_id, _UNDER_WAY)):
        await transaction.execute(
            update(sync_operations).where(*begun).values(upload_id=null(), sent=0)
        )


async def uploads_in_use(transaction: Transaction) -> set[str]:
    """Return every multipart upload that a sync may still continue; those that ended do not."""
    query = (
        select(sync_operations.c.upload_id)
        .join(jobs, jobs.c.id == sync_operations.c.sync_id)
        .where(sync_operations.c.upload_id.is_not(None), LIVE_JOBS)
    )
    return set(await transaction.scalars(query))


async def first_error(transaction: Transaction, sync_id: UUID) -> str | None:
    """Return why the first of the failed operations failed; None when none did."""
    query = (
        select(sync_operations.c.error)
        .where(
            sync_operations.c.sync_id == sync_id,
            sync_operations.c.state == OperationState.FAILED,
        )
        .order_by(sync_operations.c.rank, sync_operations.c.position)
        .limit(1)
    )
    error: str | None = await transaction.scalar(query)
    return error


def _begun(sync_id: UUID) -> tuple[ColumnElement[bool], ...]:
    return sync_operations.c.sync_id == sync_id, sync_operations.c.upload_id.is_not(None)


def _operation(row: Row[Any]) -> Operation:
    values = dict(row._mapping)  # noqa: SLF001 - the documented name of a row's mapping
    values["action"] = Action(values["action"])
    values["state"] = OperationState(values["state"])
    return Operation(**values)


def _rows(**columns: Sequence[Any]) -> TableValuedAlias:
    """Return rows to join with, by the names of their columns."""
    return given_rows(
        **{name: (sync_operations.c[name].type, given) for name, given in columns.items()}
    )


def _each_of(rows: TableValuedAlias, sync_id: UUID) -> tuple[ColumnElement[bool], ...]:
    """Return what finds the operations of a sync that such rows name."""
    return (
        sync_operations.c.sync_id == sync_id,
        sync_operations.c.rank == rows.c.rank,
        sync_operations.c.position == rows.c.position,
    )
