"""Answers on their way from the application to the server."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]
Send = Callable[[Any], Awaitable[None]]


def with_headers(send: Send, added: Sequence[tuple[bytes, bytes]]) -> Send:
    """Return what passes an answer on to ``send``, with these headers (lower case) as well."""

    async def answer(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *added]}
        await send(message)

    return answer
