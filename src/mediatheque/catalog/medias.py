"""Rows of medias."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Row,
    Text,
    Uuid,
    any_,
    bindparam,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.exc import IntegrityError

from mediatheque.catalog import listing as pages
from mediatheque.catalog.database import Transaction
from mediatheque.catalog.tables import medias
from mediatheque.domain.errors import ExistsError
from mediatheque.domain.media import Media
from mediatheque.domain.paging import Filter, Listing

_UUIDS = ARRAY(Uuid)
_TEXTS = ARRAY(Text)
_FIELDS = tuple(field.name for field in fields(Media))

# Built once: putting these together at every request costs more than running them.
_OWNED = or_(
    bindparam("owner", type_=Text).is_(None), medias.c.created_by == bindparam("owner", type_=Text)
)
_BY_ID = select(medias).where(medias.c.id == bindparam("media_id"), _OWNED)
_BY_ADDRESS = select(medias).where(
    medias.c.resource == bindparam("resource"), medias.c.key == bindparam("key"), _OWNED
)


async def add(transaction: Transaction, media: Media) -> None:
    """Insert a media.

    Raises ExistsError when its id or its address is taken; the transaction is void then.
    """
    try:
        await transaction.execute(insert(medias).values(_values(media)))
    except IntegrityError as error:
        raise ExistsError(
            f"Resource {media.resource} with key {media.key} already exists"
        ) from error


async def add_all(transaction: Transaction, several: Sequence[Media]) -> None:
    """Insert many medias that have fresh ids, each being its resource too."""
    await transaction.execute(insert(medias), [_values(media) for media in several])


async def find(transaction: Transaction, media_id: UUID, *, owner: str | None) -> Media | None:
    """Return a media by its id, if ``owner`` (None: anybody) may see it."""
    return _one(await transaction.execute(_BY_ID, {"media_id": media_id, "owner": owner}))


async def find_address(
    transaction: Transaction, resource: str, key: str, *, owner: str | None
) -> Media | None:
    """Return a media by its address."""
    values = {"resource": resource, "key": key, "owner": owner}
    return _one(await transaction.execute(_BY_ADDRESS, values))


async def page(transaction: Transaction, listing: Listing, *, owner: str | None) -> list[Media]:
    """Return one page of medias."""
    rows = await transaction.execute(pages.page(medias, listing, _owned(owner)))
    return [media_of(row) for row in rows]


async def count(transaction: Transaction, filters: tuple[Filter, ...], *, owner: str | None) -> int:
    """Return how many medias pass the filters, exactly."""
    where = pages.conditions(medias, filters)
    query = select(func.count()).select_from(medias).where(*where, _owned(owner))
    return int(await transaction.scalar(query) or 0)


async def originals(
    transaction: Transaction,
    listing: Listing,
    *,
    name_part: str,
    tags: Sequence[str],
    owner: str | None,
) -> tuple[list[Media], int]:
    """Return one page of originals and how many there are in all.

    ``name_part`` is looked for anywhere in the file name, in any case; every one of ``tags`` must
    be on the media.
    """
    where = [medias.c.key == "", _owned(owner)]
    if name_part:
        where.append(medias.c.filename.icontains(name_part, autoescape=True))
    if tags:
        where.append(medias.c.tags.contains(literal(list(tags), _TEXTS)))
    rows = await transaction.execute(pages.page(medias, listing, *where))
    total = await transaction.scalar(select(func.count()).select_from(medias).where(*where))
    return [media_of(row) for row in rows], int(total or 0)


async def find_same(
    transaction: Transaction, *, blake3: str, size: int, owner: str | None
) -> Media | None:
    """Return a media that has the same bytes, if ``owner`` may see one."""
    query = (
        select(medias)
        .where(medias.c.blake3 == blake3, medias.c.size == size, _owned(owner))
        .order_by(medias.c.id)
        .limit(1)
    )
    return _one(await transaction.execute(query))


async def hold(transaction: Transaction, ids: Sequence[UUID]) -> set[UUID]:
    """Keep medias from being deleted until the transaction ends; return which are there."""
    query = (
        select(medias.c.id)
        .where(medias.c.id == any_(literal(list(ids), _UUIDS)))
        .order_by(medias.c.id)
        .with_for_update(read=True)
    )
    return set(await transaction.scalars(query))


async def remove_resource(
    transaction: Transaction, media_id: UUID, *, owner: str | None
) -> list[str] | None:
    """Delete an original and everything derived from it; None when there is no such original.

    Returns the keys of the objects that no other media refers to. When two medias of one object
    are deleted at the same time each may still see the other: then it is left to the janitor.
    """
    resource = select(medias.c.resource).where(
        medias.c.id == media_id, medias.c.key == "", _owned(owner)
    )
    query = (
        delete(medias)
        .where(medias.c.resource == resource.scalar_subquery(), _owned(owner))
        .returning(medias.c.object_key)
    )
    removed = list(await transaction.scalars(query))
    if not removed:
        return None
    # Asked only now: one that came to share an object while the deletion waited for it is seen.
    shared = await object_keys(transaction, removed)
    return [key for key in removed if key not in shared]


async def remove_keys(transaction: Transaction, resource: str, keys: Sequence[str]) -> list[str]:
    """Delete medias derived from an original, by their keys.

    Returns the keys of the objects that no other media refers to.
    """
    query = (
        delete(medias)
        .where(
            medias.c.resource == resource,
            medias.c.key == any_(literal(list(keys), _TEXTS)),
            medias.c.key != "",
        )
        .returning(medias.c.object_key)
    )
    removed = list(await transaction.scalars(query))
    shared = await object_keys(transaction, removed) if removed else set()
    return [key for key in removed if key not in shared]


async def replace_original(transaction: Transaction, media_id: UUID, derived: Media) -> str:
    """Let what was derived from an original take its place, under a new id.

    The two then share the derived object. What is known of the original stays known. Returns the
    key of the object that it had.
    """
    place = (medias.c.resource == derived.resource, medias.c.key == "")
    old = (await transaction.execute(delete(medias).where(*place).returning(medias))).one()
    original = media_of(old)
    await add(
        transaction,
        replace(
            derived,
            id=media_id,
            key="",
            created_at=original.created_at,
            tags=original.tags,
            meta=original.meta,
        ),
    )
    return original.object_key


async def learn(
    transaction: Transaction, media_id: UUID, *, meta: dict[str, Any], mime_type: str
) -> None:
    """Add what was found out about a media to its ``meta``; what is of the same name gives way.

    So does the error of an earlier attempt.
    """
    await transaction.execute(
        update(medias)
        .where(medias.c.id == media_id)
        .values(
            meta=medias.c.meta.op("-")("error").op("||")(literal(meta, JSONB)),
            mime_type=mime_type,
            updated_at=func.now(),
        )
    )


async def lock_tags(
    transaction: Transaction, media_id: UUID, *, owner: str | None
) -> tuple[str, ...] | None:
    """Return an original's tags and keep others from changing it until the transaction ends."""
    query = (
        select(medias.c.tags)
        .where(medias.c.id == media_id, medias.c.key == "", _owned(owner))
        .with_for_update()
    )
    tags = await transaction.scalar(query)
    return None if tags is None else tuple(tags)


async def set_tags(transaction: Transaction, media_id: UUID, tags: Sequence[str]) -> None:
    """Replace the tags of a media."""
    await transaction.execute(
        update(medias).where(medias.c.id == media_id).values(tags=list(tags), updated_at=func.now())
    )


async def object_keys(transaction: Transaction, keys: Sequence[str]) -> set[str]:
    """Return which of these keys are of objects that medias refer to."""
    query = select(medias.c.object_key).where(
        medias.c.object_key == any_(literal(list(keys), _TEXTS))
    )
    return set(await transaction.scalars(query))


def media_of(row: Row[Any]) -> Media:
    """Return the media of a row that has every column."""
    values = row._mapping  # noqa: SLF001 - the documented name of a row's mapping
    return Media(**{**values, "tags": tuple(values["tags"])})


def _values(media: Media) -> dict[str, Any]:
    # Not asdict(): it copies every value deeply, a fifth of the time that adding many takes.
    return {name: getattr(media, name) for name in _FIELDS} | {"tags": list(media.tags)}


def _owned(owner: str | None) -> ColumnElement[bool]:
    return true() if owner is None else medias.c.created_by == owner


def _one(rows: Any) -> Media | None:
    row = rows.one_or_none()
    return None if row is None else media_of(row)
