"""JSON:API query strings: ``filter``, ``sort``, ``page``, ``fields`` and ``count``.

https://jsonapi.org/format/1.1/#query-parameters. What is not declared is refused, never ignored.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from mediatheque.domain.errors import InvalidError
from mediatheque.domain.paging import (
    MAX_OFFSET,
    MAX_PAGE_SIZE,
    FieldType,
    Filter,
    Listing,
    Operator,
    Order,
    Value,
    decode_cursor,
    parse_boolean,
    parse_value,
    total_order,
)
from mediatheque.doors.http.requests import Pairs, parse_pairs, parse_whole_number

_FILTER = re.compile(r"filter\[(?P<field>\w+?)(?:__(?P<operator>in|gte|lte))?\](?P<many>\[\d*\])?")
_INCLUDED = re.compile(r"included?(\[\d*\])?")
_FIELDS = re.compile(r"fields\[(?P<type>[^\]]+)\](?P<many>\[\d*\])?")


@dataclass(frozen=True, slots=True)
class Collection:
    """What can be asked of one collection of resources.

    ``fields`` to filter and sort by; ``ranges``: those that also take ``gte`` and ``lte``;
    ``nullable``: those that can be null; ``attributes``: what a resource shows.
    """

    type: str
    fields: Mapping[str, FieldType]
    ranges: frozenset[str]
    nullable: frozenset[str]
    attributes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query string. ``number`` is None when the page is asked for by cursor."""

    listing: Listing
    number: int | None
    count: bool
    attributes: frozenset[str] | None
    rest: tuple[tuple[str, str], ...]

    def link(self, base: str, *, number: int | None = None, after: str | None = None) -> str:
        """Return the address of another page of the same list."""
        pairs = list(self.rest)
        if number is not None:
            pairs.append(("page[number]", str(number)))
        if after is not None:
            pairs.append(("page[after]", after))
        return f"{base}?{urlencode(pairs)}" if pairs else base


def parse_fields(pairs: Pairs, collection: Collection) -> frozenset[str] | None:
    """Return the attributes that ``fields[type]`` asks for; None when it asks for all."""
    chosen: set[str] | None = None
    for name, text in pairs:
        match = _FIELDS.fullmatch(name)
        if match is None:
            continue
        if match["type"] != collection.type:
            raise InvalidError(f"There are no resources of type {match['type']!r}.", field=name)
        chosen = chosen or set()
        chosen.update(part for part in text.split(",") if part)
    if chosen is None:
        return None
    unknown = sorted(chosen - collection.attributes - {"id"})
    if unknown:
        raise InvalidError(
            f"{collection.type} has no attribute {unknown[0]!r}.",
            field=f"fields[{collection.type}]",
        )
    return frozenset(chosen)


def parse_show(query_string: bytes, collection: Collection) -> frozenset[str] | None:
    """Return the attributes that a query string asks of one resource; None: all.

    Raises InvalidError for any other parameter. There is nothing to include.
    """
    pairs = parse_pairs(query_string)
    for name, _ in pairs:
        if _INCLUDED.fullmatch(name):
            raise InvalidError(
                f"{collection.type} has no related resources to include.", field=name[:100]
            )
        if not _FIELDS.fullmatch(name):
            raise _unknown_parameter(name)
    return parse_fields(pairs, collection)


def parse_filters(query_string: bytes, collection: Collection) -> tuple[Filter, ...]:
    """Return the filters of a query string. Raises InvalidError for any other parameter."""
    pairs = parse_pairs(query_string)
    for name, _ in pairs:
        if not _FILTER.fullmatch(name):
            raise _unknown_parameter(name)
    return _parse_filters(pairs, collection)


