"""Medias as people look for them: any filter in any order, a page at a time."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Text,
    any_,
    func,
    literal,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY

from mediatheque.catalog import listing as pages
from mediatheque.catalog.database import Transaction
from mediatheque.catalog.medias import media_of
from mediatheque.catalog.tables import MEDIA_KIND, ORIGINALS, medias
from mediatheque.domain.library import LibraryFilter, LibraryQuery
from mediatheque.domain.media import Media
from mediatheque.domain.paging import Listing
from mediatheque.domain.processing import DERIVED

_TEXTS = ARRAY(Text)
_MOST_OF_ONE_RESOURCE = 1000
_KIND: ColumnElement[str] = literal_column(MEDIA_KIND, Text)


async def page(connection: Transaction, query: LibraryQuery, *, owner: str | None) -> list[Media]:
    """Return one page of medias, and one media more when there is a next page."""
    listing = Listing(order=query.sort.order, limit=query.limit + 1, after=query.after)
    rows = await connection.execute(pages.page(medias, listing, *_where(query.filter, owner)))
    return [media_of(row) for row in rows]


async def count(
    connection: Transaction, wanted: LibraryFilter, *, most: int, owner: str | None
) -> int:
    """Return how many medias pass a filter; of more than ``most``, one more than that."""
    found = select(literal(1)).select_from(medias).where(*_where(wanted, owner)).limit(most + 1)
    return int(await connection.scalar(select(func.count()).select_from(found.subquery())) or 0)


async def made_of(
    connection: Transaction, resources: Sequence[str], *, owner: str | None
) -> dict[str, frozenset[str]]:
    """Return the keys of what the service made of each of these originals."""
    query = select(medias.c.resource, medias.c.key).where(
        medias.c.resource == any_(literal(list(resources), _TEXTS)),
        medias.c.key == any_(literal(list(DERIVED), _TEXTS)),
        _owned(owner),
    )
    made: dict[str, set[str]] = defaultdict(set)
    for resource, key in await connection.execute(query):
        made[resource].add(key)
    return {resource: frozenset(keys) for resource, keys in made.items()}


async def of_resource(connection: Transaction, resource: str, *, owner: str | None) -> list[Media]:
    """Return the medias of one resource by their keys: the original comes first."""
    query = (
        select(medias)
        .where(medias.c.resource == resource, _owned(owner))
        .order_by(medias.c.key)
        .limit(_MOST_OF_ONE_RESOURCE)
    )
    return [media_of(row) for row in await connection.execute(query)]


def _where(wanted: LibraryFilter, owner: str | None) -> list[Any]:
    """Return what medias that pass a filter, and that ``owner`` may see, fulfil.

    What an index is chosen by is there as constants, not as parameters.
    """
    where: list[Any] = [_owned(owner)]
    if not wanted.derived:
        where.append(ORIGINALS)
    where.extend(_named(word) for word in wanted.words)
    if wanted.tags:
        where.append(medias.c.tags.contains(literal(list(wanted.tags), _TEXTS)))
    if wanted.kinds:
        where.append(_KIND.in_([literal_column(f"'{kind}'") for kind in sorted(wanted.kinds)]))
    if wanted.since is not None:
        where.append(medias.c.created_at >= wanted.since)
    if wanted.until is not None:
        where.append(medias.c.created_at <= wanted.until)
    if wanted.min_size is not None:
        where.append(medias.c.size >= wanted.min_size)
    if wanted.max_size is not None:
        where.append(medias.c.size <= wanted.max_size)
    if wanted.project_id is not None:
        where.append(medias.c.project_id == wanted.project_id)
    return where


def _named(word: str) -> ColumnElement[bool]:
    # A word has no space, so that it is in all of this when it is in one of these.
    names = medias.c.filename + " " + medias.c.resource + " " + medias.c.key
    return func.strpos(func.lower(names), func.lower(literal(word, Text))) > 0


def _owned(owner: str | None) -> ColumnElement[bool]:
    return true() if owner is None else medias.c.created_by == owner
