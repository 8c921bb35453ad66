"""Booleans and integers as structured fields write them (RFC 9651)."""

import pytest

from mediatheque.doors.http.structured_fields import parse_boolean_item, parse_integer_item


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("?1", True),
        ("?0", False),
        ("  ?1  ", True),
        ("?1;a", True),
        ('?0; a=1;b="x, \\" y";c=:YQ==:;d=?1;e=tok/en', False),
        (None, None),
        ("", None),
        ("1", None),
        ("true", None),
        ("?2", None),
        ("? 1", None),
        ("?1, ?1", None),
        ("?1;", None),
        ("?1;A=1", None),
        ("?1\t", None),
    ],
)
def test_a_boolean(field: str | None, found: bool | None) -> None:
    assert parse_boolean_item(field) is found


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("0", 0),
        ("00042", 42),
        ("-7", -7),
        ("999999999999999", 999_999_999_999_999),
        ("12;a=1", 12),
        ("1000000000000000", None),
        ("1.0", None),
        ("+1", None),
        ("--1", None),
        ("-", None),
        ("1 2", None),
        ("1, 2", None),
        ('"1"', None),
        ("\u0661", None),
        ("", None),
        (None, None),
    ],
)
def test_an_integer(field: str | None, found: int | None) -> None:
    assert parse_integer_item(field) == found