def parse_query(query_string: bytes, collection: Collection) -> Query:
    """Return what a query string asks of a collection. Raises InvalidError naming the parameter."""
    pairs = parse_pairs(query_string)
    single = _single_parameters(pairs)
    order = _parse_sort(single.get("sort", ""), collection)
    size = _parse_page_number(single, "page[size]", default=MAX_PAGE_SIZE, most=MAX_PAGE_SIZE)
    after: tuple[Value | None, ...] | None = None
    number: int | None = None
    if "page[after]" in single:
        after = _parse_after(single, order, collection)
    else:
        number = _parse_page_number(single, "page[number]", default=1, most=MAX_OFFSET // size)
    listing = Listing(
        filters=_parse_filters(pairs, collection),
        order=order,
        limit=size,
        offset=(number - 1) * size if number is not None else 0,
        after=after,
    )
    return Query(
        listing=listing,
        number=number,
        count=parse_boolean(single.get("count", "false"), field="count"),
        attributes=parse_fields(pairs, collection),
        rest=tuple(pair for pair in pairs if pair[0] not in {"page[number]", "page[after]"}),
    )


def _single_parameters(pairs: Pairs) -> dict[str, str]:
    """Return the parameters that may be given once; refuse what is not known."""
    known = {"sort", "count", "page[number]", "page[size]", "page[after]"}
    single: dict[str, str] = {}
    for name, text in pairs:
        if name in known:
            if name in single:
                raise InvalidError(f"{name} is given twice.", field=name)
            single[name] = text
        elif not (_FILTER.fullmatch(name) or _FIELDS.fullmatch(name)):
            raise _unknown_parameter(name)
    return single


def _unknown_parameter(name: str) -> InvalidError:
    return InvalidError(f"There is no parameter {name[:100]!r}.", field=name[:100])


def _parse_page_number(single: Mapping[str, str], name: str, *, default: int, most: int) -> int:
    text = single.get(name)
    if text is None:
        return default
    return parse_whole_number(text, field=name, least=1, most=most)


def _parse_sort(text: str, collection: Collection) -> tuple[Order, ...]:
    order: list[Order] = []
    for part in text.split(",") if text else ():
        name = part.strip().removeprefix("-")
        if name not in collection.fields:
            raise InvalidError(
                f"{collection.type} cannot be sorted by {name[:100]!r}.", field="sort"
            )
        order.append(Order(name, descending=part.strip().startswith("-")))
    return total_order(tuple(order))


def _parse_after(
    single: Mapping[str, str], order: tuple[Order, ...], collection: Collection
) -> tuple[Value | None, ...] | None:
    name = "page[after]"
    if "page[number]" in single:
        raise InvalidError(f"Give either {name} or page[number].", field=name)
    if single[name] == "":
        return None  # the first page, to be followed by cursors
    return decode_cursor(
        single[name], order, collection.fields, nullable=collection.nullable, field=name
    )


def _parse_filters(pairs: Pairs, collection: Collection) -> tuple[Filter, ...]:
    scalar: dict[str, Filter] = {}
    lists: dict[str, list[Value]] = {}
    for name, text in pairs:
        match = _FILTER.fullmatch(name)
        if match is None:
            continue
        field, operator = match["field"], match["operator"]
        ranged = operator in {"gte", "lte"}
        if field not in collection.fields or (
            ranged and (match["many"] or field not in collection.ranges)
        ):
            raise InvalidError(f"{collection.type} has no filter {name[:100]!r}.", field=name[:100])
        value = _value_parser(collection.fields[field], name)
        if match["many"] or operator == "in":
            texts = [text] if match["many"] else text.split(",")
            found = lists.setdefault(field, [])
            found.extend(v for v in map(value, texts) if v is not None)
            continue
        if name in scalar:
            raise InvalidError(f"{name} is given twice.", field=name)
        parsed = value(text)
        scalar[name] = Filter(
            field, Operator(operator or "in"), () if parsed is None else (parsed,)
        )
    several = (Filter(field, Operator.IN, tuple(found)) for field, found in lists.items())
    return (*scalar.values(), *several)


def _value_parser(kind: FieldType, name: str) -> Callable[[str], Value | None]:
    return lambda text: parse_value(text, kind, field=name)
