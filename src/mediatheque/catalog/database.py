"""The connection to PostgreSQL."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal

import asyncpg
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from mediatheque.domain.errors import InvalidError, UnavailableError

Transaction = AsyncConnection
"""What query modules take: a connection inside a transaction, or one that only reads."""

_AUTOCOMMIT: Literal["AUTOCOMMIT"] = "AUTOCOMMIT"
_CONNECT_SECONDS = 10
_POOL_SECONDS = 30
_COMMAND_SECONDS = 60
_OLDEST_SERVER = 140_000


def driver_url(url: str) -> str:
    """Return ``url`` as SQLAlchemy wants it for asyncpg. Raises InvalidError when it is none."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise InvalidError("MEDIATHEQUE_DATABASE_URL is not a database URL.") from None
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise InvalidError(
            "MEDIATHEQUE_DATABASE_URL must name a PostgreSQL, as in postgresql://host/database."
        )
    query = dict(parsed.query)
    if "sslmode" in query:
        # The name that PostgreSQL's own tools use; asyncpg takes the same values as "ssl".
        query["ssl"] = query.pop("sslmode")
    adapted = parsed.set(drivername="postgresql+asyncpg", query=query)
    return adapted.render_as_string(hide_password=False)


def connection_arguments(url: str) -> dict[str, Any]:
    """Return what asyncpg needs to reach ``url`` on a connection that is not the pool's."""
    parsed = make_url(driver_url(url))
    _, arguments = parsed.get_dialect()().create_connect_args(parsed)
    return {**arguments, "timeout": _CONNECT_SECONDS}


async def driver_connection(transaction: Transaction) -> Any:
    """Return the driver's own connection under a transaction, for the queue's library."""
    return (await transaction.get_raw_connection()).driver_connection


def stands_alone(connection: Transaction) -> bool:
    """Tell whether each statement on a connection is a transaction of its own."""
    synchronous = connection.sync_connection
    assert synchronous is not None  # it is open
    return synchronous.get_execution_options().get("isolation_level") == _AUTOCOMMIT


class DatabaseUnavailableError(UnavailableError):
    """It is the database that does not answer, not the store."""


class Database:
    """A pool of connections. Transactions are short and never span other I/O."""

    def __init__(self, url: str, *, connections: int) -> None:
        self._engine: AsyncEngine = create_async_engine(
            driver_url(url),
            pool_size=connections,
            max_overflow=0,
            pool_timeout=_POOL_SECONDS,
            # A server that is cut off without a word would be waited for for ever.
            connect_args={"timeout": _CONNECT_SECONDS, "command_timeout": _COMMAND_SECONDS},
        )
        self._reading = self._engine.execution_options(isolation_level=_AUTOCOMMIT)

    @contextlib.asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        """Run a transaction: committed at the end, rolled back when the block raises.

        Raises UnavailableError when the database does not answer.
        """
        with _translated():
            async with self._engine.begin() as transaction:
                yield transaction

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """Offer a connection on which each statement stands alone: one round trip, no BEGIN.

        Raises UnavailableError when the database does not answer.
        """
        with _translated():
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
        await self._engine.dispose()


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (InterfaceError, OperationalError, PoolTimeoutError, OSError, TimeoutError) as error:
        raise _unavailable() from error
    except DBAPIError as error:
        if error.connection_invalidated or _is_connection_failure(error.orig):
            raise _unavailable() from error
        raise
    except asyncpg.InternalClientError as error:  # the server ended in the middle of a word
        raise _unavailable() from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:  # see ``prepared``
        closed = isinstance(error, asyncpg.InterfaceError) and not isinstance(error, ValueError)
        if closed or _is_connection_failure(error):
            raise _unavailable() from error
        raise


def _is_connection_failure(error: BaseException | None) -> bool:
    # SQLSTATE classes 08 (connection), 25006 (a standby, which may be promoted), 53 (resources),
    # 57P (shutdown, restart), 28 (credentials), 3D (no such database).
    state = getattr(error, "sqlstate", None) or ""
    return state.startswith(("08", "25006", "53", "57P", "28", "3D"))


def _unavailable() -> UnavailableError:
    return DatabaseUnavailableError("The database does not answer. Try again later.")
