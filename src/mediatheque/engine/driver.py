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
# SQLSTATE classes: connection, resources, shutdown or restart of the server.
_PASSING = ("08", "53", "57P")


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
        """Hand every notice on a channel to ``callback``."""
        await self._subscribe(channel, callback)

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
            await asyncio.sleep(_RETRY_SECONDS)

    async def _connected(self) -> asyncpg.Pool:
        if self._pool is None:
            self._pool = await asyncpg.create_pool(
                min_size=0, max_size=_CONNECTIONS, **self._arguments
            )
        return self._pool


def _is_passing(error: Exception) -> bool:
    if isinstance(error, asyncpg.PostgresError):
        return (getattr(error, "sqlstate", None) or "").startswith(_PASSING)
    return True
