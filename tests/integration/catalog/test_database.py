"""The connection to the database: what it promises and how it fails."""

import asyncio
from types import NoneType

import asyncpg
import pytest
from sqlalchemy import text

from mediatheque.catalog import database as database_module
from mediatheque.catalog import intakes
from mediatheque.catalog.connections import (
    DatabaseUnavailableError,
    connection_arguments,
    driver_url,
)
from mediatheque.catalog.database import Database
from mediatheque.domain.errors import InvalidError, UnavailableError
from mediatheque.domain.ids import new_id
from tests.support.database import a_media, add_medias, execute
from tests.support.service import free_port


async def test_a_transaction_is_kept_whole_or_not_at_all(database: Database) -> None:
    count = text("SELECT count(*) FROM medias")
    await add_medias(database, a_media())

    async def interrupted() -> None:
        async with database.begin() as transaction:
            await transaction.execute(text("DELETE FROM medias"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await interrupted()

    async with database.read() as connection:
        assert await connection.scalar(count) == 1


async def test_a_connection_that_was_cut_is_an_outage_and_the_next_one_works(
    database: Database, database_url: str
) -> None:
    async def cut() -> None:
        async with database.read() as connection:
            pid = await connection.scalar(text("SELECT pg_backend_pid()"))
            await execute(database_url, f"SELECT pg_terminate_backend({pid})")
            await asyncio.sleep(0.1)
            await connection.scalar(text("SELECT 1"))

    # Nothing is said of what was changed: the answer to a commit may have been lost.
    with pytest.raises(UnavailableError, match=r"^The database does not answer. Try again later.$"):
        await cut()

    await database.check()


async def test_a_process_that_stands_still_in_a_transaction_keeps_nobody_waiting_for_long(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_IDLE_MILLISECONDS", 200)
    standing = Database(database_url, connections=1)
    await add_medias(database, a_media())
    locked = asyncio.Event()

    async def stand_still() -> None:
        async with standing.begin() as transaction:
            await transaction.execute(text("SELECT FROM medias FOR UPDATE"))
            locked.set()
            await asyncio.sleep(1)
            await transaction.execute(text("DELETE FROM medias"))

    async def others() -> None:
        await locked.wait()
        async with asyncio.timeout(0.9), database.begin() as transaction:
            await transaction.execute(text("SELECT FROM medias FOR UPDATE"))

    outcomes = await asyncio.gather(stand_still(), others(), return_exceptions=True)

    assert [type(one) for one in outcomes] == [DatabaseUnavailableError, NoneType]
    await standing.check()
    await standing.close()


async def test_an_outage_costs_no_request_that_comes_behind_it(
    database: Database, database_url: str
) -> None:
    together = asyncio.Barrier(4)

    async def use_one() -> None:
        async with database.read() as connection:
            await connection.scalar(text("SELECT 1"))
            await together.wait()

    await asyncio.gather(*(use_one() for _ in range(together.parties)))
    await execute(
        database_url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid()",
    )
    await asyncio.sleep(0.2)  # until the connections have heard of it

    for _ in range(together.parties):
        async with database.read() as connection:
            assert await intakes.find(connection, new_id()) is None


@pytest.mark.parametrize("where", ["127.0.0.1:{port}/x", "nobody-has-this-name.invalid/x"])
async def test_a_server_that_is_not_there_is_an_outage(where: str) -> None:
    absent = Database(f"postgresql://me:pw@{where.format(port=free_port())}", connections=1)

    try:
        with pytest.raises(UnavailableError) as outage:
            await absent.check()
        assert "pw" not in outage.value.detail
    finally:
        await absent.close()


def test_every_way_to_write_a_url_leads_to_the_same_driver() -> None:
    for scheme in ("postgresql", "postgresql+psycopg2"):
        assert driver_url(f"{scheme}://me:p%40w@host:1/db") == (
            "postgresql+asyncpg://me:p%40w@host:1/db"
        )


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "mysql://host/db",
        "sqlite:///x.db",
        "http://host",
        "postgresql://me:secret@host:port/db",
        "postgresql://me:secret@host:0/db",
        "postgresql://me:secret@host:65536/db",
        "postgresql://me:secret@host/db?connect_timeout=5",
    ],
)
def test_a_url_of_something_else_is_refused_naming_the_setting(url: str) -> None:
    with pytest.raises(InvalidError, match="MEDIATHEQUE_DATABASE_URL") as refused:
        driver_url(url)
    assert "secret" not in refused.value.detail


def test_encryption_may_be_named_as_the_driver_names_it() -> None:
    url = "postgresql://host/db?{}=verify-full&application_name=me"
    assert driver_url(url.format("ssl")) == driver_url(url.format("sslmode"))


async def test_what_postgresql_lets_be_said_behind_the_question_mark_is_heeded(
    database_url: str,
) -> None:
    mark = "&" if "?" in database_url else "?"
    url = f"{database_url}{mark}application_name=me&options=-c%20work_mem%3D5MB&sslmode=prefer"
    said = text("SELECT current_setting('application_name'), current_setting('work_mem')")
    database = Database(url, connections=1)
    try:
        async with database.read() as connection:
            assert (await connection.execute(said)).one() == ("me", "5MB")
    finally:
        await database.close()
    alone = await asyncpg.connect(**connection_arguments(url))
    assert await alone.fetchval("SELECT current_setting('application_name')") == "me"
    await alone.close()


@pytest.mark.parametrize(
    ("option", "refusal"),
    [
        ("sslmode=always", InvalidError),
        ("ssl=always", InvalidError),
        ("target_session_attrs=standby", UnavailableError),
    ],
)
async def test_what_no_server_can_be_reached_with_is_told(
    database_url: str, option: str, refusal: type[Exception]
) -> None:
    mark = "&" if "?" in database_url else "?"
    database = Database(f"{database_url}{mark}{option}", connections=1)
    try:
        with pytest.raises(refusal):
            await database.check()
    finally:
        await database.close()
