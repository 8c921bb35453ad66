"""What a request says about itself."""

from typing import Any

import pytest
from litestar import Request

from mediatheque.config import Settings
from mediatheque.domain.errors import InvalidError
from mediatheque.doors.http.requests import (
    base_url,
    content_length,
    media_type,
    media_type_for,
    parse_count,
    parse_pairs,
    parse_query,
)
from tests.support.asgi import http_scope

JSON_API = "application/vnd.api+json"


def request(headers: dict[str, str] | None = None, **more: Any) -> Request[Any, Any, Any]:
    return Request(http_scope(headers=headers, **more))  # type: ignore[arg-type]


def test_links_lead_where_the_client_came_from() -> None:
    asked = request({"Host": "media.local:8080"}, scheme="https")

    assert base_url(asked, Settings()) == "https://media.local:8080"
    assert base_url(request(), Settings(port=5001)) == "http://127.0.0.1:5001"


def test_behind_a_proxy_links_lead_to_the_public_address() -> None:
    settings = Settings(public_url="https://media.example.org/m/")

    assert base_url(request({"Host": "127.0.0.1"}), settings) == "https://media.example.org/m"


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("", None),
        ("0", 0),
        ("1073741824", 1 << 30),
        ("-1", None),
        ("1e3", None),
        ("12, 12", None),
        ("²", None),
        ("9" * 20, None),
    ],
)
def test_a_declared_length_is_a_whole_number_of_bytes(text: str, length: int | None) -> None:
    assert content_length(request({"Content-Length": text})) == length


@pytest.mark.parametrize(
    ("headers", "version", "length"),
    [
        ({}, "1.0", 0),
        ({}, "1.1", 0),
        ({"Transfer-Encoding": "chunked"}, "1.1", None),
        ({}, "2", None),
    ],
)
def test_without_a_declared_length_there_is_no_body_unless_its_end_is_told_otherwise(
    headers: dict[str, str], version: str, length: int | None
) -> None:
    assert content_length(request(headers, http_version=version)) == length


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, JSON_API),
        ("*/*", JSON_API),
        (JSON_API, JSON_API),
        ("application/json", "application/json"),
        ("application/json, text/plain", "application/json"),
        ("application/json, text/plain, */*", JSON_API),
        (f"application/json, {JSON_API}", JSON_API),
        ("text/html", JSON_API),
    ],
)
def test_a_dialect_of_json_is_spoken_unless_only_plain_json_is_accepted(
    accept: str | None, expected: str
) -> None:
    headers = {} if accept is None else {"Accept": accept}

    assert media_type_for(request(headers), JSON_API) == expected


@pytest.mark.parametrize(
    ("query", "pairs"),
    [
        (b"", []),
        (b"a=1&b=&a=2", [("a", "1"), ("b", ""), ("a", "2")]),
        (b"a", [("a", "")]),
        (b"page%5Bsize%5D=1+2%2B3", [("page[size]", "1 2+3")]),
        (b"a=%F0%9F%8E%AC", [("a", "🎬")]),
        (b"a=1;b=2", [("a", "1;b=2")]),
        (b"a=%zz", [("a", "%zz")]),
    ],
)
def test_parameters_are_read_in_order(query: bytes, pairs: list[tuple[str, str]]) -> None:
    assert parse_pairs(query) == pairs


@pytest.mark.parametrize("query", [b"a=%FF", b"a=\xff", b"%C3=1", b"&".join([b"a=1"] * 201)])
def test_a_query_that_cannot_be_read_is_refused(query: bytes) -> None:
    with pytest.raises(InvalidError):
        parse_pairs(query)


def test_a_query_has_known_parameters_only() -> None:
    known = frozenset({"limit", "after"})
    assert parse_query([("limit", "3")], known=known) == {"limit": "3"}
    with pytest.raises(InvalidError, match="no parameter 'page'; known are after, limit") as caught:
        parse_query([("limit", "3"), ("page", "1")], known=known)
    assert caught.value.field == "page"
    with pytest.raises(InvalidError, match="NUL character"):
        parse_query([("after", "a\0")], known=known)


@pytest.mark.parametrize("text", ["0", "1", "007", str(2**63 - 1)])
def test_a_count_is_read(text: str) -> None:
    assert parse_count(text, field="Upload-Offset") == int(text)


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "1e3", " 1", "1,1", str(2**63), "٣", "²"])
def test_what_is_no_count_is_refused_by_the_name_of_its_field(text: str) -> None:
    with pytest.raises(InvalidError, match="Upload-Offset") as refused:
        parse_count(text, field="Upload-Offset")
    assert refused.value.field == "Upload-Offset"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, ""),
        ("video/WebM; codecs=vp8", "video/webm"),
        (" a/b ;c", "a/b"),
        ("a/b, a/b", "a/b, a/b"),
    ],
)
def test_a_media_type_has_no_parameters(text: str | None, expected: str) -> None:
    assert media_type(request({} if text is None else {"Content-Type": text})) == expected
