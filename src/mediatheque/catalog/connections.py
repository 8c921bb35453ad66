"""How the database is reached, and what is said when it is not."""

import contextlib
from collections.abc import Iterator
from typing import Any, Literal
from urllib.parse import urlencode

import asyncpg
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection

from mediatheque.domain.errors import InvalidError, UnavailableError

AUTOCOMMIT: Literal["AUTOCOMMIT"] = "AUTOCOMMIT"
"""The isolation level of connections on which each statement is a transaction of its own."""

CONNECT_SECONDS = 10
COMMAND_SECONDS = 60
"""A server that is cut off without a word would be waited for for ever."""


_PORTS = 1 << 16
_PLACE = {"host", "port"}
_OPTIONS = {
    "application_name",
    "krbsrvname",
    "options",
    "passfile",
    "search_path",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcert",
    "sslcrl",
    "sslkey",
    "sslmode",
    "sslnegotiation",
    "sslpassword",
    "sslrootcert",
    "target_session_attrs",
}
"""What of PostgreSQL's own connection parameters the driver knows, or the server."""

_ALIASES = {"ssl": "sslmode"}
"""What the driver itself calls them, as many a URL written for it does."""


class DatabaseUnavailableError(UnavailableError):
    """It is the database that does not answer, not the store."""


def driver_url(url: str) -> str:
    """Return ``url`` as SQLAlchemy wants it for asyncpg. Raises InvalidError when it is none."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # the latter of a port
        raise InvalidError("MEDIATHEQUE_DATABASE_URL is not a database URL.") from None
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise InvalidError(
            "MEDIATHEQUE_DATABASE_URL must name a PostgreSQL, as in postgresql://host/database."
        )
    if parsed.port is not None and not 0 < parsed.port < _PORTS:
        raise InvalidError(f"MEDIATHEQUE_DATABASE_URL: there is no port {parsed.port}.")
    query = {name: value for name, value in parsed.query.items() if name in _PLACE}
    options = {
        _ALIASES.get(name, name): value
        for name, value in parsed.query.items()
        if name not in _PLACE
    }
    if unknown := sorted(options.keys() - _OPTIONS):
        raise InvalidError(
            f"MEDIATHEQUE_DATABASE_URL: {unknown[0]} means nothing here. What can be said behind "
            f"the question mark: {', '.join(sorted(_PLACE | _OPTIONS))}."
        )
    if options:
        # The driver knows PostgreSQL's own names for them in a URL only, not as arguments.
        query["dsn"] = f"postgresql://?{urlencode(options, doseq=True)}"
    adapted = parsed.set(drivername="postgresql+asyncpg", query=query)
    return adapted.render_as_string(hide_password=False)


def connection_arguments(url: str) -> dict[str, Any]:
    """Return what asyncpg needs to reach ``url`` on a connection that is not the pool's."""
    parsed = make_url(driver_url(url))
    _, arguments = parsed.get_dialect()().create_connect_args(parsed)
    return {**arguments, "timeout": CONNECT_SECONDS}


async def driver_connection(transaction: AsyncConnection) -> Any:
    """Return the driver's own connection under a transaction, for the queue's library."""
    return (await transaction.get_raw_connection()).driver_connection


def stands_alone(connection: AsyncConnection) -> bool:
    """Tell whether each statement on a connection is a transaction of its own."""
    synchronous = connection.sync_connection
    assert synchronous is not None  # it is open
    return synchronous.get_execution_options().get("isolation_level") == AUTOCOMMIT


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raise UnavailableError instead of what the driver raises when the database is away.

    Raises InvalidError for what no database could be reached with.
    """
    try:
        yield
    except InterfaceError as error:
        reason = error.orig.__cause__ if error.orig is not None else None
        if isinstance(reason, asyncpg.ClientConfigurationError):
            raise InvalidError(f"MEDIATHEQUE_DATABASE_URL: {reason}.") from error
        raise _unavailable() from error
    except (OperationalError, PoolTimeoutError, OSError, TimeoutError) as error:
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
    if isinstance(getattr(error, "__cause__", None), asyncpg.TargetServerAttributeNotMatched):
        return True
    # SQLSTATE classes 08 (connection), 25006 (a standby, which may be promoted), 25P03 (a
    # transaction stood still for too long), 53 (resources), 57P (shutdown, restart),
    # 28 (credentials), 3D (no such database).
    state = getattr(error, "sqlstate", None) or ""
    return state.startswith(("08", "25006", "25P03", "53", "57P", "28", "3D"))


def _unavailable() -> UnavailableError:
    return DatabaseUnavailableError("The database does not answer. Try again later.")
