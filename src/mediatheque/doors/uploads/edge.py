"""What tus wants of every request and answer, whoever answers it."""

from typing import Any

from mediatheque.doors.http.answers import ASGIApp, Send, with_headers
from mediatheque.doors.http.conditions import field_value
from mediatheque.doors.uploads.errors import DOOR
from mediatheque.doors.uploads.tus_headers import VERSION

_OVERRIDING = frozenset({"PATCH", "DELETE", "HEAD"})
_OF_TUS = ((b"tus-resumable", VERSION.encode()),)
_UNCACHED = (*_OF_TUS, (b"cache-control", b"no-store"))
_DESCRIBES_BODY = frozenset({b"content-length", b"content-type"})


class TusEdge:
    """ASGI middleware in front of the routes: nothing but ``/uploads`` is touched.

    A POST with ``X-HTTP-Method-Override`` becomes the request that it names, before anything asks
    which one it is. Every answer has ``Tus-Resumable``, also that to an address or a method that
    does not exist, and no answer to HEAD may be kept: where an upload is changes.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle one ASGI connection."""
        (prefix,) = DOOR.prefixes
        if scope["type"] != "http" or not f"{scope['path']}/".startswith(f"{prefix}/"):
            await self._app(scope, receive, send)
            return
        overridden = _override(scope)
        if overridden and scope["method"] == "HEAD":
            # The server knows of no HEAD, and would wait for the body that the headers describe.
            send = _without_body(send)
        added = _UNCACHED if scope["method"] == "HEAD" else _OF_TUS
        await self._app(scope, receive, with_headers(send, added))


def _override(scope: Any) -> bool:
    """Make a request the one that its header names; return whether it has become another."""
    method = (field_value(scope["headers"], b"x-http-method-override") or "").upper()
    if scope["method"] != "POST" or method not in _OVERRIDING:
        return False
    scope["method"] = method
    return True


def _without_body(send: Send) -> Send:
    async def answer(message: Any) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message["headers"] if pair[0].lower() not in _DESCRIBES_BODY]
            message = {**message, "headers": [*kept, (b"content-length", b"0")]}
        else:
            message = {**message, "body": b""}
        await send(message)

    return answer
