"""The preconditions of RFC 9110 section 13, header by header."""

from datetime import UTC, datetime

import pytest

from mediatheque.doors.http.conditions import (
    Verdict,
    evaluate,
    field_value,
    is_strong_etag,
    parse_http_date,
    range_applies,
)

ETAG = '"v,1"'
MODIFIED = datetime(2015, 10, 21, 7, 28, 0, 999999, tzinfo=UTC)
SAME = "Wed, 21 Oct 2015 07:28:00 GMT"
EARLIER = "Wed, 21 Oct 2015 07:27:59 GMT"
LATER = "Wed, 21 Oct 2015 07:28:01 GMT"

GO, UNCHANGED, FAILED = Verdict.PROCEED, Verdict.NOT_MODIFIED, Verdict.PRECONDITION_FAILED


def headers(*lines: tuple[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in lines]


@pytest.mark.parametrize(
    ("lines", "get", "put"),
    [
        ([], GO, GO),
        ([("If-Match", "*")], GO, GO),
        ([("If-Match", ETAG)], GO, GO),
        ([("If-Match", '"other", "v,1"')], GO, GO),
        ([("If-Match", '"other","v,1",')], GO, GO),
        ([("If-Match", '"other"'), ("If-Match", ETAG)], GO, GO),
        ([("If-Match", '"other"')], FAILED, FAILED),
        ([("If-Match", f"W/{ETAG}")], FAILED, FAILED),
        ([("If-Match", '"v", "1"')], FAILED, FAILED),
        ([("If-Match", "")], FAILED, FAILED),
        ([("If-Match", "v,1")], FAILED, FAILED),
        ([("If-Match", f"{ETAG} junk")], FAILED, FAILED),
        ([("If-Unmodified-Since", SAME)], GO, GO),
        ([("If-Unmodified-Since", LATER)], GO, GO),
        ([("If-Unmodified-Since", EARLIER)], FAILED, FAILED),
        ([("If-Unmodified-Since", "yesterday")], GO, GO),
        ([("If-Unmodified-Since", EARLIER), ("If-Unmodified-Since", EARLIER)], GO, GO),
        ([("If-Match", ETAG), ("If-Unmodified-Since", EARLIER)], GO, GO),
        ([("If-None-Match", "*")], UNCHANGED, FAILED),
        ([("If-None-Match", ETAG)], UNCHANGED, FAILED),
        ([("If-None-Match", f"W/{ETAG}")], UNCHANGED, FAILED),
        ([("If-None-Match", f'"a" , W/"b",,{ETAG}')], UNCHANGED, FAILED),
        ([("If-None-Match", '"other"')], GO, GO),
        ([("If-None-Match", "v,1")], GO, GO),
        ([("If-None-Match", '"unfinished')], GO, GO),
        ([("If-Modified-Since", SAME)], UNCHANGED, GO),
        ([("If-Modified-Since", LATER)], UNCHANGED, GO),
        ([("If-Modified-Since", EARLIER)], GO, GO),
        ([("If-Modified-Since", "Wed, 99 Oct 2015 07:28:00 GMT")], GO, GO),
        ([("If-None-Match", '"other"'), ("If-Modified-Since", LATER)], GO, GO),
        ([("If-Match", '"other"'), ("If-None-Match", ETAG)], FAILED, FAILED),
        ([("If-Match", ETAG), ("If-None-Match", ETAG)], UNCHANGED, FAILED),
        ([("If-Unmodified-Since", EARLIER), ("If-None-Match", ETAG)], FAILED, FAILED),
    ],
)
def test_preconditions_are_evaluated_in_the_order_of_the_standard(
    lines: list[tuple[str, str]], get: Verdict, put: Verdict
) -> None:
    for method, expected in (("GET", get), ("HEAD", get), ("PUT", put), ("DELETE", put)):
        verdict = evaluate(method, headers(*lines), etag=ETAG, last_modified=MODIFIED)
        assert verdict is expected, method


def test_a_representation_without_validators_matches_only_the_asterisk() -> None:
    def verdict(name: str, value: str) -> Verdict:
        return evaluate("GET", headers((name, value)), etag=None, last_modified=None)

    assert verdict("If-Match", ETAG) is FAILED
    assert verdict("If-Match", "*") is GO
    assert verdict("If-None-Match", ETAG) is GO
    assert verdict("If-Modified-Since", LATER) is GO
    assert verdict("If-Unmodified-Since", EARLIER) is GO


@pytest.mark.parametrize(
    ("if_range", "applies"),
    [
        (None, True),
        (ETAG, True),
        (f"W/{ETAG}", False),
        ('"other"', False),
        (f'{ETAG}, "other"', False),
        (SAME, True),
        (EARLIER, False),
        (LATER, False),
        ("rubbish", False),
        ("", False),
    ],
)
def test_if_range_asks_for_the_exact_representation(if_range: str | None, *, applies: bool) -> None:
    lines = [] if if_range is None else [("If-Range", if_range)]
    assert range_applies(headers(*lines), etag=ETAG, last_modified=MODIFIED) is applies


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)),
        ("Sunday, 06-Nov-94 08:49:37 GMT", datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)),
        ("Sun Nov  6 08:49:37 1994", datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)),
        ("Sun, 06 Nov 1994 08:49:37 +0100", None),
        ("Sun, 06 Nov 1994 25:49:37 GMT", None),
        ("1994-11-06T08:49:37Z", None),
        ("", None),
        ("0", None),
        ("Sun, 06 Nov 99999999999999999999 08:49:37 GMT", None),
    ],
)
def test_the_three_date_formats_are_read_and_nothing_else(
    text: str, expected: datetime | None
) -> None:
    assert parse_http_date(text) == expected


def test_lines_of_one_header_are_joined_in_order() -> None:
    lines = headers(("Accept", " a "), ("Host", "h"), ("Accept", "b"))
    assert field_value(lines, b"accept") == "a, b"
    assert field_value(lines, b"if-match") is None


@pytest.mark.parametrize(
    ("value", "strong"),
    [
        ('"a"', True),
        ('""', True),
        ('W/"a"', False),
        ("a", False),
        ('"a b"', False),
        ('"a""', False),
    ],
)
def test_a_strong_entity_tag_is_recognised(value: str, *, strong: bool) -> None:
    assert is_strong_etag(value) is strong
