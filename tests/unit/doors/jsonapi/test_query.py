"""Query strings of door 3: what they mean, and that everything else is refused."""

import contextlib
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlencode, urlsplit
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediatheque.domain.errors import InvalidError
from mediatheque.domain.media import LISTED_FIELDS
from mediatheque.domain.paging import Filter, Operator, Order, encode_cursor
from mediatheque.doors.jsonapi.query import Query, parse_fields, parse_query
from mediatheque.doors.medias.schemas import COLLECTION

ID = UUID("01a1fd33-f952-75d9-b62d-bbb913599ced")
IN, AT_LEAST, AT_MOST = Operator.IN, Operator.AT_LEAST, Operator.AT_MOST
JANUARY = datetime(2026, 1, 1, tzinfo=UTC)


def parsed(query: str) -> Query:
    return parse_query(quote(query, safe="&=+%,").encode(), COLLECTION)


def test_nothing_asked_is_the_first_thousand_by_id() -> None:
    query = parsed("")

    assert query.listing.order == (Order("id"),)
    assert (query.listing.limit, query.listing.offset, query.listing.after) == (1000, 0, None)
    assert query.listing.filters == ()
    assert (query.number, query.count, query.attributes) == (1, False, None)


@pytest.mark.parametrize(
    ("query", "limit", "offset"),
    [
        ("page[number]=1", 1000, 0),
        ("page[number]=3&page[size]=10", 10, 20),
        ("page[size]=1000", 1000, 0),
        ("page[size]=1&page[number]=2147483647", 1, 2147483646),
    ],
)
def test_pages_are_numbered_from_one(query: str, limit: int, offset: int) -> None:
    listing = parsed(query).listing

    assert (listing.limit, listing.offset) == (limit, offset)


@pytest.mark.parametrize(
    ("query", "filters"),
    [
        ("filter[key]=", [Filter("key", IN, ("",))]),
        ("filter[key]=a,b", [Filter("key", IN, ("a,b",))]),
        ("filter[filename]=50%25+_'", [Filter("filename", IN, ("50% _'",))]),
        ("filter[key][]=a&filter[key][]=b", [Filter("key", IN, ("a", "b"))]),
        ("filter[key][0]=a&filter[key][1]=b", [Filter("key", IN, ("a", "b"))]),
        ("filter[key__in]=a,b", [Filter("key", IN, ("a", "b"))]),
        ("filter[key__in][]=a,b&filter[key__in][]=c", [Filter("key", IN, ("a,b", "c"))]),
        ("filter[key][]=a&filter[key__in]=b,c", [Filter("key", IN, ("a", "b", "c"))]),
        ("filter[size]=5", [Filter("size", IN, (5,))]),
        ("filter[size__gte]=5", [Filter("size", AT_LEAST, (5,))]),
        (
            "filter[size__gte]=5&filter[size__lte]=9",
            [Filter("size", AT_LEAST, (5,)), Filter("size", AT_MOST, (9,))],
        ),
        ("filter[created_at__lte]=2026-01-01", [Filter("created_at", AT_MOST, (JANUARY,))]),
        ("filter[updated_at]=2026-01-01T00:00Z", [Filter("updated_at", IN, (JANUARY,))]),
        ("filter[public]=true", [Filter("public", IN, (True,))]),
        ("filter[public__in]=true,false", [Filter("public", IN, (True, False))]),
        (f"filter[id]={ID}", [Filter("id", IN, (ID,))]),
        (f"filter[id__in]={ID},5", [Filter("id", IN, (ID,))]),
        ("filter[id]=5", [Filter("id", IN, ())]),
        ("filter[id][]=5", [Filter("id", IN, ())]),
        (
            "filter[key]=a&filter[resource]=b",
            [Filter("key", IN, ("a",)), Filter("resource", IN, ("b",))],
        ),
        ("filter[key]=a&filter[key][]=b", [Filter("key", IN, ("a",)), Filter("key", IN, ("b",))]),
    ],
)
def test_filters_mean_what_is_documented(query: str, filters: list[Filter]) -> None:
    assert list(parsed(query).listing.filters) == filters


@pytest.mark.parametrize("name", LISTED_FIELDS)
def test_every_declared_field_can_be_filtered_and_sorted_by(name: str) -> None:
    value = {"size": "1", "public": "true", "id": str(ID)}.get(name, "2026-01-01")

    query = parsed(f"filter[{name}]={value}&filter[{name}__in]={value}&sort=-{name}")

    assert [item.field for item in query.listing.filters] == [name, name]
    assert query.listing.order[0] == Order(name, descending=True)


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("", [Order("id")]),
        ("id", [Order("id")]),
        ("-id", [Order("id", descending=True)]),
        ("-created_at,id", [Order("created_at", descending=True), Order("id")]),
        ("size, -filename", [Order("size"), Order("filename", True), Order("id", True)]),
        ("size,size", [Order("size"), Order("id")]),
    ],
)
def test_every_order_ends_with_the_id(sort: str, order: list[Order]) -> None:
    assert list(parsed(f"sort={sort}").listing.order) == order


