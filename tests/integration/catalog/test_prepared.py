"""Statements that are handed to the driver as text."""

import asyncio

import asyncpg
import pytest
from sqlalchemy import BigInteger, Text, bindparam, cast, func, insert, literal, select

from mediatheque.catalog.database import Database
from mediatheque.catalog.prepared import Prepared
from mediatheque.catalog.tables import workers
from mediatheque.domain.errors import UnavailableError
from mediatheque.domain.ids import new_id
from tests.support.database import fetch

NUMBER = bindparam("number", type_=BigInteger)
SUM = Prepared(
    select((NUMBER + literal(2)).label("sum"), cast(literal(None), Text).label("nothing"))
)
ADD = Prepared(
    insert(workers)
    .values(id=bindparam("worker_id"), name=bindparam("by"), warning=None)
    .returning(workers.c.name)
)


async def test_parameters_and_constants_are_filled_in(database: Database) -> None:
    async with database.read() as connection:
        row = await SUM.one(connection, {"number": 40})
    assert row is not None
    assert dict(row) == {"sum": 42, "nothing": None}


async def test_no_row_is_none(database: Database) -> None:
    none = Prepared(select(workers.c.id).where(workers.c.name == "nobody"))
    async with database.read() as connection:
        assert await none.one(connection, {}) is None


async def test_in_a_transaction_it_is_part_of_it(database: Database, database_url: str) -> None:
    async with database.begin() as transaction:
        row = await ADD.one(transaction, {"worker_id": new_id(), "by": "undone"})
        assert row is not None
        assert dict(row) == {"name": "undone"}
        await transaction.rollback()
    async with database.read() as connection:
        await ADD.one(connection, {"worker_id": new_id(), "by": "kept"})

    names = await fetch(database_url, "SELECT name FROM workers WHERE name IN ('undone', 'kept')")
    assert [row["name"] for row in names] == ["kept"]


async def test_a_connection_that_broke_is_not_used_again(database_url: str) -> None:
    database = Database(database_url, connections=1)
    kill = Prepared(select(func.pg_terminate_backend(func.pg_backend_pid()).label("ended")))
    with pytest.raises(UnavailableError):
        async with database.read() as connection:
            await kill.one(connection, {})
    async with database.read() as connection:
        assert await SUM.one(connection, {"number": 1}) is not None
    await database.close()


async def test_a_call_that_was_cancelled_leaves_a_connection_that_works(database_url: str) -> None:
    database = Database(database_url, connections=1)
    sleep = Prepared(select(func.pg_sleep(30).label("slept")))

    async def wait() -> None:
        async with database.read() as connection:
            await sleep.one(connection, {})

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0.2)
    waiting.cancel()
    await asyncio.wait([waiting])
    async with asyncio.timeout(10), database.read() as connection:
        assert await SUM.one(connection, {"number": 1}) is not None
    await database.close()


async def test_what_the_database_refuses_is_no_outage(database: Database) -> None:
    divide = Prepared(select((literal(1) / NUMBER).label("quotient")))
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with database.read() as connection:
            await divide.one(connection, {"number": 0})
    with pytest.raises(asyncpg.DataError):
        async with database.read() as connection:
            await SUM.one(connection, {"number": "no number"})
