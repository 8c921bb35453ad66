"""Reading request bodies: in pieces as they arrive, or whole when they are small."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any

import msgspec

from mediatheque.domain.errors import (
    DisconnectedError,
    InvalidError,
    StoppedError,
    TimeoutExceededError,
    TooLargeError,
)
from mediatheque.doors.http.conditions import field_value
from mediatheque.doors.http.observe import LAST_REQUEST, READ_AHEAD
from mediatheque.doors.http.requests import AnyRequest, check_uncoded, content_length
from mediatheque.doors.http.turns import Turn

SMALL_BODY = 1 << 20
"""Longest body that is read into memory as a whole, in bytes."""

LOCAL_TURNS = 2
"""Large bodies that flow at once to a local disk, which two of them keep busy."""

REMOTE_TURNS = 8
"""Large bodies that flow at once to a store across a network, where each waits for answers."""

_SMALL_TURNS = 16
_CROWD = 16
"""Large bodies at once in one process, among which long ones end their connections."""

_LONG = 4 << 20
"""What is longer, in bytes, ends its connection in a crowd.

The next request may come to another process, which takes the upload over in some milliseconds.
"""

_STOP_SECONDS = 0.5


class BodyReader:
    """Reads the bodies of all requests of one process.

    ``idle_timeout`` is the longest wait for one piece, in seconds; the time that the caller takes
    between pieces does not count. ``limit`` is the longest body taken, in bytes. ``turns`` large
    bodies flow at once.

    The server reads a body ahead once it flows, by up to a megabyte, and so do we, by a piece: what
    makes one upload fast makes a hundred of them large. So bodies take turns, and only those that
    had one are read ahead, but for the first piece (``ask``). Small bodies take turns among
    themselves, not to wait behind large ones.

    With the head of a request the server takes what it would read at once of the body before it on
    the same connection, half a megabyte, though that may wait for its turn. Of many connections it
    would hold so much for each: in a crowd they end with their long bodies, and the next ones begin
    with little.
    """

    def __init__(self, *, idle_timeout: float, limit: int, turns: int = LOCAL_TURNS) -> None:
        self._idle_timeout = idle_timeout
        self._limit = limit
        self._turns = asyncio.Semaphore(turns)
        self._small_turns = asyncio.Semaphore(_SMALL_TURNS)
        self._large = 0  # bodies under way, with or without a turn

    def ask(self, request: AnyRequest) -> None:
        """Have the first piece read while the caller gets ready for it, if turns are free.

        Not that of a client who waits to be asked: it may be refused without having sent it.
        """
        waits = field_value(request.scope["headers"], b"expect") is not None
        if not waits and not self._turns.locked():
            _read_ahead(request)

    async def pieces(
        self,
        request: AnyRequest,
        *,
        limit: int | None = None,
        stopping: asyncio.Event | None = None,
    ) -> AsyncGenerator[bytes, None]:
        """Yield the body in non-empty pieces, as the server hands them over.

        Close it (``contextlib.aclosing``) where the reader may stop early: until then it keeps its
        turn from the others. Once ``stopping`` is set it ends, soon after what has arrived already:
        within half a second even when more and more does.

        Raises TimeoutExceededError, TooLargeError (at once when Content-Length already says so),
        UnsupportedError for a coded body, DisconnectedError when the client goes away before the
        end, or StoppedError.
        """
        limit = self._limit if limit is None else limit
        announced = _announced(request, limit)
        longest = limit if announced is None else announced
        received = 0
        # The server says that a body has ended a moment after its last byte: in HTTP/1 we know it.
        end = announced if request.scope["http_version"].startswith("1") else None
        more = end != 0
        clock = asyncio.get_running_loop().time
        stop_at: float | None = None
        try:
            with self._among_others(request, longest, stopping) as turn:
                while more:
                    await turn.begin()
                    if turn.is_stopped:
                        stop_at = stop_at or clock() + _STOP_SECONDS
                        if clock() > stop_at:
                            raise _stopped()
                    message = await self._next(request, received, turn)
                    size = len(message.get("body", b""))
                    received += size
                    more = message.get("more_body", False) and received != end
                    if received > limit:
                        raise TooLargeError(f"The body is longer than the {limit} bytes allowed.")
                    turn.count(size)
                    if size:
                        if more and turn.goes_on:
                            _read_ahead(request)
                        # Not kept in a variable: it would stay in memory while the caller works.
                        turn.is_kept = True
                        yield message.pop("body")
                        turn.is_kept = False
        except StoppedError:
            if received != announced:
                raise

    async def read_all(self, request: AnyRequest, *, limit: int = SMALL_BODY) -> bytes:
        """Return a whole body of at most ``limit`` bytes. Raises what ``pieces`` raises."""
        return b"".join([piece async for piece in self.pieces(request, limit=limit)])

    async def pass_over(self, request: AnyRequest, *, limit: int | None = None) -> None:
        """Read a body that nobody needs: many clients look for no answer before its end.

        Raises what ``pieces`` raises.
        """
        async with aclosing(self.pieces(request, limit=limit)) as pieces:
            async for _ in pieces:
                pass

    @contextmanager
    def _among_others(
        self, request: AnyRequest, longest: int, stopping: asyncio.Event | None
    ) -> Iterator[Turn]:
        """Offer the turns of a body of at most ``longest`` bytes, which flows during the block."""
        is_large = longest > SMALL_BODY
        turn = Turn(self._turns if is_large else self._small_turns, stopping)
        self._large += is_large
        try:
            yield turn
        finally:
            turn.end()
            if longest > _LONG and self._large > _CROWD:
                scope: Any = request.scope  # Litestar types its own keys only
                scope[LAST_REQUEST] = True
            self._large -= is_large

    async def _next(self, request: AnyRequest, received: int, turn: Turn) -> dict[str, Any]:
        """Return the next message of a body. Entered and left with the turn."""
        try:
            async with asyncio.timeout(None) as limit:
                turn.wait(limit, longest=self._idle_timeout)
                message: dict[str, Any] = dict(await request.receive())
        except TimeoutError:
            if turn.is_stopped:
                raise _stopped() from None
            raise TimeoutExceededError(
                f"Nothing arrived for {self._idle_timeout:g} seconds, after {received} bytes of "
                "the body. Try again."
            ) from None
        finally:
            turn.wait_no_more()
        await turn.begin()
        if message["type"] != "http.request":
            raise DisconnectedError(f"The client went away after {received} bytes of the body.")
        return message


def _announced(request: AnyRequest, limit: int) -> int | None:
    """Return the length that a body is said to have. Raises what ``pieces`` raises for that."""
    announced = content_length(request)
    if announced != 0:
        check_uncoded(request)
    if announced is not None and announced > limit:
        raise TooLargeError(f"The body has {announced} bytes; at most {limit} are taken.")
    return announced


def _read_ahead(request: AnyRequest) -> None:
    """Have the next piece read meanwhile, where somebody offers that."""
    scope: Mapping[str, Any] = request.scope
    if READ_AHEAD in scope:
        scope[READ_AHEAD]()


def _stopped() -> StoppedError:
    return StoppedError("Another request has taken over, and this one was stopped.")


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