@pytest.mark.parametrize(
    ("query", "attributes"),
    [
        ("fields[media:medias]=size,key", {"size", "key"}),
        ("fields[media:medias][]=size&fields[media:medias][]=key", {"size", "key"}),
        ("fields[media:medias]=id,size", {"id", "size"}),
        ("fields[media:medias]=", set()),
        ("fields[media:medias]=tags,meta,checksum", {"tags", "meta", "checksum"}),
    ],
)
def test_only_these_attributes_are_asked_for(query: str, attributes: set[str]) -> None:
    pairs = parse_qsl(query, keep_blank_values=True)

    assert parsed(query).attributes == frozenset(attributes)
    assert parse_fields(pairs, COLLECTION) == frozenset(attributes)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page[size]=0", "page[size]"),
        ("page[size]=1001", "page[size]"),
        ("page[size]=-1", "page[size]"),
        ("page[size]=abc", "page[size]"),
        ("page[size]=1.5", "page[size]"),
        ("page[size]=", "page[size]"),
        ("page[size]=٣", "page[size]"),
        ("page[size]=" + "9" * 5000, "page[size]"),
        ("page[number]=0", "page[number]"),
        ("page[number]=2147484", "page[number]"),
        ("page[number]=1&page[number]=2", "page[number]"),
        ("page[after]=x", "page[after]"),
        ("page[after]=&page[number]=1", "page[after]"),
        ("page[before]=x", "page[before]"),
        ("page=1", "page"),
        ("sort=nothing", "sort"),
        ("sort=tags", "sort"),
        ("sort=--size", "sort"),
        ("sort=size,", "sort"),
        ("sort=size&sort=key", "sort"),
        ("count=maybe", "count"),
        ("count=", "count"),
        ("filter[nothing]=1", "filter[nothing]"),
        ("filter[tags]=1", "filter[tags]"),
        ("filter[]=1", "filter[]"),
        ("filter=1", "filter"),
        ("filter[size]=many", "filter[size]"),
        ("filter[size]=", "filter[size]"),
        ("filter[size][]=1&filter[size][]=x", "filter[size][]"),
        ("filter[size__in]=1,x", "filter[size__in]"),
        ("filter[size__gt]=1", "filter[size__gt]"),
        ("filter[size__gte][]=1", "filter[size__gte][]"),
        ("filter[filename__gte]=a", "filter[filename__gte]"),
        ("filter[size]=1&filter[size]=2", "filter[size]"),
        ("filter[size__gte]=1&filter[size__gte]=2", "filter[size__gte]"),
        ("filter[created_at]=today", "filter[created_at]"),
        ("filter[public]=yes", "filter[public]"),
        ("filter[key]=a%00b", "filter[key]"),
        ("filter[size][a]=1", "filter[size][a]"),
        ("fields[media:medias]=nothing", "fields[media:medias]"),
        ("fields[media:jobs]=size", "fields[media:jobs]"),
        ("fields=size", "fields"),
        ("included[]=x", "included[]"),
        ("Sort=id", "Sort"),
    ],
)
def test_what_is_not_declared_is_refused_naming_the_parameter(query: str, field: str) -> None:
    with pytest.raises(InvalidError) as refused:
        parsed(query)

    assert refused.value.field == field
    assert len(refused.value.detail) < 300


def test_a_parameter_of_any_length_gets_a_short_answer() -> None:
    with pytest.raises(InvalidError) as refused:
        parsed("x" * 10_000 + "=1")

    assert len(refused.value.detail) < 200


def test_a_cursor_takes_the_place_of_a_number() -> None:
    order = parsed("sort=-size").listing.order
    cursor = encode_cursor(order, (5, ID))

    query = parsed(f"sort=-size&page[after]={cursor}&page[size]=10")

    assert query.number is None
    assert query.listing.after == (5, ID)
    assert (query.listing.limit, query.listing.offset) == (10, 0)
    assert parsed("page[after]=").listing.after is None


def test_a_cursor_of_another_order_is_refused() -> None:
    cursor = encode_cursor((Order("size"), Order("id")), (5, ID))

    with pytest.raises(InvalidError, match="the same sort"):
        parsed(f"sort=-size&page[after]={cursor}")


def test_a_link_asks_the_same_of_another_page() -> None:
    asked = "filter[key]=&sort=-size&page[size]=10&count=true&fields[media:medias]=key"
    first = parsed(asked + "&page[number]=4")

    again = urlsplit(first.link("http://host/medias", number=5)).query

    second = parse_query(again.encode(), COLLECTION)
    assert second.listing.offset == 40
    assert second.listing.filters == first.listing.filters
    assert (second.count, second.attributes) == (first.count, first.attributes)
    assert parsed("").link("http://host/medias") == "http://host/medias"


NAMES = st.sampled_from(
    [
        *(f"filter[{name}{op}]" for name in LISTED_FIELDS for op in ("", "__in", "__gte", "__lte")),
        *(f"filter[{name}][]" for name in LISTED_FIELDS),
        *("sort", "count", "page[number]", "page[size]", "page[after]", "fields[media:medias]"),
        "filter[nothing]",
    ]
)


@given(st.lists(st.tuples(st.one_of(NAMES, st.text()), st.text()), max_size=5))
def test_any_query_is_understood_or_refused(pairs: list[tuple[str, str]]) -> None:
    encoded = urlencode(pairs, errors="replace").encode()

    with contextlib.suppress(InvalidError):
        query = parse_query(encoded, COLLECTION)
        assert query.listing.order[-1].field == "id"
        assert 1 <= query.listing.limit <= 1000
        assert 0 <= query.listing.offset < 2**31
        assert {item.field for item in query.listing.filters} <= set(LISTED_FIELDS)


@given(st.binary(max_size=100))
def test_any_bytes_are_understood_or_refused(raw: bytes) -> None:
    with contextlib.suppress(InvalidError):
        parse_query(raw, COLLECTION)
