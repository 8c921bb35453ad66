"""The outermost layer: request ids, log lines, metrics, lingering, last resort."""

import asyncio
import gc
import json
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from mediatheque.domain.errors import DisconnectedError
from mediatheque.doors.http import observe
from mediatheque.doors.http.observe import LAST_REQUEST, READ_AHEAD, Observe
from mediatheque.telemetry.logs import REQUEST_ID, add_request_id
from tests.support.asgi import Exchange, http_scope

Recorded = list[tuple[str, str, int, float]]


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    with capture_logs(processors=[add_request_id]) as captured:
        yield captured


def ignored(received: int, sent: int) -> None:
    """Count nothing."""


def answering(status: int = 200, body: bytes = b"ok", *, read: int = 0) -> Any:
    """An application that receives ``read`` messages and then answers."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(read):
            await receive()
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    return app


def raising(error: BaseException, *, started: bool = False) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if started:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise error

    return app


async def run(
    app: Any, exchange: Exchange | None = None, **scope: Any
) -> tuple[Exchange, Recorded]:
    recorded: Recorded = []
    observed = Observe(app, record=lambda *labels: recorded.append(labels), count=ignored)
    return await (exchange or Exchange()).run(observed, http_scope(**scope)), recorded


@pytest.mark.parametrize("given", ["abc", "A-1_b.c", "x" * 128])
async def test_a_plain_request_id_of_the_client_is_kept(given: str) -> None:
    answer, _ = await run(answering(), headers={"X-Request-Id": given})
    assert answer.headers["x-request-id"] == given


@pytest.mark.parametrize("given", [None, "", "a b", "é", "x" * 129, "a,b", "a\nb"])
async def test_any_other_request_id_is_replaced(given: str | None) -> None:
    headers = {} if given is None else {"X-Request-Id": given}
    answer, _ = await run(answering(), headers=headers)
    made = answer.headers["x-request-id"]
    assert len(made) == 32
    assert int(made, 16)


async def test_one_line_is_logged_per_request_without_the_query(logs: list[Any]) -> None:
    await run(
        answering(201, b"12345", read=2),
        Exchange([b"abc", b"de"]),
        method="POST",
        path="/medias/x%20y",
        query_string=b"signature=secret",
        headers={"X-Request-Id": "r1"},
    )
    (line,) = logs
    assert line.pop("seconds") >= 0
    assert line == {
        "event": "request",
        "log_level": "info",
        "request_id": "r1",
        "method": "POST",
        "path": "/medias/x%20y",
        "status": 201,
        "bytes_in": 5,
        "bytes_out": 5,
        "client_gone": False,
    }


async def test_log_lines_of_the_application_carry_the_request_id(logs: list[Any]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        structlog.get_logger().info("inside")
        await answering()(scope, receive, send)

    answer, _ = await run(app)
    inside, _ = logs
    assert inside["request_id"] == answer.headers["x-request-id"]
    assert REQUEST_ID.get() is None


async def test_metrics_are_labelled_by_route_and_never_by_path() -> None:
    async def routed(scope: Any, receive: Any, send: Any) -> None:
        scope["path_template"] = "/medias/{id}"
        await answering(200)(scope, receive, send)

    _, recorded = await run(routed, path="/medias/1")
    assert [entry[:3] for entry in recorded] == [("GET", "/medias/{id}", 200)]
    _, recorded = await run(answering(404), path="/nowhere")
    assert [entry[:3] for entry in recorded] == [("GET", "unmatched", 404)]
    _, recorded = await run(answering(405), method="FROBNICATE")
    assert recorded[0][0] == "other"


async def test_a_file_that_the_server_sends_counts_as_its_announced_length(
    logs: list[Any],
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.pathsend", "path": "/x"})

    await run(app)
    assert logs[0]["bytes_out"] == 1000


async def test_a_crash_is_answered_without_details_and_logged_with_them(logs: list[Any]) -> None:
    answer, recorded = await run(raising(ValueError("secret /path")))
    assert answer.status == 500
    request_id = answer.headers["x-request-id"]
    assert json.loads(answer.answer_body) == {"error": "internal error", "request_id": request_id}
    assert answer.headers["content-length"] == str(len(answer.answer_body))
    failure, line = logs
    assert (failure["event"], failure["log_level"]) == ("request failed", "error")
    assert failure["exc_info"]
    assert line["status"] == 500
    assert recorded[0][2] == 500


async def test_a_crash_within_the_response_breaks_the_connection(logs: list[Any]) -> None:
    exchange = Exchange()
    with pytest.raises(ValueError, match="boom"):
        await run(raising(ValueError("boom"), started=True), exchange)
    assert not exchange.finished
    assert [entry["log_level"] for entry in logs] == ["error", "info"]


@pytest.mark.parametrize("started", [False, True])
async def test_a_client_that_left_is_no_server_error(logs: list[Any], *, started: bool) -> None:
    _, recorded = await run(raising(DisconnectedError("gone"), started=started))
    (line,) = logs
    assert (line["log_level"], line["client_gone"]) == ("info", True)
    assert recorded[0][2] == (200 if started else 499)


async def test_whatever_an_application_raises_after_the_client_left_is_no_server_error(
    logs: list[Any],
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        raise RuntimeError("wrapped by a framework")

    exchange, _ = await run(app, Exchange([b"a"], complete=False, leaves=True))
    assert exchange.sent == []
    assert [entry["log_level"] for entry in logs] == ["info"]


async def test_cancellation_is_no_server_error_and_is_passed_on(logs: list[Any]) -> None:
    with pytest.raises(asyncio.CancelledError):
        await run(raising(asyncio.CancelledError()))
    assert [(entry["log_level"], entry["client_gone"]) for entry in logs] == [("info", True)]


async def test_a_disconnect_after_the_response_is_not_a_client_that_left(logs: list[Any]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answering()(scope, receive, send)
        await receive()
        await receive()

    await run(app, Exchange(leaves=True))
    assert logs[0]["client_gone"] is False


UPLOAD = {"Content-Length": "4"}


@pytest.mark.parametrize(
    ("status", "headers", "read", "more", "expected"),
    [
        (413, UPLOAD, 0, {}, 4),
        (413, UPLOAD, 1, {}, 4),
        (400, {"Transfer-Encoding": "chunked"}, 0, {}, 4),
        (413, {**UPLOAD, "Expect": "100-continue"}, 1, {}, 4),
        (413, {**UPLOAD, "Expect": "100-Continue"}, 0, {}, 0),
        (200, UPLOAD, 0, {}, 0),
        (404, {}, 0, {}, 0),
        (404, {"Content-Length": "0"}, 0, {}, 0),
        (413, UPLOAD, 0, {"http_version": "2"}, 0),
        (413, UPLOAD, 1, {"http_version": "2"}, 1),
    ],
)
async def test_an_early_error_waits_for_the_rest_of_the_body(
    status: int, headers: dict[str, str], read: int, more: dict[str, Any], expected: int
) -> None:
    exchange = Exchange([b"a", b"b", b"c", b"d"])
    await run(answering(status, read=read), exchange, method="POST", headers=headers, **more)
    assert exchange.received == expected
    assert exchange.status == status


async def test_lingering_ends_at_its_byte_limit() -> None:
    exchange = Exchange([b"x" * 1024 * 1024] * 20)
    await run(answering(413), exchange, method="POST", headers={"Content-Length": "20971520"})
    assert exchange.received == 8
    assert exchange.finished


async def test_lingering_ends_at_its_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "LINGER_SECONDS", 0.05)
    exchange = Exchange([b"x"], complete=False)
    await asyncio.wait_for(
        run(answering(413), exchange, method="POST", headers={"Content-Length": "9"}), 1
    )
    assert exchange.status == 413
    assert exchange.finished


async def test_an_error_waits_for_nothing_behind_the_last_byte_of_a_body() -> None:
    exchange = Exchange([b"{}"], complete=False)  # whoever read it has not been told of its end
    app = answering(404, read=1)
    async with asyncio.timeout(1):
        await run(app, exchange, method="POST", headers={"Content-Length": "2"})
    assert exchange.received == 1
    assert (b"connection", b"close") not in exchange.sent[0]["headers"]


@pytest.mark.parametrize(
    ("pieces", "closes"), [([b"x"] * 3, False), ([b"x" * 9_000_000] * 2, True)]
)
async def test_a_client_whose_body_stays_unread_is_told_that_the_connection_ends(
    pieces: list[bytes], *, closes: bool
) -> None:
    exchange = Exchange(pieces)
    await run(answering(503), exchange, method="POST", headers={"Content-Length": "18000000"})
    assert ((b"connection", b"close") in exchange.sent[0]["headers"]) is closes


@pytest.mark.parametrize("status", [204, 409])
@pytest.mark.parametrize(("version", "closes"), [("1.1", True), ("2", False)])
async def test_a_client_is_told_that_no_other_request_shall_follow(
    version: str, status: int, *, closes: bool
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope[LAST_REQUEST] = True
        await answering(status)(scope, receive, send)

    answer, _ = await run(app, http_version=version)
    assert ((b"connection", b"close") in answer.sent[0]["headers"]) is closes


async def test_lingering_ends_when_the_client_leaves() -> None:
    exchange = Exchange([b"x"], complete=False, leaves=True)
    await run(answering(413), exchange, method="POST", headers={"Content-Length": "9"})
    assert exchange.status == 413


async def test_what_an_application_leaves_behind_does_not_keep_the_connection() -> None:
    """The server closes one whose body was not read once nobody can read it any more."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        kept: list[Any] = [receive, send]
        kept.append(kept)  # as an error refers to itself by the frames of its traceback
        await answering(503)(scope, receive, send)

    exchange = Exchange()
    connection = weakref.ref(exchange)
    gc.disable()
    try:
        await run(app, exchange)
        del exchange
        assert connection() is None
    finally:
        gc.enable()


