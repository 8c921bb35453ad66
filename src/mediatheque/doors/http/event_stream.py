"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

import msgspec
from litestar.background_tasks import BackgroundTask, BackgroundTasks
from litestar.datastructures import Cookie
from litestar.response import Response
from litestar.response.base import ASGIResponse

from mediatheque.doors.http.connected import while_connected

MEDIA_TYPE = "text/event-stream"

_HEADERS = (
    (b"content-type", MEDIA_TYPE.encode()),
    (b"cache-control", b"no-store"),
    # nginx would keep events to itself until it has a bufferful of them.
    (b"x-accel-buffering", b"no"),
)


def server_sent_event(event: str, data: object, event_id: int | None = None) -> bytes:
    """Return an event whose data is JSON; with an id, a client can go on after it."""
    number = "" if event_id is None else f"id: {event_id}\n"
    return f"{number}event: {event}\ndata: ".encode() + msgspec.json.encode(data) + b"\n\n"


def starting_point(event_id: int) -> bytes:
    """Return what lets a client go on after an event that it need not see.

    A block without data is no event, but its id counts.
    """
    return f"id: {event_id}\n\n".encode()


def comment(text: str) -> bytes:
    """Return a line that clients skip."""
    return f": {text}\n\n".encode()


class EventStream(Response[None]):
    """The Litestar response that sends pieces of a stream as they come."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        super().__init__(None)
        self.pieces = pieces

    def to_asgi_response(
        self,
        *_args: Any,
        background: BackgroundTask | BackgroundTasks | None = None,
        cookies: Iterable[Cookie] | None = None,
        headers: dict[str, str] | None = None,
        **_kwargs: Any,
    ) -> ASGIResponse:
        """Return the ASGI application that sends this response."""
        return _ASGIEventStream(
            self.pieces,
            background=self.background or background,
            cookies=[*self.cookies, *(cookies or ())],
            headers={**(headers or {}), **self.headers},
        )


class _ASGIEventStream(ASGIResponse):
    """What Litestar calls to send an ``EventStream``."""

    def __init__(self, pieces: AsyncIterator[bytes], **options: Any) -> None:
        # As for HEAD, so that Litestar adds no headers that describe a body of its own.
        super().__init__(is_head_response=True, **options)
        self.pieces = pieces

    async def __call__(self, _scope: Any, receive: Any, send: Any) -> None:
        await while_connected(receive, self._send(send))
        await self.after_response()

    async def _send(self, send: Any) -> None:
        headers = [*_HEADERS, *self.encode_headers()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for piece in self.pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
