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
from mediatheque.doors.http.requests import content_length

SMALL_BODY = 1 << 20
"""Longest body that is read into memory as a whole, in bytes."""

_TURNS = 8
_TURN_BYTES = 64 << 20
_PATIENCE = 0.01
"""Seconds that a body keeps its turn while nothing arrives."""

AnyRequest = Request[Any, Any, Any]


class BodyReader:
    """Reads the bodies of all requests of one process.

    ``idle_timeout`` is the longest wait for one piece, in seconds; the time that the caller takes
    between pieces does not count. ``limit`` is the longest body taken, in bytes.

    The server buffers up to a megabyte for a body that is being read: what makes one upload fast
    makes a hundred of them large. So bodies take turns: ``_TURNS`` of them flow at once, each for
    at most ``_TURN_BYTES`` while others wait, and one whose client is slow gives its turn up
    until something arrives.
    """

    def __init__(self, *, idle_timeout: float, limit: int) -> None:
        self._idle_timeout = idle_timeout
        self._limit = limit
        self._turns = asyncio.Semaphore(_TURNS)

    async def pieces(
        self, request: AnyRequest, *, limit: int | None = None
    ) -> AsyncIterator[bytes]:
        """Yield the body in non-empty pieces, as the server hands them over.

        Raises TimeoutExceededError, TooLargeError (at once when Content-Length already says so),
        or DisconnectedError when the client goes away before the end.
        """
        limit = self._limit if limit is None else limit
        announced = content_length(request)
        if announced is not None and announced > limit:
            raise TooLargeError(f"The body has {announced} bytes; at most {limit} are taken.")
        received = 0
        more = True
        await self._turns.acquire()
        try:
            turn_ends = _TURN_BYTES
            while more:
                message = await self._next(request, received)
                more = message.get("more_body", False)
                received += len(message.get("body", b""))
                if received > limit:
                    raise TooLargeError(f"The body is longer than the {limit} bytes allowed.")
                if message.get("body"):
                    # Not kept in a variable: it would stay in memory while the caller works.
                    yield message.pop("body")
                if received >= turn_ends:
                    turn_ends = received + _TURN_BYTES
                    self._turns.release()
                    await self._turns.acquire()
        finally:
            self._turns.release()

    async def read_all(self, request: AnyRequest, *, limit: int = SMALL_BODY) -> bytes:
        """Return a whole body of at most ``limit`` bytes. Raises what ``pieces`` raises."""
        return b"".join([piece async for piece in self.pieces(request, limit=limit)])

    async def _next(self, request: AnyRequest, received: int) -> dict[str, Any]:
        """Return the next message of a body. Entered and left with a turn."""
        arriving = asyncio.ensure_future(request.receive())
        try:
            done, _ = await asyncio.wait({arriving}, timeout=_PATIENCE)
            if not done:
                self._turns.release()
                try:
                    done, _ = await asyncio.wait({arriving}, timeout=self._idle_timeout)
                finally:
                    await self._turns.acquire()
        finally:
            if not arriving.done():
                arriving.cancel()
        if not done:
            raise TimeoutExceededError(
                f"Nothing arrived for {self._idle_timeout:g} seconds, after {received} bytes of "
                "the body. Nothing was kept; send it again."
            )
        message: dict[str, Any] = dict(arriving.result())
        if message["type"] != "http.request":
            raise DisconnectedError(f"The client went away after {received} bytes of the body.")
        return message


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
