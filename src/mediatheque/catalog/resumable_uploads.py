"""Rows of resumable uploads. How many bytes one has, its intake knows, as long as there is one.

Whoever changes an upload and its intake changes the intake first, so that no two wait for each
other for ever.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import (
    ARRAY,
    Interval,
    Select,
    Text,
    Uuid,
    any_,
    bindparam,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from mediatheque.catalog.database import Transaction
from mediatheque.catalog.prepared import Prepared
from mediatheque.catalog.tables import intakes, resumable_uploads
from mediatheque.domain.resumable_uploads import (
    Concatenation,
    Destination,
    ResumableState,
    ResumableUpload,
)

_UUIDS = ARRAY(Uuid)
_COLUMNS = tuple(
    resumable_uploads.c[name]
    for name in ResumableUpload.__dataclass_fields__
    if name not in {"size", "touched_at", "expires_at"}
)
_TOUCHED = func.coalesce(intakes.c.touched_at, resumable_uploads.c.updated_at)
_LIFETIME = bindparam("lifetime", type_=Interval)
_ID = bindparam("upload_id", type_=Uuid)
_OWNER = bindparam("owner", type_=Text)
_JOINED = resumable_uploads.outerjoin(intakes, intakes.c.id == resumable_uploads.c.id)
_SHOWN: Select[Any] = select(
    *_COLUMNS,
    func.coalesce(intakes.c.size, resumable_uploads.c.length, 0).label("size"),
    _TOUCHED.label("touched_at"),
    (_TOUCHED + _LIFETIME).label("expires_at"),
).select_from(_JOINED)
_FIND = Prepared(
    _SHOWN.where(
        resumable_uploads.c.id == _ID,
        or_(_OWNER.is_(None), resumable_uploads.c.created_by == _OWNER),
    )
)
_WITH_INTAKE = resumable_uploads.join(intakes, intakes.c.id == resumable_uploads.c.id)
_FREE = or_(intakes.c.holder.is_(None), intakes.c.held_until < func.clock_timestamp())
_UNFINISHED = resumable_uploads.c.media_id.is_(None)


async def add(
    transaction: Transaction,
    upload_id: UUID,
    *,
    state: ResumableState,
    concatenation: Concatenation,
    length: int | None,
    ending: bool,
    parts: Sequence[UUID],
    destination: Destination,
    metadata: str | None,
    concat: str | None,
    digests: Mapping[str, str],
    idempotency_key: str | None,
    request: str,
    created_by: str,
    created_role: str,
) -> bool:
    """Insert an upload; False when its idempotency key is taken by another one of its creator.

    ``request`` tells the requests apart that came with one key.
    """
    query = (
        insert(resumable_uploads)
        .values(
            id=upload_id,
            state=state,
            concatenation=concatenation,
            length=length,
            ending=ending,
            parts=list(parts),
            destination=msgspec.to_builtins(destination),
            metadata=metadata,
            concat=concat,
            digests=dict(digests),
            idempotency_key=idempotency_key,
            request=request,
            created_by=created_by,
            created_role=created_role,
        )
        .on_conflict_do_nothing(
            index_elements=["created_by", "idempotency_key"],
            index_where=resumable_uploads.c.idempotency_key.is_not(None),
        )
        .returning(resumable_uploads.c.id)
    )
    return await transaction.scalar(query) is not None


async def find(
    connection: Transaction, upload_id: UUID, *, owner: str | None, lifetime: timedelta
) -> ResumableUpload | None:
    """Return an upload that ``owner`` (None: anybody) may see.

    ``lifetime``: how long after its last bytes an unfinished one expires.
    """
    values = {"upload_id": upload_id, "owner": owner, "lifetime": lifetime}
    found = await _FIND.one(connection, values)
    return None if found is None else _upload(found)


async def find_request(
    connection: Transaction, *, owner: str, idempotency_key: str
) -> tuple[UUID, str] | None:
    """Return the id of the upload that was created with a key, and its ``request``."""
    query = select(resumable_uploads.c.id, resumable_uploads.c.request).where(
        resumable_uploads.c.created_by == owner,
        resumable_uploads.c.idempotency_key == idempotency_key,
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else (row.id, row.request)


async def requests(connection: Transaction, ids: Sequence[UUID]) -> dict[UUID, tuple[str, str]]:
    """Return who has created uploads, and by what ``request``."""
    query = select(
        resumable_uploads.c.id, resumable_uploads.c.created_by, resumable_uploads.c.request
    ).where(resumable_uploads.c.id == any_(literal(list(ids), _UUIDS)))
    return {row.id: (row.created_by, row.request) for row in await connection.execute(query)}


async def lock(
    transaction: Transaction, ids: Sequence[UUID], *, lifetime: timedelta
) -> dict[UUID, ResumableUpload]:
    """Return uploads by id, and keep others from changing them until the transaction ends."""
    query = (
        _SHOWN.where(resumable_uploads.c.id == any_(literal(list(ids), _UUIDS)))
        .order_by(resumable_uploads.c.id)
        .with_for_update(of=resumable_uploads)
    )
    found = (await transaction.execute(query, {"lifetime": lifetime})).mappings()
    return {row["id"]: _upload(row) for row in found}


async def settle(
    connection: Transaction, upload_id: UUID, holder: UUID, **values: Any
) -> datetime | None:
    """Change columns of an upload for who holds its intake; return when, None when that was lost.

    With it the intake counts as touched: who has found the upload before sees that in the intake.
    """
    touched = (
        update(intakes)
        .where(intakes.c.id == upload_id, intakes.c.holder == holder)
        .values(touched_at=func.now())
        .returning(intakes.c.id, intakes.c.touched_at)
        .cte("touched")
    )
    query = (
        update(resumable_uploads)
        .where(resumable_uploads.c.id == touched.c.id)
        .values(**values, updated_at=func.now())
        .returning(touched.c.touched_at)
    )
    settled_at: datetime | None = await connection.scalar(query)
    return settled_at


async def change(transaction: Transaction, ids: Sequence[UUID], **values: Any) -> None:
    """Change columns of uploads.

    ``touched_at`` stays, by which those who remember an upload see that it has changed: so of one
    that takes bytes only what appending does not look at. For the rest there is ``settle``.
    """
    these = resumable_uploads.c.id == any_(literal(list(ids), _UUIDS))
    await transaction.execute(
        update(resumable_uploads).where(these).values(**values, updated_at=func.now())
    )


async def remove(transaction: Transaction, ids: Sequence[UUID]) -> set[UUID]:
    """Delete uploads; return which were there."""
    these = resumable_uploads.c.id == any_(literal(list(ids), _UUIDS))
    query = delete(resumable_uploads).where(these).returning(resumable_uploads.c.id)
    return set(await transaction.scalars(query))


async def unfinished(connection: Transaction, before: datetime, *, limit: int) -> list[UUID]:
    """Return uploads that have all their bytes since ``before``, and are not finished.

    Those first that were changed longest ago, and none that were since ``before``: who has tried
    one in vain changes it, and it waits behind the others. Nor those that somebody works on.
    """
    query = (
        select(resumable_uploads.c.id)
        .select_from(_WITH_INTAKE)
        .where(
            resumable_uploads.c.state == ResumableState.RECEIVING,
            resumable_uploads.c.ending,
            intakes.c.size == resumable_uploads.c.length,
            _UNFINISHED,
            resumable_uploads.c.updated_at < before,
            intakes.c.touched_at < before,
            _FREE,
        )
        .order_by(resumable_uploads.c.updated_at)
        .limit(limit)
    )
    return list(await connection.scalars(query))


async def expired(
    connection: Transaction, before: datetime, *, after: UUID | None, limit: int
) -> list[UUID]:
    """Return uploads without bytes since ``before`` that can be given up, in the order of ids.

    ``after`` is the last one of those asked for before. Not a part of a final one, which goes with
    that, and none that somebody adds to.
    """
    query = (
        select(resumable_uploads.c.id)
        .select_from(_WITH_INTAKE)
        .where(
            _UNFINISHED,
            intakes.c.touched_at < before,
            _FREE,
            resumable_uploads.c.final_id.is_(None),
        )
        .order_by(resumable_uploads.c.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(resumable_uploads.c.id > after)
    return list(await connection.scalars(query))


async def forget(transaction: Transaction, before: datetime, *, limit: int) -> int:
    """Delete what only tells of uploads that they have ended, and did ``before``; return how many.

    That is all that is left of expired ones, and of those that became the bytes of a file.
    """
    old = (
        select(resumable_uploads.c.id)
        .where(
            _UNFINISHED,
            resumable_uploads.c.updated_at < before,
            ~exists().where(intakes.c.id == resumable_uploads.c.id),
        )
        .limit(limit)
    )
    query = (
        delete(resumable_uploads)
        .where(resumable_uploads.c.id.in_(old))
        .returning(resumable_uploads.c.id)
    )
    return len(list(await transaction.scalars(query)))


def _upload(row: Mapping[str, Any]) -> ResumableUpload:
    values = dict(row)
    values["destination"] = msgspec.convert(values["destination"], Destination)
    values["state"] = ResumableState(values["state"])
    values["concatenation"] = Concatenation(values["concatenation"])
    values["parts"] = tuple(values["parts"])
    return ResumableUpload(**values)
