"""Filters, orders and cursors."""

import base64
import contextlib
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediatheque.domain.errors import InvalidError
from mediatheque.domain.ids import new_id
from mediatheque.domain.paging import (
    FieldType,
    Listing,
    Order,
    Value,
    decode_cursor,
    encode_cursor,
    one_more,
    parse_boolean,
    parse_value,
    total_order,
)

ID = "01a1fd33-f952-75d9-b62d-bbb913599ced"
FIELDS = {
    "id": FieldType.ID,
    "name": FieldType.TEXT,
    "size": FieldType.INTEGER,
    "public": FieldType.BOOLEAN,
    "made": FieldType.TIME,
}
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "id": st.builds(new_id),
    "name": TEXTS,
    "size": st.integers(-(2**63) + 1, 2**63 - 1),
    "public": st.booleans(),
    "made": st.datetimes(timezones=st.just(UTC)),
}
ORDERS = st.lists(st.builds(Order, st.sampled_from(sorted(FIELDS)), st.booleans()), max_size=4).map(
    lambda order: total_order(tuple(order))
)


NULLABLE = frozenset({"size", "made"})


def cursor(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("given_order", "expected"),
    [
        ([], ["id"]),
        (["name"], ["name", "id"]),
        (["-name", "size"], ["-name", "size", "id"]),
        (["name", "-size"], ["name", "-size", "-id"]),
        (["-name", "id"], ["-name", "id"]),
        (["-id", "name"], ["-id"]),
        (["name", "-name", "size"], ["name", "size", "id"]),
    ],
)
def test_an_order_is_total_and_names_no_field_twice(
    given_order: list[str], expected: list[str]
) -> None:
    def orders(names: list[str]) -> tuple[Order, ...]:
        return tuple(Order(name.removeprefix("-"), name.startswith("-")) for name in names)

    assert total_order(orders(given_order)) == orders(expected)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (FieldType.TEXT, "", ""),
        (FieldType.TEXT, "%_'\\", "%_'\\"),
        (FieldType.INTEGER, "0", 0),
        (FieldType.INTEGER, "-12", -12),
        (FieldType.INTEGER, "9223372036854775807", 2**63 - 1),
        (FieldType.BOOLEAN, "true", True),
        (FieldType.BOOLEAN, "FALSE", False),
        (FieldType.BOOLEAN, "1", True),
        (FieldType.BOOLEAN, "0", False),
        (FieldType.TIME, "2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        (FieldType.TIME, "2026-01-31T12:00:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        (FieldType.TIME, "2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        (FieldType.TIME, "2026-01-31T12:00:00+02:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        (FieldType.TIME, "2026-01-31T12:00:00 02:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        (FieldType.ID, "1", None),
        (FieldType.ID, ID.upper(), UUID(ID)),
    ],
)
def test_a_text_is_read_as_its_type(kind: FieldType, text: str, value: Value | None) -> None:
    found = parse_value(text, kind, field="x")

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (FieldType.TEXT, "a\0b"),
        (FieldType.TEXT, "\ud800"),
        (FieldType.INTEGER, ""),
        (FieldType.INTEGER, "1.0"),
        (FieldType.INTEGER, "1e3"),
        (FieldType.INTEGER, "+1"),
        (FieldType.INTEGER, "--1"),
        (FieldType.INTEGER, " 1"),
        (FieldType.INTEGER, "1_000"),
        (FieldType.INTEGER, "٣"),
        (FieldType.INTEGER, "9223372036854775808"),
        (FieldType.INTEGER, "9" * 10_000),
        (FieldType.BOOLEAN, ""),
        (FieldType.BOOLEAN, "yes"),
        (FieldType.TIME, ""),
        (FieldType.TIME, "yesterday"),
        (FieldType.TIME, "1700000000"),
        (FieldType.TIME, "2026-02-30"),
        (FieldType.TIME, "0001-01-01T00:00:00+14:00"),
    ],
)
def test_what_is_not_of_the_type_is_refused_naming_the_field(kind: FieldType, text: str) -> None:
    with pytest.raises(InvalidError) as refused:
        parse_value(text, kind, field="filter[x]")

    assert refused.value.field == "filter[x]"
    assert "filter[x]" in refused.value.detail
    assert len(refused.value.detail) < 200


def test_a_boolean_is_never_guessed() -> None:
    with pytest.raises(InvalidError, match="true or false"):
        parse_boolean("on", field="count")


@given(st.text())
def test_any_text_is_a_value_or_refused(text: str) -> None:
    for kind in FieldType:
        with contextlib.suppress(InvalidError):
            parse_value(text, kind, field="x")


@given(ORDERS, st.data())
def test_a_cursor_brings_back_the_values_it_was_made_of(
    order: tuple[Order, ...], data: st.DataObject
) -> None:
    values = tuple(
        data.draw(st.none() | VALUES[item.field] if item.field in NULLABLE else VALUES[item.field])
        for item in order
    )

    made = encode_cursor(order, values)

    assert made.isascii()
    assert decode_cursor(made, order, FIELDS, nullable=NULLABLE, field="page[after]") == values


def test_a_time_of_any_zone_is_the_same_moment_in_a_cursor() -> None:
    order = total_order((Order("made"),))
    moment = datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=5)))

    made = encode_cursor(order, (moment, new_id()))
    found = decode_cursor(made, order, FIELDS, nullable=NULLABLE, field="x")

    assert found[0] == moment


@pytest.mark.parametrize(
    "text",
    [
        "AAAA",
        "!!!",
        "é",
        "A",
        cursor(None),
        cursor(5),
        cursor([]),
        cursor({"a": 1, "b": 2}),
        cursor(["name,id", 5]),
        cursor(["name,id", ["a"]]),
        cursor(["name,id", ["a", ID, ID]]),
        cursor(["name,id", ["a", "no id"]]),
        cursor(["name,id", [None, ID]]),
        cursor(["name,id", ["a", None]]),
        cursor(["name,id", ["\ud800", ID]]),
        cursor(["name,id", ["\0", ID]]),
        cursor(["-name,id", ["a", ID]]),
        cursor(["size,id", ["1", ID]]),
        base64.urlsafe_b64encode(b"[" * 100_000).decode(),
    ],
)
def test_what_is_no_cursor_of_this_order_is_refused(text: str) -> None:
    with pytest.raises(InvalidError) as refused:
        decode_cursor(
            text, total_order((Order("name"),)), FIELDS, nullable=NULLABLE, field="page[after]"
        )

    assert refused.value.field == "page[after]"


@given(st.text())
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    with pytest.raises(InvalidError):
        decode_cursor(
            text, total_order((Order("name"),)), FIELDS, nullable=NULLABLE, field="page[after]"
        )


def test_one_more_changes_nothing_but_the_limit() -> None:
    listing = Listing(limit=10, offset=20, after=("a",))

    assert one_more(listing) == Listing(limit=11, offset=20, after=("a",))
