"""Reading request bodies: in pieces as they arrive, or whole when they are small."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from litestar import Request

from mediatheque.domain.errors import (
    DisconnectedError,
    InvalidError,
    TimeoutExceededError,
    TooLargeError,
)
from mediatheque.doors.http.conditions import field_value


async def pieces(
    request: Request[Any, Any, Any], *, idle_timeout: float, limit: int
) -> AsyncIterator[bytes]:
    """Yield the body in non-empty pieces, as the server hands them over.

    ``idle_timeout`` is the longest wait for one piece, in seconds; the time that the caller takes
    between pieces does not count. ``limit`` is the longest body taken, in bytes. Raises
    TimeoutExceededError, TooLargeError (at once when Content-Length already says so), or
    DisconnectedError when the client goes away before the end.
    """
    announced = _content_length(request)
    if announced is not None and announced > limit:
        raise TooLargeError(f"the request body has {announced} bytes, at most {limit} are taken")
    received = 0
    more = True
    while more:
        try:
            async with asyncio.timeout(idle_timeout):
                message = await request.receive()
        except TimeoutError as error:
            raise TimeoutExceededError(
                f"nothing arrived for {idle_timeout:g} seconds after {received} bytes of the body"
            ) from error
        if message["type"] != "http.request":
            raise DisconnectedError(f"the client went away after {received} bytes of the body")
        piece = message.get("body", b"")
        more = message.get("more_body", False)
        received += len(piece)
        if received > limit:
            raise TooLargeError(
                f"the request body has at least {received} bytes, at most {limit} are taken"
            )
        if piece:
            yield piece


async def read_all(
    request: Request[Any, Any, Any], *, idle_timeout: float, limit: int = 1024 * 1024
) -> bytes:
    """Return a whole body of at most ``limit`` bytes. Raises what ``pieces`` raises."""
    arrived = [piece async for piece in pieces(request, idle_timeout=idle_timeout, limit=limit)]
    return b"".join(arrived)


def parse_json(body: bytes) -> object:
    """Return the value that a JSON text stands for.

    Raises InvalidError when it is malformed, not UTF-8, or nested too deeply.
    """
    try:
        return msgspec.json.decode(body)
    except RecursionError as error:
        raise InvalidError("the request body is nested too deeply") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidError(f"the request body is not valid JSON: {error}") from error


def _content_length(request: Request[Any, Any, Any]) -> int | None:
    """Return the announced size; None without one, or when it is no number worth reading."""
    field = field_value(request.scope["headers"], b"content-length")
    if field is None or not (field.isascii() and field.isdigit() and len(field) < 32):
        return None
    return int(field)
