"""``mediatheque prepare``: make what the service needs, and check it."""

import asyncio
import os
import sys

from mediatheque.catalog.database import Database
from mediatheque.catalog.schema import migrate
from mediatheque.cli.data_dir import embedded_database, make_data_dir
from mediatheque.cli.exits import Exit
from mediatheque.config import Settings, read_settings
from mediatheque.domain.errors import InvalidError, MediathequeError
from mediatheque.engine import queue
from mediatheque.engine.worker import check_schedule
from mediatheque.runtime import database_url, ensure_secret, open_configured_store
from mediatheque.services.identity import IdentityService


def prepare() -> None:
    """Create the data directory and the database, bring its schema up to date, check the store.

    ``serve`` does all of it at its start. On its own it serves to upgrade a database before new
    versions are started.
    """
    settings = read_settings(os.environ)
    make_data_dir(settings.data_dir)
    with embedded_database(settings):
        prepare_parts(settings)


def prepare_parts(settings: Settings) -> None:
    """Bring the schema up to date and check the store; exit with a sentence when one fails."""
    try:
        ensure_secret(settings)
    except InvalidError as error:
        sys.exit(Exit.DATA_DIR.because(error.detail))
    if settings.uploads_root is None:
        settings.sync_root.mkdir(exist_ok=True)
    try:
        check_schedule(settings.janitor_schedule)
    except InvalidError as error:
        sys.exit(Exit.SETTINGS.because(f"MEDIATHEQUE_JANITOR_SCHEDULE: {error.detail}"))
    try:
        asyncio.run(migrate(database_url(settings), queue.install))
    except InvalidError as error:
        sys.exit(Exit.SETTINGS.because(error.detail))
    except MediathequeError as error:
        sys.exit(Exit.DATABASE.because(error.detail))
    try:
        asyncio.run(_check_store(settings))
    except InvalidError as error:
        sys.exit(Exit.SETTINGS.because(error.detail))
    except MediathequeError as error:
        sys.exit(Exit.STORE.because(error.detail))


async def _check_store(settings: Settings) -> None:
    """Make sure that the store works and belongs to this catalog. Raises what it says."""
    store = open_configured_store(settings)
    database = Database(database_url(settings), connections=1)
    try:
        await store.check()
        await IdentityService(database, store).claim()
    finally:
        await database.close()
        await store.close()
