"""The connection to PostgreSQL."""

import contextlib
from collections.abc import AsyncIterator

from sqlalchemy import AdaptedConnection, event, text
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from mediatheque.catalog.connections import (
    AUTOCOMMIT,
    COMMAND_SECONDS,
    CONNECT_SECONDS,
    driver_url,
    translated,
)
from mediatheque.catalog.group_commit import GroupCommit
from mediatheque.domain.errors import UnavailableError

Transaction = AsyncConnection
"""What query modules take: a connection inside a transaction, or one that only reads."""

_POOL_SECONDS = 30
_IDLE_MILLISECONDS = 5000
"""How long a transaction may do nothing. Ours never wait for anything but the database: one that
does is of a process that stands still, as one that is stopped or swapped out, and what it has
locked would be locked for as long as that."""

_OLDEST_SERVER = 140_000


class Database:
    """A pool of connections. Transactions are short and never span other I/O.

    ``group`` runs what comes too often to have a transaction for itself, on one more connection.
    Unless ``durable``, that does not wait for the database's disk.
    """

    def __init__(self, url: str, *, connections: int, durable: bool = True) -> None:
        self._engine: AsyncEngine = create_async_engine(
            driver_url(url),
            pool_size=connections,
            max_overflow=0,
            pool_timeout=_POOL_SECONDS,
            connect_args={
                "timeout": CONNECT_SECONDS,
                "command_timeout": COMMAND_SECONDS,
                "server_settings": {"idle_in_transaction_session_timeout": str(_IDLE_MILLISECONDS)},
            },
        )
        event.listen(self._engine.sync_engine.pool, "checkout", _replace_closed)
        self.group = GroupCommit(url, durable=durable)
        self._reading = self._engine.execution_options(isolation_level=AUTOCOMMIT)

    @contextlib.asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        """Run a transaction: committed at the end, rolled back when the block raises.

        Raises UnavailableError when the database does not answer.
        """
        with translated():
            async with self._engine.begin() as transaction:
                yield transaction

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """Offer a connection on which each statement stands alone: one round trip, no BEGIN.

        Raises UnavailableError when the database does not answer.
        """
        with translated():
            async with self._reading.connect() as connection:
                yield connection

    async def check(self) -> None:
        """Raise UnavailableError unless a PostgreSQL that is new enough answers."""
        async with self.read() as connection:
            version = await connection.scalar(text("SHOW server_version_num"))
        if int(version) < _OLDEST_SERVER:
            raise UnavailableError("The database is too old. PostgreSQL 14 or newer is needed.")

    async def close(self) -> None:
        """Close every connection."""
        await self.group.close()
        await self._engine.dispose()


def _replace_closed(
    connection: AdaptedConnection, _record: ConnectionPoolEntry, _proxy: PoolProxiedConnection
) -> None:
    """Have the pool connect anew where the database has closed a connection meanwhile.

    When it was away all of them are, and each would fail somebody's request.
    """
    if connection.driver_connection.is_closed():
        raise DisconnectionError
