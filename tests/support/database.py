"""A real PostgreSQL for tests: the embedded one, with databases of their own."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from mediatheque.catalog import medias
from mediatheque.catalog.database import Database
from mediatheque.catalog.embedded import EmbeddedPostgres
from mediatheque.catalog.schema import migrate
from mediatheque.domain.ids import new_id
from mediatheque.domain.media import Media
from mediatheque.engine import queue


async def execute(url: str, statement: str, *values: Any) -> None:
    """Run one statement on the database at ``url``, past the code under test."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement, *values)
    finally:
        await connection.close()


async def fetch(url: str, query: str, *values: Any) -> list[Any]:
    """Return the rows of one query on the database at ``url``."""
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(query, *values))
    finally:
        await connection.close()


# What one test left is gone before the next. A TRUNCATE makes new files for every table and index
# each time, which costs more than most tests do: it is for what became large, and what is small is
# deleted, without the triggers and foreign keys that would look after each row.
_EMPTY = """
CREATE FUNCTION empty_all_tables() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    held regclass;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR held IN
        SELECT oid FROM pg_class WHERE relkind = 'r'
        AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'
    LOOP
        CONTINUE WHEN pg_relation_size(held) = 0;
        IF pg_relation_size(held) > 1000000 THEN
            EXECUTE format('TRUNCATE %s CASCADE', held);
        ELSE
            EXECUTE format('DELETE FROM %s', held);
        END IF;
    END LOOP;
END $$
"""


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server; its own database stays empty."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"))
    server.start()
    asyncio.run(_make_careless(server.url))
    yield server.url
    server.stop()


async def _make_careless(url: str) -> None:
    """Let a server wait for no disk: nothing outlives the tests, and none cuts its power."""
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        await execute(url, f"ALTER SYSTEM SET {setting} = off")
    await execute(url, "SELECT pg_reload_conf()")


@pytest.fixture
async def empty_database_url(postgres_url: str) -> AsyncIterator[str]:
    """The URL of a new database without any table."""
    name = f"test_{uuid.uuid4().hex}"
    await execute(postgres_url, f"CREATE DATABASE {name}")
    yield postgres_url.replace("@/postgres?", f"@/{name}?")
    await execute(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def database_url(postgres_url: str) -> str:
    """The URL of a database with the newest schema, shared by all tests."""
    asyncio.run(execute(postgres_url, "CREATE DATABASE shared"))
    url = postgres_url.replace("@/postgres?", "@/shared?")
    asyncio.run(migrate(url, queue.install))
    asyncio.run(execute(url, _EMPTY))
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The shared database, its tables empty."""
    await execute(database_url, "SELECT empty_all_tables()")
    opened = Database(database_url, connections=10)
    yield opened
    await opened.close()


def a_media(**values: Any) -> Media:
    """Return a media with these values; what is not given is fresh or plain."""
    media_id = values.get("id") or new_id()
    now = datetime.now(UTC)
    plain: dict[str, Any] = {
        "id": media_id,
        "resource": f"{media_id}.bin",
        "key": "",
        "filename": "file.bin",
        "size": 3,
        "mime_type": "application/octet-stream",
        "created_by": "local",
        "created_role": "operator",
        "public": False,
        "project_id": None,
        "created_at": now,
        "updated_at": now,
        "object_key": f"originals/{media_id}/file.bin",
    }
    return Media(**(plain | values))


async def add_medias(database: Database, *several: Media) -> None:
    """Insert medias in one transaction."""
    async with database.begin() as transaction:
        for media in several:
            await medias.add(transaction, media)
