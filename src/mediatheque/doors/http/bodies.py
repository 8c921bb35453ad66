"""Reading request bodies: in pieces as they arrive, or whole when they are small."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import msgspec
from litestar import Request

from mediatheque.domain.errors import (
    DisconnectedError,
    InvalidError,
    StoppedError,
    TimeoutExceededError,
    TooLargeError,
)
from mediatheque.doors.http.requests import content_length

SMALL_BODY = 1 << 20
"""Longest body that is read into memory as a whole, in bytes."""

LOCAL_TURNS = 2
"""Large bodies that flow at once to a local disk, which two of them keep busy."""

REMOTE_TURNS = 8
"""Large bodies that flow at once to a store across a network, where each waits for answers."""

_SMALL_TURNS = 16
_TURN_BYTES = 64 << 20
_PATIENCE = 0.01
"""Seconds that a turn may wait for its client at first; see ``_Turn``."""

_MOST_PATIENCE = 0.25
_STOP_SECONDS = 0.5
_KEEPING_SECONDS = 5.0
"""How long at least a turn goes on while its reader keeps a piece.

He may wait for memory that readers of bodies without a turn have: for ever, if turns never ended.
"""

_FAST = 64_000_000
"""Bytes per second at which a body earns back all the time that its turn waits for it.

