"""Reading request bodies."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest
from litestar import Request

from mediatheque.domain.errors import (
    DisconnectedError,
    InvalidError,
    StoppedError,
    TimeoutExceededError,
    TooLargeError,
)
from mediatheque.doors.http import bodies, turns
from mediatheque.doors.http.bodies import SMALL_BODY, BodyReader, parse_json
from mediatheque.doors.http.observe import LAST_REQUEST, READ_AHEAD
from tests.support.asgi import Exchange, http_scope

SOON = 0.5
LONG = 4 << 20


def request_with(exchange: Exchange, **headers: str) -> Request[Any, Any, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if "Content-Length" not in named:
        named["Transfer-Encoding"] = "chunked"
    scope: Any = http_scope("POST", headers=named)
    receive: Any = exchange.receive
    return Request(scope, receive=receive)


def reader(*, idle_timeout: float = 1, limit: int = 1000) -> BodyReader:
    return BodyReader(idle_timeout=idle_timeout, limit=limit)


async def test_pieces_come_as_they_arrived_without_empty_ones() -> None:
    request = request_with(Exchange([b"ab", b"", b"c", b""]))
    assert [piece async for piece in reader(limit=3).pieces(request)] == [b"ab", b"c"]


@pytest.mark.parametrize("body", [[b"abc", b"de"], []])
async def test_an_announced_body_ends_with_its_last_byte(body: list[bytes]) -> None:
    exchange = Exchange(body, complete=False)  # the server has not said yet that it has ended
    whole = b"".join(body)
    request = request_with(exchange, content_length=str(len(whole)))
    async with asyncio.timeout(SOON):
        assert await reader().read_all(request) == whole


async def test_a_body_may_be_as_long_as_the_limit_and_no_longer() -> None:
    assert await reader().read_all(request_with(Exchange([b"abc"])), limit=3) == b"abc"
    with pytest.raises(TooLargeError, match="longer than the 3 bytes"):
        await reader().read_all(request_with(Exchange([b"ab", b"cd"])), limit=3)


async def test_an_announced_excess_is_refused_before_anything_is_read() -> None:
    exchange = Exchange([b"abcd"])
    request = request_with(exchange, content_length="4")
    with pytest.raises(TooLargeError, match="has 4 bytes; at most 3"):
        await reader().read_all(request, limit=3)
    assert exchange.received == 0


@pytest.mark.parametrize("claim", ["1", "-1", "x", "9" * 5000])
async def test_the_limit_holds_whatever_content_length_says(claim: str) -> None:
    request = request_with(Exchange([b"abcd"]), content_length=claim)
    with pytest.raises(TooLargeError, match="longer than the 3 bytes"):
        await reader().read_all(request, limit=3)


async def test_a_body_in_pieces_is_held_to_the_limit_of_the_reader() -> None:
    arriving = reader(limit=3).pieces(request_with(Exchange([b"ab", b"cd"])))
    assert await anext(arriving) == b"ab"
    with pytest.raises(TooLargeError, match="longer than the 3 bytes"):
        await anext(arriving)


async def test_a_whole_body_is_small_unless_said_otherwise() -> None:
    roomy = reader(limit=SMALL_BODY * 2)
    assert len(await roomy.read_all(request_with(Exchange([b"x" * SMALL_BODY])))) == SMALL_BODY
    with pytest.raises(TooLargeError):
        await roomy.read_all(request_with(Exchange([b"x" * SMALL_BODY, b"x"])))


async def test_silence_ends_in_an_error_that_names_the_seconds() -> None:
    request = request_with(Exchange([b"ab"], complete=False))
    arriving = reader(idle_timeout=0.05).pieces(request)
    assert await anext(arriving) == b"ab"
    with pytest.raises(TimeoutExceededError, match=r"0\.05 seconds, after 2 bytes"):
        await anext(arriving)


async def test_time_for_which_the_process_stood_still_is_not_silence() -> None:
    exchange = Late(b"late")
    waiting = asyncio.ensure_future(anext(reader(idle_timeout=0.1).pieces(request_with(exchange))))
    await asyncio.sleep(0)
    time.sleep(0.2)
    for _ in range(5):  # of the loop, in which timers come before what arrives
        await asyncio.sleep(0)
    exchange.arrived.set()
    assert await waiting == b"late"


async def test_time_that_the_caller_takes_is_not_silence() -> None:
    request = request_with(Exchange([b"a", b"b", b"c"]))
    arrived = b""
    async for piece in reader(idle_timeout=0.02).pieces(request):
        await asyncio.sleep(0.05)
        arrived += piece
    assert arrived == b"abc"


async def test_a_client_that_leaves_is_told_apart_from_the_end_of_the_body() -> None:
    request = request_with(Exchange([b"ab"], complete=False, leaves=True))
    with pytest.raises(DisconnectedError, match="after 2 bytes"):
        await reader().read_all(request)


async def test_many_slow_clients_do_not_keep_a_quick_one_waiting() -> None:
    several = reader(idle_timeout=60)
    silent = [request_with(Exchange([b"a"], complete=False)) for _ in range(50)]
    stuck = [asyncio.create_task(several.read_all(request)) for request in silent]
    await asyncio.sleep(0)
    quick = several.read_all(request_with(Exchange([b"abc"])))
    assert await asyncio.wait_for(quick, 10) == b"abc"
    for task in stuck:
        task.cancel()
    assert all(isinstance(end, asyncio.CancelledError) for end in await _ends(stuck))


async def test_the_next_piece_is_read_while_one_is_worked_on_but_none_behind_the_last() -> None:
    request = request_with(Exchange([b"abc", b"de", b"f"]), content_length="6")
    asked = 0

    def read_ahead() -> None:
        nonlocal asked
        asked += 1

    scope: Any = request.scope
    scope[READ_AHEAD] = read_ahead
    asked_at = [asked async for _ in reader().pieces(request)]

    assert asked_at == [1, 2, 2]


async def test_a_body_whose_turn_is_over_is_not_read_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_TURN_BYTES", 2)
    request = request_with(Exchange([b"abc", b"de"]))
    scope: Any = request.scope
    scope[READ_AHEAD] = pytest.fail

    assert await reader().read_all(request) == b"abcde"


@pytest.mark.parametrize(
    ("others", "size", "ends"),
    [(15, LONG + 1, False), (16, LONG + 1, True), (16, LONG, False)],
)
async def test_among_many_a_long_body_is_the_last_on_its_connection(
    others: int, size: int, *, ends: bool
) -> None:
    bodies = reader(limit=LONG + 1)
    waiting = [request_with(Exchange([b"a"], complete=False)) for _ in range(others)]
    tasks = [asyncio.create_task(bodies.pass_over(request)) for request in waiting]
    await asyncio.sleep(0)
    request = request_with(Exchange([b"x" * size]), content_length=str(size))
    await asyncio.wait_for(bodies.pass_over(request), 10)

    assert (LAST_REQUEST in request.scope) is ends
    for task in tasks:
        task.cancel()
    await _ends(tasks)
    alone = request_with(Exchange([b"x" * size]), content_length=str(size))
    await bodies.pass_over(alone)
    assert LAST_REQUEST not in alone.scope


@pytest.mark.parametrize("expect", [None, "100-continue"])
async def test_the_first_piece_is_asked_for_unless_its_client_waits(expect: str | None) -> None:
    headers = {} if expect is None else {"Expect": expect}
    request = request_with(Exchange([b"abc"]), **headers)
    asked = []
    scope: Any = request.scope
    scope[READ_AHEAD] = lambda: asked.append(True)

    reader().ask(request)

    assert bool(asked) == (expect is None)


async def test_no_first_piece_is_asked_for_while_others_have_all_turns() -> None:
    shared = reader(limit=10 * SMALL_BODY)
    flowing = [shared.pieces(request_with(Exchange([b"x"], complete=False))) for _ in range(2)]
    for one in flowing:
        await anext(one)
    request = request_with(Exchange([b"abc"]))
    scope: Any = request.scope
    scope[READ_AHEAD] = pytest.fail

    shared.ask(request)

    for one in flowing:
        await one.aclose()


async def test_bodies_that_end_in_errors_do_not_keep_others_waiting() -> None:
    several = reader(idle_timeout=0.01)
    failing = [
        several.read_all(request_with(Exchange([b"a"], complete=False, leaves=number % 2 == 0)))
        for number in range(50)
    ]
    kinds = {type(end) for end in await _ends([asyncio.create_task(body) for body in failing])}
    assert kinds == {DisconnectedError, TimeoutExceededError}
    quick = several.read_all(request_with(Exchange([b"abc"])))
    assert await asyncio.wait_for(quick, 10) == b"abc"


async def test_bodies_left_half_read_do_not_keep_others_waiting() -> None:
    several = reader()
    for _ in range(50):
        arriving = several.pieces(request_with(Exchange([b"a", b"b"])))
        assert await anext(arriving) == b"a"
        assert isinstance(arriving, AsyncGenerator)
        await arriving.aclose()
    quick = several.read_all(request_with(Exchange([b"abc"])))
    assert await asyncio.wait_for(quick, 10) == b"abc"


async def test_a_body_that_is_stopped_while_nothing_arrives_ends_at_once() -> None:
    stopping = asyncio.Event()
    request = request_with(Exchange([b"ab"], complete=False))
    arriving = reader(idle_timeout=60).pieces(request, stopping=stopping)
    assert await anext(arriving) == b"ab"
    waiting = asyncio.ensure_future(anext(arriving))
    await asyncio.sleep(0.02)
    stopping.set()
    with pytest.raises(StoppedError):
        await asyncio.wait_for(waiting, SOON)


async def test_a_body_that_is_stopped_while_it_flows_ends_after_what_has_arrived_already() -> None:
    stopping = asyncio.Event()
    request = request_with(Exchange([b"a", b"b", b"c"], complete=False))
    arriving = reader(idle_timeout=60).pieces(request, stopping=stopping)
    assert await anext(arriving) == b"a"
    stopping.set()
    assert [await anext(arriving), await anext(arriving)] == [b"b", b"c"]
    with pytest.raises(StoppedError):
        await asyncio.wait_for(anext(arriving), SOON)


async def test_a_body_that_is_all_there_when_it_is_stopped_is_whole() -> None:
    stopping = asyncio.Event()
    silent = Exchange([b"ab", b"c"], complete=False)  # the server has not said yet that it ends
    arriving = reader(idle_timeout=60).pieces(
        request_with(silent, **{"Content-Length": "3"}), stopping=stopping
    )
    assert await anext(arriving) == b"ab"
    stopping.set()
    assert [piece async for piece in arriving] == [b"c"]


async def test_a_body_that_is_stopped_and_never_ceases_to_flow_ends_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bodies, "_STOP_SECONDS", 0.02)
    stopping = asyncio.Event()
    stopping.set()
    endless = reader(limit=1 << 30).pieces(
        request_with(Exchange([b"a"] * 1_000_000)), stopping=stopping
    )

    async def read() -> None:
        async for _ in endless:
            pass

    with pytest.raises(StoppedError):
        await asyncio.wait_for(read(), SOON)


async def test_a_turn_ends_while_its_reader_keeps_a_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """He may wait for memory that the reader of the other body has."""
    monkeypatch.setattr(turns, "_KEEPING_SECONDS", 0.02)
    several = BodyReader(idle_timeout=60, limit=10 * SMALL_BODY, turns=1)
    kept = several.pieces(request_with(Exchange([b"ab", b"c"])))
    other = several.pieces(request_with(Exchange([b"de"])))
    assert await anext(kept) == b"ab"

    async with asyncio.timeout(SOON):
        assert [piece async for piece in other] == [b"de"]
        assert [piece async for piece in kept] == [b"c"]


async def test_a_body_that_is_stopped_while_others_have_all_turns_ends_at_once() -> None:
    several = BodyReader(idle_timeout=60, limit=10 * SMALL_BODY, turns=1)
    flowing = several.pieces(request_with(Exchange([b"a"] * 10)))
    assert await anext(flowing) == b"a"  # and keeps its turn
    stopping = asyncio.Event()
    silent = request_with(Exchange(complete=False))
    waiting = asyncio.ensure_future(anext(several.pieces(silent, stopping=stopping)))
    await asyncio.sleep(0.02)
    stopping.set()
    with pytest.raises(StoppedError):
        await asyncio.wait_for(waiting, SOON)

    await flowing.aclose()
    quick = several.pieces(request_with(Exchange([b"abc"])), stopping=asyncio.Event())
    assert await asyncio.wait_for(anext(quick), SOON) == b"abc"
    await quick.aclose()


async def test_what_arrived_before_a_body_was_stopped_is_yielded_without_a_turn() -> None:
    several = BodyReader(idle_timeout=60, limit=10 * SMALL_BODY, turns=1)
    exchange = Late(b"late")
    stopping = asyncio.Event()
    slow = several.pieces(request_with(exchange), stopping=stopping)
    waiting = asyncio.ensure_future(anext(slow))
    await asyncio.sleep(0.05)  # it has given its turn up
    flowing = several.pieces(request_with(Exchange([b"a"] * 10)))
    assert await anext(flowing) == b"a"
    exchange.arrived.set()
    await asyncio.sleep(0.02)
    assert not waiting.done()
    stopping.set()
    assert await asyncio.wait_for(waiting, SOON) == b"late"
    with pytest.raises(StoppedError):
        await anext(slow)
    await flowing.aclose()


async def test_whoever_is_cancelled_while_it_waits_for_a_turn_takes_none_along() -> None:
    several = BodyReader(idle_timeout=60, limit=10 * SMALL_BODY, turns=1)
    for rounds in range(9):  # of the loop, before and after it has the turn that came free
        flowing = several.pieces(request_with(Exchange([b"a", b"b"])))
        await anext(flowing)
        next_one = several.pieces(request_with(Exchange([b"b"])), stopping=asyncio.Event())
        waiting = asyncio.ensure_future(anext(next_one))
        await asyncio.sleep(0.001)
        await flowing.aclose()
        for _ in range(rounds):
            await asyncio.sleep(0)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        await next_one.aclose()
    quick = several.pieces(request_with(Exchange([b"abc"])), stopping=asyncio.Event())
    assert await asyncio.wait_for(anext(quick), SOON) == b"abc"
    await quick.aclose()


class Late(Exchange):
    """A body that arrives only when ``arrived`` is set."""

    def __init__(self, piece: bytes) -> None:
        super().__init__([piece], complete=False)
        self.arrived = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.arrived.wait()
        return await super().receive()


async def _ends(tasks: Sequence[asyncio.Task[Any]]) -> list[Any]:
    return await asyncio.gather(*tasks, return_exceptions=True)


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
