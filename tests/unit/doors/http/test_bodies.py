"""Reading request bodies."""

import asyncio
from typing import Any

import pytest
from litestar import Request
from tests.unit.doors.http.asgi import Exchange, http_scope

from mediatheque.domain.errors import (
    DisconnectedError,
    InvalidError,
    TimeoutExceededError,
    TooLargeError,
)
from mediatheque.doors.http.bodies import parse_json, pieces, read_all


def request_with(exchange: Exchange, **headers: str) -> Request[Any, Any, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    scope: Any = http_scope("POST", headers=named)
    receive: Any = exchange.receive
    return Request(scope, receive=receive)


async def test_pieces_come_as_they_arrived_without_empty_ones() -> None:
    request = request_with(Exchange([b"ab", b"", b"c", b""]))
    assert [piece async for piece in pieces(request, idle_timeout=1, limit=3)] == [b"ab", b"c"]


async def test_a_body_may_be_as_long_as_the_limit_and_no_longer() -> None:
    assert await read_all(request_with(Exchange([b"abc"])), idle_timeout=1, limit=3) == b"abc"
    with pytest.raises(TooLargeError, match="at least 4 bytes, at most 3"):
        await read_all(request_with(Exchange([b"ab", b"cd"])), idle_timeout=1, limit=3)


async def test_an_announced_excess_is_refused_before_anything_is_read() -> None:
    exchange = Exchange([b"abcd"])
    request = request_with(exchange, content_length="4")
    with pytest.raises(TooLargeError, match="has 4 bytes, at most 3"):
        await read_all(request, idle_timeout=1, limit=3)
    assert exchange.received == 0


async def test_the_limit_holds_whatever_content_length_says() -> None:
    for claim in ("1", "-1", "x", "9" * 5000):
        request = request_with(Exchange([b"abcd"]), content_length=claim)
        with pytest.raises(TooLargeError, match="at least 4 bytes"):
            await read_all(request, idle_timeout=1, limit=3)


async def test_silence_ends_in_an_error_that_names_the_seconds() -> None:
    request = request_with(Exchange([b"ab"], complete=False))
    arriving = pieces(request, idle_timeout=0.05, limit=10)
    assert await anext(arriving) == b"ab"
    with pytest.raises(TimeoutExceededError, match=r"0\.05 seconds after 2 bytes"):
        await anext(arriving)


async def test_time_that_the_reader_takes_is_not_silence() -> None:
    request = request_with(Exchange([b"a", b"b", b"c"]))
    arrived = b""
    async for piece in pieces(request, idle_timeout=0.02, limit=10):
        await asyncio.sleep(0.05)
        arrived += piece
    assert arrived == b"abc"


async def test_a_client_that_leaves_is_told_apart_from_the_end_of_the_body() -> None:
    request = request_with(Exchange([b"ab"], complete=False, leaves=True))
    with pytest.raises(DisconnectedError, match="after 2 bytes"):
        await read_all(request, idle_timeout=1, limit=10)


def test_json_is_read() -> None:
    assert parse_json(b'{"name": "\\u00e9", "size": 3, "tags": [null]}') == {
        "name": "é",
        "size": 3,
        "tags": [None],
    }


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"{", b"{}x", b"\xff", b'"\xff"', b'"\\ud800"', b"NaN", b"1" * 5000, b"{'a': 1}"],
)
def test_malformed_json_is_the_clients_error(body: bytes) -> None:
    with pytest.raises(InvalidError, match="not valid JSON"):
        parse_json(body)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_deep_nesting_is_the_clients_error(opening: bytes) -> None:
    with pytest.raises(InvalidError, match="nested too deeply"):
        parse_json(opening * 10_000_000)