Much less, and a slow client whose bytes piled up while it had no turn would earn so much patience
with them that the turns of a hundred such clients keep everybody waiting.
"""

AnyRequest = Request[Any, Any, Any]


class BodyReader:
    """Reads the bodies of all requests of one process.

    ``idle_timeout`` is the longest wait for one piece, in seconds; the time that the caller takes
    between pieces does not count. ``limit`` is the longest body taken, in bytes. ``turns`` large
    bodies flow at once.

    The server reads a body ahead once it flows, by up to a megabyte: what makes one upload fast
    makes a hundred of them large. So bodies take turns, and only those that had one are read
    ahead. Small bodies take turns among themselves, not to wait behind large ones.
    """

    def __init__(self, *, idle_timeout: float, limit: int, turns: int = LOCAL_TURNS) -> None:
        self._idle_timeout = idle_timeout
        self._limit = limit
        self._turns = asyncio.Semaphore(turns)
        self._small_turns = asyncio.Semaphore(_SMALL_TURNS)

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
        DisconnectedError when the client goes away before the end, or StoppedError.
        """
        limit = self._limit if limit is None else limit
        announced = content_length(request)
        if announced is not None and announced > limit:
            raise TooLargeError(f"The body has {announced} bytes; at most {limit} are taken.")
        longest = limit if announced is None else min(announced, limit)
        turn = _Turn(self._small_turns if longest <= SMALL_BODY else self._turns)
        received = 0
        # The server says that a body has ended a moment after its last byte: in HTTP/1 we know it.
        end = announced if request.scope["http_version"].startswith("1") else None
        more = end != 0
        clock = asyncio.get_running_loop().time
        stop_at: float | None = None
        try:
            while more:
                await turn.begin(stopping)
                if stopping is not None and stopping.is_set():
                    stop_at = stop_at or clock() + _STOP_SECONDS
                    if clock() > stop_at:
                        raise _stopped()
                message = await self._next(request, received, turn, stopping)
                size = len(message.get("body", b""))
                received += size
                more = message.get("more_body", False) and received != end
                if received > limit:
                    raise TooLargeError(f"The body is longer than the {limit} bytes allowed.")
                turn.count(size)
                if size:
                    # Not kept in a variable: it would stay in memory while the caller works.
                    turn.is_kept = True
                    yield message.pop("body")
                    turn.is_kept = False
        except StoppedError:
            if received != announced:
                raise
        finally:
            turn.end()

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

    async def _next(
        self,
        request: AnyRequest,
        received: int,
        turn: "_Turn",
        stopping: asyncio.Event | None,
    ) -> dict[str, Any]:
        """Return the next message of a body. Entered and left with the turn."""
        arriving = asyncio.ensure_future(request.receive())
        try:
            done = await turn.wait(arriving)
            if not done:
                turn.end()
                done = await self._wait(arriving, stopping)
                await turn.begin(stopping)
        finally:
            if not arriving.done():
                arriving.cancel()
        if not done:
            raise TimeoutExceededError(
                f"Nothing arrived for {self._idle_timeout:g} seconds, after {received} bytes of "
                "the body. Try again."
            )
        message: dict[str, Any] = dict(arriving.result())
        if message["type"] != "http.request":
            raise DisconnectedError(f"The client went away after {received} bytes of the body.")
        return message

    async def _wait(self, arriving: asyncio.Future[Any], stopping: asyncio.Event | None) -> bool:
        """Return whether ``arriving`` was done in time. Raises StoppedError once ``stopping``."""
        waited_for = {arriving}
        if stopping is not None:
            waited_for.add(asyncio.ensure_future(stopping.wait()))
        try:
            done, _ = await asyncio.wait(
                waited_for, timeout=self._idle_timeout, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for other in waited_for - {arriving}:
                other.cancel()
        if done and arriving not in done:
            raise _stopped()
        return bool(done)


def _stopped() -> StoppedError:
    return StoppedError("Another request has taken over, and this one was stopped.")


class _Turn:
    """The turns of one body.

    One ends after ``_TURN_BYTES``, or when the client let it wait for longer than its patience.
    That starts small and grows with what arrives, so that slow clients, however many and however
    steady, hold turns for moments, and a fast one keeps its own across a hiccup. A body whose
    client is slow waits without a turn until something arrives, and so does one whose reader keeps
    a piece for long: ``is_kept`` says that he has one.
    """

    def __init__(self, turns: asyncio.Semaphore) -> None:
        self._turns = turns
        self._held = False
        self._bytes_left = 0
        self._patience = 0.0
        self._pieces = 0
        self._looking: asyncio.TimerHandle | None = None
        self.is_kept = False

    async def begin(self, stopping: asyncio.Event | None) -> None:
        """Wait for a turn, unless there is one that goes on. None comes once ``stopping``."""
        if self._held and self._bytes_left > 0:
            return
        self.end()
        if stopping is None or not self._turns.locked():
            await self._turns.acquire()
        elif not await _acquired(self._turns, stopping):
            return
        self._held = True
        self._bytes_left = _TURN_BYTES
        self._patience = _PATIENCE
        self._look_later()

    def end(self) -> None:
        """Give the turn up, if there is one."""
        if self._held:
            self._held = False
            self._turns.release()
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def _look_later(self) -> None:
        # Now and then, as a timer for every piece would cost more than passing it on.
        loop = asyncio.get_running_loop()
        self._looking = loop.call_later(_KEEPING_SECONDS, self._look, self._pieces)

    def _look(self, pieces: int) -> None:
        """End the turn if its reader has kept one piece since there were ``pieces``."""
        if self.is_kept and self._pieces == pieces:
            self.end()
        else:
            self._look_later()

    async def wait(self, arriving: asyncio.Future[Any]) -> bool:
        """Return whether ``arriving`` was done while the patience lasted."""
        clock = asyncio.get_running_loop().time
        asked = clock()
        done, _ = await asyncio.wait({arriving}, timeout=self._patience)
        self._patience = max(0.0, self._patience - (clock() - asked))
        return bool(done)

    def count(self, size: int) -> None:
        """Count a piece of ``size`` bytes that arrived."""
        self._pieces += 1
        self._bytes_left -= size
        self._patience = min(_MOST_PATIENCE, self._patience + size / _FAST)


async def _acquired(turns: asyncio.Semaphore, stopping: asyncio.Event) -> bool:
    """Wait for one of ``turns``; return False without one when ``stopping`` comes first."""
    acquiring = asyncio.ensure_future(turns.acquire())
    stopped = asyncio.ensure_future(stopping.wait())
    acquired = False
    try:
        await asyncio.wait({acquiring, stopped}, return_when=asyncio.FIRST_COMPLETED)
        acquired = acquiring.done()
    finally:
        stopped.cancel()
        if not acquired and not acquiring.cancel():
            turns.release()
    return acquired


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
