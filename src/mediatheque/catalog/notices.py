"""Hearing what other processes tell through PostgreSQL's LISTEN and NOTIFY.

One connection of its own, made anew whenever it is lost: nobody else would notice, because a
connection that only listens says nothing. What was told meanwhile is lost, so that whoever
subscribes is told of every new connection and looks for itself.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import asyncpg

from mediatheque.catalog.connections import connection_arguments
from mediatheque.telemetry.logs import get_logger

log = get_logger(__name__)

Hear = Callable[[str], None]
Reconnected = Callable[[], None]

_PROBE_SECONDS = 5.0
_RETRY_SECONDS = 0.5


class Notices:
    """The notices of one database. ``run`` keeps it connected."""

    def __init__(self, url: str) -> None:
        self._arguments = connection_arguments(url)
        self._hear: dict[str, list[Hear]] = defaultdict(list)
        self._reconnected: list[Reconnected] = []
        self._connection: asyncpg.Connection | None = None

    @property
    def connected(self) -> bool:
        """Whether notices are heard now, as far as is known."""
        return self._connection is not None

    async def subscribe(
        self, channel: str, hear: Hear, reconnected: Reconnected | None = None
    ) -> None:
        """Call ``hear`` with every notice on ``channel``; ``reconnected`` after each gap."""
        first = not self._hear[channel]
        self._hear[channel].append(hear)
        if reconnected is not None:
            self._reconnected.append(reconnected)
        if first and self._connection is not None:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._connection.add_listener(channel, self._dispatch)

    async def run(self) -> None:
        """Stay connected until cancelled."""
        while True:
            try:
                await self._listen()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("notices interrupted", reason=type(error).__name__)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _listen(self) -> None:
        connection = await asyncpg.connect(**self._arguments)
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            # Set first: whoever subscribes meanwhile listens by itself, at worst for nothing.
            self._connection = connection
            for channel in list(self._hear):
                await connection.add_listener(channel, self._dispatch)
            for reconnected in self._reconnected:
                reconnected()
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(lost.wait(), _PROBE_SECONDS)
                # Fails at once on a connection that is known to be lost.
                await connection.execute("SELECT 1", timeout=_PROBE_SECONDS)
        finally:
            self._connection = None
            connection.terminate()

    def _dispatch(self, _connection: Any, _pid: int, channel: str, payload: object) -> None:
        for hear in self._hear[channel]:
            hear(str(payload))
