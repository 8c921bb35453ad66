"""Bodies and query strings of door 4."""

from typing import Any

import msgspec
import pytest

from mediatheque.domain.errors import InvalidError
from mediatheque.domain.paging import Order
from mediatheque.doors.files.schemas import (
    Success,
    Ticket,
    parse_confirmation,
    parse_listing,
    parse_tags,
    parse_upload,
)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"name": "a.txt", "size": 0}, ("a.txt", 0, ())),
        ({"name": "a", "size": 2**62, "tags": ["x", "y"]}, ("a", 2**62, ("x", "y"))),
        ({"name": "a", "size": 1, "tags": None, "more": 1}, ("a", 1, ())),
    ],
)
def test_an_announced_upload_is_read(body: Any, expected: Any) -> None:
    assert parse_upload(body) == expected


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (None, None),
        ([], None),
        ("text", None),
        ({}, "name"),
        ({"name": "", "size": 1}, "name"),
        ({"name": " ", "size": 1}, "name"),
        ({"name": 5, "size": 1}, "name"),
        ({"name": "a"}, "size"),
        ({"name": "a", "size": None}, "size"),
        ({"name": "a", "size": -1}, "size"),
        ({"name": "a", "size": 1.5}, "size"),
        ({"name": "a", "size": 1.0}, "size"),
        ({"name": "a", "size": "1"}, "size"),
        ({"name": "a", "size": True}, "size"),
        ({"name": "a", "size": 1, "tags": "x"}, "tags"),
        ({"name": "a", "size": 1, "tags": ["x", 1]}, "tags"),
        ({"name": "a", "size": 1, "tags": {"x": 1}}, "tags"),
    ],
)
def test_a_bad_announcement_is_refused_naming_the_field(body: Any, field: str | None) -> None:
    with pytest.raises(InvalidError) as refused:
        parse_upload(body)

    assert refused.value.field == field


def test_a_confirmation_is_read() -> None:
    assert parse_confirmation({"id": "x", "success": True}) == ("x", True)
    assert parse_confirmation({"id": "x", "success": False, "error": "e"}) == ("x", False)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], None),
        ({"success": True}, "id"),
        ({"id": "", "success": True}, "id"),
        ({"id": 5, "success": True}, "id"),
        ({"id": "x"}, "success"),
        ({"id": "x", "success": "true"}, "success"),
        ({"id": "x", "success": 1}, "success"),
    ],
)
def test_a_bad_confirmation_is_refused_naming_the_field(body: Any, field: str | None) -> None:
    with pytest.raises(InvalidError) as refused:
        parse_confirmation(body)

    assert refused.value.field == field


def test_tags_are_a_list_of_texts() -> None:
    assert parse_tags(["a", "b"]) == ("a", "b")
    assert parse_tags([]) == ()
    for body in (None, "a", {"a": 1}, [["a"]], [None]):
        with pytest.raises(InvalidError):
            parse_tags(body)


NEWEST = (Order("created_at", descending=True), Order("id", descending=True))


@pytest.mark.parametrize(
    ("query", "order", "limit", "offset"),
    [
        ({}, NEWEST, 10, 0),
        ({"page": "3", "pageSize": "7"}, NEWEST, 7, 21),
        ({"pageSize": "1000"}, NEWEST, 1000, 0),
        ({"sort": "name,asc"}, (Order("filename"), Order("id")), 10, 0),
        ({"sort": "name"}, (Order("filename"), Order("id")), 10, 0),
        (
            {"sort": "size,desc"},
            (Order("size", descending=True), Order("id", descending=True)),
            10,
            0,
        ),
        ({"sort": "uploaded,asc"}, (Order("created_at"), Order("id")), 10, 0),
    ],
)
def test_pages_are_numbered_from_nought_and_newest_first(
    query: dict[str, str], order: tuple[Order, ...], limit: int, offset: int
) -> None:
    listing = parse_listing(query)

    assert (listing.order, listing.limit, listing.offset) == (order, limit, offset)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"page": "-1"}, "page"),
        ({"page": "x"}, "page"),
        ({"page": ""}, "page"),
        ({"page": "99999999999"}, "page"),
        ({"page": "9" * 5000}, "page"),
        ({"pageSize": "0"}, "pageSize"),
        ({"pageSize": "1001"}, "pageSize"),
        ({"pageSize": "٣"}, "pageSize"),
        ({"sort": ""}, "sort"),
        ({"sort": "tags"}, "sort"),
        ({"sort": "created_at,asc"}, "sort"),
        ({"sort": "name,up"}, "sort"),
        ({"sort": "name,asc,desc"}, "sort"),
    ],
)
def test_a_page_that_makes_no_sense_is_refused_naming_the_parameter(
    query: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidError) as refused:
        parse_listing(query)

    assert refused.value.field == field
    assert len(refused.value.detail) < 200


def test_answers_are_written_as_clients_expect_them() -> None:
    assert msgspec.to_builtins(Ticket("1", "http://x")) == {"id": "1", "uploadUrl": "http://x"}
    assert msgspec.to_builtins(Success()) == {"success": True}
