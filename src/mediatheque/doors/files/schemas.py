"""Files as door 4 speaks of them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from mediatheque.domain.errors import InvalidError
from mediatheque.domain.paging import MAX_OFFSET, MAX_PAGE_SIZE, Listing, Order, total_order
from mediatheque.doors.http.requests import parse_whole_number

DEFAULT_PAGE_SIZE = 10
_SORT_FIELDS = {"name": "filename", "size": "size", "uploaded": "created_at"}


class Ticket(Struct, frozen=True, rename="camel"):
    """The answer to an announced upload: PUT the bytes to ``uploadUrl``, then confirm ``id``."""

    id: str
    upload_url: str


class Success(Struct, frozen=True):
    """It was done."""

    success: bool = True


class File(Struct, frozen=True):
    """One file. ``size`` in bytes; ``url`` is a download link that works for a limited time.

    ``meta`` is what was found out about it.
    """

    id: str
    name: str
    size: int
    tags: tuple[str, ...]
    url: str
    uploaded: datetime
    meta: dict[str, Any]


class FilePage(Struct, frozen=True):
    """One page of files; ``total`` counts all that pass the filters."""

    page: list[File]
    total: int


def parse_upload(body: object) -> tuple[str, int, tuple[str, ...]]:
    """Return name, size in bytes and tags of an announced upload. Raises InvalidError."""
    values = _object(body)
    name, size = values.get("name"), values.get("size")
    if not isinstance(name, str) or not name.strip():
        raise InvalidError("The name is missing or empty.", field="name")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise InvalidError("The size is missing or no whole number of bytes.", field="size")
    tags = values.get("tags")
    return name, size, () if tags is None else parse_tags(tags)


def parse_confirmation(body: object) -> tuple[str, bool]:
    """Return the id and whether the upload succeeded. Raises InvalidError."""
    values = _object(body)
    file_id, success = values.get("id"), values.get("success")
    if not isinstance(file_id, str) or not file_id:
        raise InvalidError("The id is missing.", field="id")
    if not isinstance(success, bool):
        raise InvalidError("success must be true or false.", field="success")
    return file_id, success


def parse_tags(body: object) -> tuple[str, ...]:
    """Return a list of tags. Raises InvalidError."""
    if not isinstance(body, list) or not all(isinstance(tag, str) for tag in body):
        raise InvalidError('tags must be a list of texts, such as ["holiday"].', field="tags")
    return tuple(body)


def parse_listing(query: Mapping[str, str]) -> Listing:
    """Return the page that ``page``, ``pageSize`` and ``sort`` ask for. Raises InvalidError."""
    size = _number(query, "pageSize", default=DEFAULT_PAGE_SIZE, least=1, most=MAX_PAGE_SIZE)
    page = _number(query, "page", default=0, least=0, most=MAX_OFFSET // size)
    name, _, direction = query.get("sort", "uploaded,desc").partition(",")
    if name not in _SORT_FIELDS or direction not in {"", "asc", "desc"}:
        raise InvalidError("sort must be name, size or uploaded, then ,asc or ,desc.", field="sort")
    descending = direction == "desc"
    order = total_order((Order(_SORT_FIELDS[name], descending), Order("id", descending)))
    return Listing(order=order, limit=size, offset=page * size)


def _number(query: Mapping[str, str], name: str, *, default: int, least: int, most: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    return parse_whole_number(text, field=name, least=least, most=most)


def _object(body: object) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise InvalidError("The body must be a JSON object.")
    return body
