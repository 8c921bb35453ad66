"""How the queue's library reaches PostgreSQL.

Every statement of it names its rows or takes what nobody has, so that one whose answer was lost
can be sent again: a worker outlives a database that restarts.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Self

import asyncpg
from pgqueuer.core.tm import TaskManager
from pgqueuer.ports.driver import Driver, NotifyCallback

from mediatheque.telemetry.logs import get_logger

log = get_logger(__name__)

Subscribe = Callable[[str, Callable[[str], None]], Awaitable[None]]
"""Hands every notice on a channel to a function, whatever becomes of connections."""

_CONNECTIONS = 4
_RETRY_SECONDS = 0.5
# Whoever is cut off without a word hears of it from nobody: not from the network for a quarter of
# an hour, and not from the queue, whose own statements take milliseconds.
_STATEMENT_SECONDS = 60.0
_CHANGED = "table_changed_event"
_REST_SECONDS = 0.02
# SQLSTATE classes of what somebody mends while workers wait: connection, read-only server (a
# standby that takes over), credentials, missing database, deadlock, resources, restart, disk.
_PASSING = ("08", "25", "28", "3D", "40", "53", "57P", "58")


class QueueDriver(Driver):
    """A few connections of its own; ``arguments`` are asyncpg's."""

    def __init__(self, arguments: dict[str, Any], subscribe: Subscribe) -> None:
        self._arguments = arguments
        self._subscribe = subscribe
        self._pool: asyncpg.Pool | None = None
        self._stopping = asyncio.Event()
        self._tasks = TaskManager()

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        """Return the rows of a query."""
        rows = await self._patiently(lambda pool: pool.fetch(query, *args))
        return [dict(row) for row in rows]

    async def execute(self, query: str, *args: object) -> str:
        """Run a statement and return its status."""
        return str(await self._patiently(lambda pool: pool.execute(query, *args)))

    async def notify(self, channel: str, payload: str) -> None:
        """Tell everybody who listens on a channel."""
        await self.execute("SELECT pg_notify($1, $2)", channel, payload)

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        """Hand the notices on a channel to ``callback``; see ``Merged``."""
        await self._subscribe(channel, Merged(callback))

    @property
    def shutdown(self) -> asyncio.Event:
        """Set when nothing is to be tried again."""
        return self._stopping

    @property
    def tm(self) -> TaskManager:
        """Background tasks of the library."""
        return self._tasks

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stay open: more than one part of the library enters the same driver."""

    async def close(self) -> None:
        """Close every connection."""
        self._stopping.set()
        if self._pool is not None:
            self._pool.terminate()

    async def _patiently(self, statement: Callable[[asyncpg.Pool], Awaitable[Any]]) -> Any:
        while True:
            try:
                return await statement(await self._connected())
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                if not _is_passing(error) or self._stopping.is_set():
                    raise
                log.warning("the queue waits for the database", reason=type(error).__name__)
                if self._pool is not None:
                    await self._pool.expire_connections()  # the next one may reach another server
            await asyncio.sleep(_RETRY_SECONDS)

    async def _connected(self) -> asyncpg.Pool:
        if self._pool is None:
            self._pool = await asyncpg.create_pool(
                min_size=0,
                max_size=_CONNECTIONS,
                command_timeout=_STATEMENT_SECONDS,
                **self._arguments,
            )
        return self._pool


class Merged:
    """Passes notices on, but those that only say that the queue changed one at a time.

    Every change of every entry is told to every process. The library keeps each notice until it
    has looked once for it: under load it would keep ever more, and look for minutes afterwards.
    """

    def __init__(self, callback: NotifyCallback) -> None:
        self._callback = callback
        self._resting = False
        self._held_back: str | None = None

    def __call__(self, payload: str) -> None:
        """Take a notice."""
        if _CHANGED not in payload:
            self._callback(payload)
        elif self._resting:
            self._held_back = payload
        else:
            self._resting = True
            asyncio.get_running_loop().call_later(_REST_SECONDS, self._rested)
            self._callback(payload)

    def _rested(self) -> None:
        self._resting = False
        payload, self._held_back = self._held_back, None
        if payload is not None:
            self(payload)


def _is_passing(error: Exception) -> bool:
    if isinstance(error, asyncpg.PostgresError):
        return (getattr(error, "sqlstate", None) or "").startswith(_PASSING)
    return True
