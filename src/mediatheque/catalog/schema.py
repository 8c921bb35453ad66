"""Bringing a database to the schema that this version needs."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from mediatheque.catalog.connections import driver_connection, driver_url
from mediatheque.catalog.database import Database
from mediatheque.domain.errors import UnavailableError

_LOCK = 0x4D54515F5343484D  # "MTQ_SCHM": one migrates, others wait


def alembic_config() -> Config:
    """Return Alembic's configuration: only where the migrations are."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


async def migrate(url: str, install: Callable[[Any], Awaitable[None]] | None = None) -> None:
    """Apply the missing migrations, then ``install`` on the driver's connection; one at a time.

    Raises UnavailableError when the database does not answer, or its schema is newer than this
    version knows.
    """
    database = Database(url, connections=1)
    try:
        await database.check()
    finally:
        await database.close()
    engine = create_async_engine(driver_url(url), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
            await connection.commit()
            await connection.run_sync(_upgrade)
            await connection.commit()
            if install is not None:
                await install(await driver_connection(connection))
            await connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
    except DBAPIError as error:
        reason = str(error.orig).splitlines()[0]
        raise UnavailableError(f"The database refused the schema: {reason}") from error
    finally:
        await engine.dispose()


async def missing_migrations(url: str) -> int:
    """Return how many migrations ``migrate`` would apply. Changes nothing.

    Raises UnavailableError as ``migrate`` does.
    """
    engine = create_async_engine(driver_url(url), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            return len(await connection.run_sync(_missing))
    except (DBAPIError, OSError) as error:
        raise UnavailableError("The database does not answer.") from error
    finally:
        await engine.dispose()


def _missing(connection: Connection) -> list[str]:
    """Return the migrations that this database lacks, newest first."""
    scripts = ScriptDirectory.from_config(alembic_config())
    current = MigrationContext.configure(connection).get_current_revision()
    missing: list[str] = []
    for script in scripts.walk_revisions():
        if script.revision == current:
            return missing
        missing.append(script.revision)
    if current is not None:
        raise UnavailableError(
            f"The database has schema {current}, which is newer than this version of Mediatheque "
            "knows. Install the version that made it, or a newer one."
        )
    return missing


def _upgrade(connection: Connection) -> None:
    if _missing(connection):
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
