"""Lists and resources as JSON:API has them (https://jsonapi.org/format/1.1/)."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import httpx
import msgspec
from msgspec import Struct

from mediatheque.client.answers import decode
from mediatheque.client.connection import Connection
from mediatheque.client.errors import NotUnderstoodError

PAGE_SIZE = 500

T = TypeVar("T")
Scalar = str | int | float | bool | datetime
Filters = Mapping[str, Scalar | Sequence[str]]
"""Field names, or field and operator (``size__gte``), with a value; several mean one of them."""


class _Resource(Struct, frozen=True):
    id: str
    attributes: dict[str, Any]


class _Document(Struct, frozen=True):
    data: _Resource


class _Links(Struct, frozen=True):
    next: str | None = None


class _Page(Struct, frozen=True):
    data: list[_Resource]
    links: _Links


def filter_parameters(filters: Filters) -> list[tuple[str, str]]:
    """Return filters as the query string has them."""
    pairs: list[tuple[str, str]] = []
    for name, value in filters.items():
        if isinstance(value, str | int | float | datetime):
            pairs.append((f"filter[{name}]", _text(value)))
        else:
            pairs.extend((f"filter[{name}][]", _text(item)) for item in value)
    return pairs


def one(response: httpx.Response, kind: type[T]) -> T:
    """Return the resource of an answer that holds one."""
    return _convert(decode(response, _Document).data, kind)


async def every(
    connection: Connection,
    path: str,
    kind: type[T],
    *,
    filters: Filters,
    sort: str,
    limit: int | None = None,
) -> AsyncIterator[T]:
    """Yield the resources of a list, at most ``limit``; pages are asked for as they are needed."""
    size = PAGE_SIZE if limit is None else min(PAGE_SIZE, limit)
    params = [*filter_parameters(filters), ("sort", sort), ("page[size]", str(size))]
    after: str | None = ""
    left = limit
    while after is not None and left != 0:
        response = await connection.request("GET", path, params=[*params, ("page[after]", after)])
        page = decode(response, _Page)
        for resource in page.data[:left]:
            yield _convert(resource, kind)
        left = None if left is None else max(0, left - len(page.data))
        after = _cursor(page.links.next)


def _convert(resource: _Resource, kind: type[T]) -> T:
    try:
        return msgspec.convert({**resource.attributes, "id": resource.id}, kind)
    except msgspec.ValidationError as error:
        raise NotUnderstoodError(f"The server speaks another version of the API: {error}") from None


def _cursor(link: str | None) -> str | None:
    """Return the cursor of a link. Only that: behind a proxy its address may be another."""
    if link is None:
        return None
    return dict(parse_qsl(urlsplit(link).query)).get("page[after]")


def _text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, datetime) else str(value)
