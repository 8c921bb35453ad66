"""OPTIONS of pages of other origins that ask what the server can."""

from typing import Any

from litestar.config.cors import CORSConfig

from mediatheque.doors.http.answers import ASGIApp, Send, with_headers
from mediatheque.doors.http.conditions import field_value


class PageOptions:
    """ASGI middleware around the framework, which takes every OPTIONS of a page for a preflight.

    One that is none (Fetch standard, section 3.3.2) gets to the routes, as if no page had sent it,
    and pages of the origins that ``cors`` allows may read the answer.
    """

    def __init__(self, app: ASGIApp, cors: CORSConfig | None) -> None:
        self._app = app
        self._cors = cors

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle one ASGI connection."""
        if scope["type"] == "http" and scope["method"] == "OPTIONS" and not _is_preflight(scope):
            origin = field_value(scope["headers"], b"origin")
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"origin"]
            if origin is not None and self._cors is not None:
                send = _readable(send, self._cors, origin)
        await self._app(scope, receive, send)


def _is_preflight(scope: Any) -> bool:
    return field_value(scope["headers"], b"access-control-request-method") is not None


def _readable(send: Send, cors: CORSConfig, origin: str) -> Send:
    added = dict(cors.simple_headers)
    if not cors.is_allow_all_origins:
        added["Vary"] = "Origin"
        if cors.is_origin_allowed(origin):
            added["Access-Control-Allow-Origin"] = origin
    return with_headers(
        send, [(name.lower().encode(), value.encode()) for name, value in added.items()]
    )
