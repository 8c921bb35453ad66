"""Migrations: from nothing to what tables.py says, by one process at a time, never backwards."""

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from mediatheque.catalog.connections import driver_url
from mediatheque.catalog.schema import alembic_config, migrate
from mediatheque.catalog.tables import metadata
from mediatheque.domain.errors import UnavailableError
from tests.support.database import execute, fetch

HEAD = ScriptDirectory.from_config(alembic_config()).get_current_head()


def difference(connection: Connection) -> list[object]:
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": True}
    )
    return list(compare_metadata(context, metadata))


async def differences(url: str) -> list[object]:
    engine = create_async_engine(driver_url(url))
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(difference)
    finally:
        await engine.dispose()


async def revisions(url: str) -> list[str]:
    return [row[0] for row in await fetch(url, "SELECT version_num FROM alembic_version")]


async def test_migrating_an_empty_database_gives_the_tables_that_the_code_knows(
    empty_database_url: str,
) -> None:
    assert await differences(empty_database_url) != []

    await migrate(empty_database_url)

    assert await differences(empty_database_url) == []
    assert await revisions(empty_database_url) == [HEAD]


async def test_the_comparison_sees_an_index_that_is_missing(empty_database_url: str) -> None:
    await migrate(empty_database_url)
    await execute(empty_database_url, "DROP INDEX medias_size")

    assert len(await differences(empty_database_url)) == 1


async def test_migrating_again_changes_nothing(empty_database_url: str) -> None:
    await migrate(empty_database_url)
    await execute(
        empty_database_url,
        "INSERT INTO uploads (id, state, name, created_by, created_role, expires_at)"
        " VALUES (gen_random_uuid(), 'pending', 'a', 'b', 'c', now())",
    )

    await migrate(empty_database_url)

    assert await fetch(empty_database_url, "SELECT count(*) FROM uploads") == [(1,)]


async def test_two_that_migrate_at_once_do_not_disturb_each_other(empty_database_url: str) -> None:
    async with asyncio.timeout(30):
        await asyncio.gather(*(migrate(empty_database_url) for _ in range(4)))

    assert await revisions(empty_database_url) == [HEAD]
    assert await differences(empty_database_url) == []


async def test_a_newer_schema_is_refused_and_left_alone(empty_database_url: str) -> None:
    await migrate(empty_database_url)
    await execute(empty_database_url, "UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(UnavailableError, match=r"schema 9999, which is newer"):
        await migrate(empty_database_url)

    assert await revisions(empty_database_url) == ["9999"]
    await execute(empty_database_url, "UPDATE alembic_version SET version_num = $1", HEAD)
    await asyncio.wait_for(migrate(empty_database_url), 30)


async def test_a_database_with_other_tables_of_these_names_is_refused_in_one_sentence(
    empty_database_url: str,
) -> None:
    await execute(empty_database_url, "CREATE TABLE medias (id integer)")

    with pytest.raises(UnavailableError, match=r"refused the schema.*medias.*exists") as refused:
        await migrate(empty_database_url)

    assert "\n" not in refused.value.detail
    assert await fetch(empty_database_url, "SELECT to_regclass('uploads')") == [(None,)]


async def test_a_database_that_does_not_exist_does_not_answer(postgres_url: str) -> None:
    with pytest.raises(UnavailableError):
        await migrate(postgres_url.replace("@/postgres?", "@/nothing?"))
