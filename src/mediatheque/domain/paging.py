"""Asking for a part of a long list: filters, order, pages.

What can be asked of a list is declared as a mapping of field names to types; everything else is
refused, never ignored.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum, StrEnum
from uuid import UUID

from mediatheque.domain.errors import InvalidError
from mediatheque.domain.ids import parse_id

MAX_PAGE_SIZE = 1000
MAX_OFFSET = 2**31 - 1
_MAX_INTEGER = 2**63 - 1
# What a text in the catalog cannot hold.
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?([eE]-?[0-9]{1,2})?")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")

Value = str | int | float | bool | datetime | UUID


class FieldType(Enum):
    """Type of a field that a list can be filtered and sorted by."""

    ID = "id"
    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIME = "time"


class Operator(StrEnum):
    """How a field is compared with the values of a filter."""

    IN = "in"
    AT_LEAST = "gte"
    AT_MOST = "lte"


@dataclass(frozen=True, slots=True)
class Filter:
    """Keeps the rows whose ``field`` compares so with one of ``values``.

    No value at all keeps nothing: that is what an id that cannot exist comes to.
    """

    field: str
    operator: Operator
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """One field to sort by."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a list. ``order`` always ends with ``id``, so that it is total.

    ``after`` holds the values of ``order``'s fields in the last row of the page before. Null comes
    after every value, or before it where the order descends.
    """

    filters: tuple[Filter, ...] = ()
    order: tuple[Order, ...] = (Order("id"),)
    limit: int = MAX_PAGE_SIZE
    offset: int = 0
    after: tuple[Value | None, ...] | None = None


def total_order(order: tuple[Order, ...]) -> tuple[Order, ...]:
    """Return ``order`` ended with ``id`` and without repeated fields, so that it is stable.

    The ``id`` goes in the direction of the field before it: descending is ascending read from the
    end, and one index serves both.
    """
    seen: dict[str, Order] = {}
    for item in order:
        seen.setdefault(item.field, item)
    seen.setdefault("id", Order("id", descending=bool(order) and order[-1].descending))
    fields = list(seen)
    return tuple(seen[name] for name in fields[: fields.index("id") + 1])


def parse_value(text: str, kind: FieldType, *, field: str) -> Value | None:
    """Return what ``text`` means as a value of this type; None for an id that cannot exist.

    Raises InvalidError naming ``field``.
    """
    if kind is FieldType.ID:
        return parse_id(text)
    if kind is FieldType.INTEGER:
        return _parse_integer(text, field)
    if kind is FieldType.NUMBER:
        return _parse_number(text, field)
    if kind is FieldType.BOOLEAN:
        return parse_boolean(text, field=field)
    if kind is FieldType.TIME:
        return _parse_time(text, field)
    if _UNSTORABLE.search(text):
        raise InvalidError(
            f"{field} must not contain a NUL character or half of a surrogate pair.", field=field
        )
    return text


def parse_boolean(text: str, *, field: str) -> bool:
    """Return ``true``/``1`` as True, ``false``/``0`` as False. Raises InvalidError otherwise."""
    lowered = text.lower()
    if lowered not in {"true", "1", "false", "0"}:
        raise InvalidError(f"{field} must be true or false, not {text[:40]!r}.", field=field)
    return lowered in {"true", "1"}


def _parse_integer(text: str, field: str) -> int:
    digits = text.removeprefix("-")
    if (
        not (digits.isascii() and digits.isdigit())
        or len(digits) > 19
        or int(digits) > _MAX_INTEGER
    ):
        raise InvalidError(f"{field} must be a whole number, not {text[:40]!r}.", field=field)
    return int(text)


def _parse_number(text: str, field: str) -> float:
    # Digits only: float() would also take "nan", "inf" and "1_0".
    if not _NUMBER.fullmatch(text):
        raise InvalidError(f"{field} must be a number, not {text[:40]!r}.", field=field)
    return float(text)


def _parse_time(text: str, field: str) -> datetime:
    try:
        # A "+" of an offset that was not percent-encoded arrives as a space.
        moment = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidError(
            f"{field} must be a time such as 2026-01-31T12:00:00Z, not {text[:40]!r}.", field=field
        ) from None


def encode_cursor(order: tuple[Order, ...], values: tuple[Value | None, ...]) -> str:
    """Return an opaque text that says where a page in this order ended."""
    plain = [_plain(value) for value in values]
    raw = json.dumps([_signature(order), plain], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(raw.encode()).rstrip(b"=").decode()


def decode_cursor(
    cursor: str,
    order: tuple[Order, ...],
    fields: Mapping[str, FieldType],
    *,
    nullable: frozenset[str],
    field: str,
) -> tuple[Value | None, ...]:
    """Return the values that ``encode_cursor`` put into ``cursor``; null where it may be.

    Raises InvalidError when it is no cursor, or one that was made for another order.
    """
    refused = InvalidError(
        f"{field} is not a cursor of this list. Take it from links.next, with the same sort.",
        field=field,
    )
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        signature, plain = json.loads(raw)
        if signature != _signature(order) or len(plain) != len(order):
            raise refused
        values = tuple(
            None if text is None else parse_value(str(text), fields[item.field], field=field)
            for item, text in zip(order, plain, strict=True)
        )
    except (binascii.Error, UnicodeDecodeError, ValueError, TypeError, RecursionError):
        raise refused from None
    for item, value in zip(order, values, strict=True):
        if value is None and item.field not in nullable:
            raise refused
    return values


def one_more(listing: Listing) -> Listing:
    """Return the same page with one row more, whose presence tells that a next page exists."""
    return replace(listing, limit=listing.limit + 1)


def _plain(value: Value | None) -> str | None:
    if value is None:
        return None
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _signature(order: tuple[Order, ...]) -> str:
    return ",".join(("-" if item.descending else "") + item.field for item in order)