async def test_what_is_read_ahead_is_what_comes_next() -> None:
    exchange = Exchange([b"a", b"b", b"c"])
    taken = b""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal taken
        more = True
        while more:
            message = await receive()
            if exchange.received < 3:
                asked = exchange.received
                scope[READ_AHEAD]()
                scope[READ_AHEAD]()  # it is asked for already
                await asyncio.sleep(0)
                assert exchange.received == asked + 1
            taken += message["body"]
            more = message["more_body"]
        await answering()(scope, receive, send)

    await run(app, exchange)
    assert taken == b"abc"


async def test_what_was_read_ahead_and_not_wanted_does_not_end_the_connection() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        scope[READ_AHEAD]()
        await asyncio.sleep(0)
        await answering(413)(scope, receive, send)

    exchange, _ = await run(app, Exchange([b"a", b"b"]), headers={"Content-Length": "2"})
    assert "connection" not in exchange.headers


async def test_reading_ahead_ends_with_its_request() -> None:
    exchange = Exchange([b"a"], complete=False)
    ended = asyncio.Event()

    async def receive() -> Any:
        try:
            return await exchange.receive()
        except asyncio.CancelledError:
            ended.set()
            raise

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        scope[READ_AHEAD]()
        await asyncio.sleep(0)
        await answering()(scope, receive, send)

    observed = Observe(app, record=lambda *_: None, count=ignored)
    await observed(http_scope("PUT"), receive, exchange.send)
    async with asyncio.timeout(1):
        await ended.wait()


async def test_other_connections_pass_through_untouched() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope, receive, send))

    scope = {"type": "lifespan"}
    exchange = Exchange()
    await Observe(app, record=lambda *_: None, count=ignored)(
        scope, exchange.receive, exchange.send
    )
    assert seen == [(scope, exchange.receive, exchange.send)]


async def test_bytes_are_counted_while_they_pass_and_at_the_end() -> None:
    counted: list[tuple[int, int]] = []
    pieces = [b"x" * observe.COUNTED_AT_ONCE_BYTES, b"y", b"z"]

    observed = Observe(
        answering(read=3), record=lambda *_: None, count=lambda *both: counted.append(both)
    )
    await Exchange(body=pieces).run(observed, http_scope("PUT"))

    assert counted == [(observe.COUNTED_AT_ONCE_BYTES, 0), (2, 2)]
