"""The outermost layer of every request: its id, its log line, its metrics, its last resort."""

import asyncio
import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import uuid4

from mediatheque.domain.errors import DisconnectedError
from mediatheque.doors.http.answers import ASGIApp
from mediatheque.doors.http.conditions import field_value
from mediatheque.telemetry.logs import REQUEST_ID, get_logger

LINGER_BYTES = 8 * 1024 * 1024
LINGER_SECONDS = 2.0
COUNTED_AT_ONCE_BYTES = 4 * 1024 * 1024
READ_AHEAD = "mediatheque.read_ahead"
"""Key of the scope for what has the server read on, for the next ``receive``; returns at once."""

LAST_REQUEST = "mediatheque.last_request"
"""Key of the scope, there when no other request shall follow on a connection of HTTP/1."""

CLIENT_GONE = 499
"""The status that logs and metrics show when the client left before there was one (as nginx)."""

_CLIENT_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_MAX_LOGGED_PATH = 1024

Record = Callable[[str, str, int, float], None]
Count = Callable[[int, int], None]

log = get_logger(__name__)


class Observe:
    """ASGI middleware around the whole application.

    Every response carries ``X-Request-Id``: the client's if it is short and plain, else a new
    one; it is bound to all log lines of the request. ``record(method, route, status, seconds)``
    is called once per request, with labels from a bounded set: the route's template, never a path;
    ``count(received, sent)`` with the bytes of bodies while they pass.
    """

    def __init__(self, app: ASGIApp, *, record: Record, count: Count) -> None:
        self._app = app
        self._record = record
        self._count = count

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._count)
        scope[READ_AHEAD] = exchange.read_ahead
        path = scope.get("raw_path") or scope["path"].encode()
        began = time.perf_counter()
        before = REQUEST_ID.set(exchange.request_id)
        try:
            await self._run(scope, exchange)
        finally:
            seconds = time.perf_counter() - began
            exchange.end()
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._record(
                method, scope.get("path_template") or "unmatched", exchange.status, seconds
            )
            log.info(
                "request",
                method=method,
                path=path[:_MAX_LOGGED_PATH].decode("latin-1"),
                status=exchange.status,
                bytes_in=exchange.bytes_in,
                bytes_out=exchange.bytes_out,
                seconds=round(seconds, 6),
                client_gone=exchange.client_gone,
            )
            REQUEST_ID.reset(before)

    async def _run(self, scope: Any, exchange: "_Exchange") -> None:
        """Run the application; turn what it should have handled into an answer."""
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except DisconnectedError:
            exchange.client_gone = True
        except asyncio.CancelledError:
            exchange.client_gone = True
            raise
        except Exception:
            if exchange.client_gone:
                return
            log.exception("request failed")
            if exchange.started:
                # Only the server can break the connection, so that nobody takes what was sent
                # for the whole.
                raise
            await exchange.send_internal_error()


class _Exchange:
    """One request and its response, as they pass between the server and the application."""

    def __init__(self, scope: Any, receive: Any, send: Any, count: Count) -> None:
        headers = scope["headers"]
        client_id = field_value(headers, b"x-request-id") or ""
        self.request_id = client_id if _CLIENT_ID.fullmatch(client_id) else uuid4().hex
        self.status = CLIENT_GONE
        self.started = False
        self.client_gone = False
        self.bytes_in = 0
        self.bytes_out = 0
        self._receive = receive
        self._arriving: asyncio.Future[Any] | None = None
        self._send = send
        self._count = count
        self._counted = (0, 0)
        self._announced = 0
        self._finished = False
        self._scope = scope
        self._is_http1 = scope["http_version"].startswith("1")
        self._body_left = (
            field_value(headers, b"content-length") not in (None, "0")
            or field_value(headers, b"transfer-encoding") is not None
        )
        # The server tells that a body has ended in a message of its own, for which nobody may wait
        # any more. In HTTP/1 its last byte is known before.
        size = field_value(headers, b"content-length") if self._is_http1 else None
        self._body_size = int(size) if size is not None and size.isdecimal() else None
        # Such a client sends nothing before the server asks, which it does on the first receive.
        self._body_held_back = (field_value(headers, b"expect") or "").lower() == "100-continue"

    async def receive(self) -> Any:
        """Pass on the server's next message."""
        self._body_held_back = False
        arriving, self._arriving = self._arriving, None
        message = await (self._receive() if arriving is None else arriving)
        if message["type"] == "http.request":
            self.bytes_in += len(message.get("body", b""))
            self._count_now_and_then()
            self._body_left = message.get("more_body", False) and self.bytes_in != self._body_size
        else:
            self._body_left = False
            self.client_gone = self.client_gone or not self._finished
        return message

    def read_ahead(self) -> None:
        """Ask the server for its next message already, so that it reads while others work."""
        if self._arriving is None:
            self._arriving = asyncio.ensure_future(self._receive())

    async def send(self, message: Any) -> None:
        """Pass on the application's next message, with the request's id in the response."""
        match message["type"]:
            case "http.response.start":
                headers = list(message.get("headers", ()))
                self._announced = int(field_value(headers, b"content-length") or 0)
                self.status = message["status"]
                ends = self._is_http1 and await self._ends_connection()
                if ends and field_value(headers, b"connection") is None:
                    headers.append((b"connection", b"close"))
                self.started = True
                headers.append((b"x-request-id", self.request_id.encode()))
                message = {**message, "headers": headers}
            case "http.response.body":
                self.bytes_out += len(message.get("body", b""))
                self._finished = not message.get("more_body", False)
            case "http.response.pathsend":
                self.bytes_out += self._announced
                self._finished = True
        self._count_now_and_then()
        await self._send(message)

    def end(self) -> None:
        """Count what is left to be counted, and let go of the server's side.

        It closes a connection whose body nobody reads to its end once nobody could. An error that
        refers to itself, as by the frames of its traceback, could until it is collected.
        """
        self.count()
        self._receive = self._send = _ended
        if self._arriving is not None:
            self._arriving.cancel()
            self._arriving = None

    def count(self) -> None:
        """Have the bytes counted that passed since the last time."""
        received, sent = self._counted
        self._counted = self.bytes_in, self.bytes_out
        self._count(self.bytes_in - received, self.bytes_out - sent)

    def _count_now_and_then(self) -> None:
        # Counting takes a microsecond or two: too long for every piece of a large body.
        if self.bytes_in + self.bytes_out - sum(self._counted) >= COUNTED_AT_ONCE_BYTES:
            self.count()

    async def send_internal_error(self) -> None:
        """Answer that something went wrong, without saying what."""
        body = json.dumps({"error": "internal error", "request_id": self.request_id}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        await self.send({"type": "http.response.start", "status": 500, "headers": headers})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})

    async def _ends_connection(self) -> bool:
        """Tell whether no client shall send another request on the connection."""
        if self.status >= 400:
            await self._linger()
            if self._body_left:  # the server will close it
                return True
        return LAST_REQUEST in self._scope

    async def _linger(self) -> None:
        """Before an early error answer, read and drop some of a body that nobody reads.

        The server closes a connection with an unread body right after the answer; clients that
        only look for an answer after sending would see a reset instead. HTTP/2 needs none of it.
        """
        dropped = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while self._body_left and not self._body_held_back and dropped < LINGER_BYTES:
                    dropped += len((await self.receive()).get("body", b""))


async def _ended(*_: Any) -> Any:
    """Stand for either side of the server after a request, as it does itself."""
    return {"type": "http.disconnect"}
