"""Statements of many callers in one transaction: each gets its own row or its own error."""

import asyncio
from typing import Any

import asyncpg
import pytest
from sqlalchemy import (
    BigInteger,
    Float,
    Text,
    bindparam,
    cast,
    column,
    func,
    insert,
    literal,
    select,
    table,
    update,
)

from mediatheque.catalog import group_commit
from mediatheque.catalog.database import Database
from mediatheque.catalog.group_commit import Grouped
from mediatheque.catalog.tables import workers
from mediatheque.domain.errors import UnavailableError
from mediatheque.domain.ids import new_id
from tests.support.database import execute, fetch
from tests.support.service import free_port

NUMBER = bindparam("number", type_=BigInteger)
TRANSACTION = cast(func.pg_current_xact_id(), Text).label("transaction")
DIVIDED = Grouped(select((literal(60) / NUMBER).label("quotient"), TRANSACTION))
POSITIVE = Grouped(select(NUMBER.label("number")).where(NUMBER > 0))
_ADDED = (
    insert(workers)
    .values(id=bindparam("worker_id"), name=bindparam("by"), warning=None)
    .returning(workers.c.name)
    .cte("added")
)
ADD = Grouped(select(_ADDED.c.name))
_RENAMED = (
    update(workers)
    .where(workers.c.id == bindparam("worker_id"))
    .values(name="renamed")
    .returning(workers.c.name)
    .cte("renamed")
)
RENAME = Grouped(select(_RENAMED.c.name))
SYNCHRONOUS = Grouped(
    select(column("setting"), column("source"))
    .select_from(table("pg_settings"))
    .where(column("name") == "synchronous_commit")
)
SLEEP = Grouped(select(func.pg_sleep(bindparam("number", type_=Float)).label("slept")))


async def divided(database: Database, number: Any) -> Any:
    return await database.group.one(DIVIDED, {"number": number})


async def test_what_comes_together_shares_a_transaction_and_each_gets_its_row(
    database: Database,
) -> None:
    rows = await asyncio.gather(*(divided(database, number) for number in (1, 2, 3, 4, 5)))

    assert [row["quotient"] for row in rows] == [60, 30, 20, 15, 12]
    assert len({row["transaction"] for row in rows}) == 1
    assert (await divided(database, 6))["transaction"] != rows[0]["transaction"]


async def test_more_than_one_transaction_takes_wait_for_the_next(database: Database) -> None:
    rows = await asyncio.gather(*(divided(database, 1 + number) for number in range(250)))

    assert [round(60 / row["quotient"]) for row in rows] == list(range(1, 251))
    assert len({row["transaction"] for row in rows}) == 3


async def test_who_has_no_row_gets_none_and_statements_are_not_mixed_up(
    database: Database,
) -> None:
    group = database.group
    rows = await asyncio.gather(
        *(
            group.one(POSITIVE if number % 2 else DIVIDED, {"number": number})
            for number in (1, 2, -3, 4, 5)
        )
    )

    values = [row and next(iter(row.values())) for row in rows]
    assert values == [1, 30, None, 15, 5]


@pytest.mark.parametrize(
    ("number", "error"), [(0, asyncpg.DivisionByZeroError), ("none", asyncpg.DataError)]
)
async def test_what_the_database_refuses_is_the_error_of_who_asked_for_it(
    database: Database, number: object, error: type[Exception]
) -> None:
    results: list[Any] = await asyncio.gather(
        *(divided(database, one) for one in (1, number, 3)), return_exceptions=True
    )

    assert [results[0]["quotient"], results[2]["quotient"]] == [60, 20]
    assert isinstance(results[1], error)


async def test_others_commit_once_when_one_is_refused(
    database: Database, database_url: str
) -> None:
    taken = new_id()
    await database.group.one(ADD, {"worker_id": taken, "by": "first"})
    results: list[Any] = await asyncio.gather(
        *(
            database.group.one(ADD, {"worker_id": worker_id, "by": name})
            for worker_id, name in ((new_id(), "second"), (taken, "again"), (new_id(), "third"))
        ),
        return_exceptions=True,
    )

    assert isinstance(results[1], asyncpg.UniqueViolationError)
    names = await fetch(database_url, "SELECT name FROM workers")
    assert sorted(row["name"] for row in names) == ["first", "second", "third"]


async def test_what_was_answered_is_committed(database: Database, database_url: str) -> None:
    await database.group.one(ADD, {"worker_id": new_id(), "by": "kept"})
    await execute(database_url, _KILL)

    assert await fetch(database_url, "SELECT name FROM workers WHERE name = 'kept'")


async def test_a_connection_that_was_cut_is_an_outage_for_those_on_it_alone(
    database: Database, database_url: str
) -> None:
    await divided(database, 1)
    sleeping = [asyncio.create_task(database.group.one(SLEEP, {"number": 30})) for _ in range(2)]
    await asyncio.sleep(0.2)
    behind = asyncio.create_task(divided(database, 2))
    await asyncio.sleep(0)
    await execute(database_url, _KILL)

    for one in sleeping:
        with pytest.raises(UnavailableError, match=r"^The database does not answer."):
            await one
    assert (await behind)["quotient"] == 30


async def test_one_that_broke_while_idle_is_opened_anew(
    database: Database, database_url: str
) -> None:
    await divided(database, 1)
    await execute(database_url, _KILL)
    await asyncio.sleep(0.1)

    assert (await divided(database, 2))["quotient"] == 30


async def test_who_gave_up_before_his_turn_changes_nothing(
    database: Database, database_url: str
) -> None:
    ahead = asyncio.create_task(database.group.one(SLEEP, {"number": 0.2}))
    await asyncio.sleep(0.05)
    given_up = asyncio.create_task(
        database.group.one(ADD, {"worker_id": new_id(), "by": "given up"})
    )
    await asyncio.sleep(0.05)
    given_up.cancel()
    await ahead
    await database.group.one(ADD, {"worker_id": new_id(), "by": "stayed"})

    names = await fetch(database_url, "SELECT name FROM workers")
    assert [row["name"] for row in names] == ["stayed"]


async def test_who_gave_up_in_the_middle_leaves_the_others_alone(database: Database) -> None:
    given_up, other = (
        asyncio.create_task(database.group.one(SLEEP, {"number": number})) for number in (0.2, 0.1)
    )
    await asyncio.sleep(0.1)
    given_up.cancel()

    assert await other is not None
    assert (await divided(database, 1))["quotient"] == 60


async def test_a_row_that_others_keep_locked_delays_the_others_for_a_second_at_most(
    database: Database, database_url: str
) -> None:
    locked = new_id()
    await database.group.one(ADD, {"worker_id": locked, "by": "locked"})
    async with database.begin() as transaction:
        await transaction.execute(
            select(workers.c.id).where(workers.c.id == locked).with_for_update()
        )
        renamed = asyncio.create_task(database.group.one(RENAME, {"worker_id": locked}))
        others = [asyncio.create_task(divided(database, number)) for number in (1, 2)]
        later = asyncio.create_task(database.group.one(RENAME, {"worker_id": new_id()}))
        async with asyncio.timeout(5):
            assert [row["quotient"] for row in await asyncio.gather(*others)] == [60, 30]
            assert await later is None
            with pytest.raises(UnavailableError, match="busy"):
                await renamed
        assert await _waiting_for_locks(database_url) == 0

    assert await database.group.one(RENAME, {"worker_id": locked}) is not None


async def test_what_takes_too_long_does_not_go_on_when_it_was_given_up(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await divided(database, 1)
    monkeypatch.setattr(group_commit, "COMMAND_SECONDS", 0.3)

    with pytest.raises(UnavailableError):
        await database.group.one(SLEEP, {"number": 30})

    sleeping = "SELECT 1 FROM pg_stat_activity WHERE query ~ 'sleep' AND pid <> pg_backend_pid()"
    assert not await fetch(database_url, sleeping)


async def test_a_server_that_is_not_there_is_an_outage() -> None:
    absent = Database(f"postgresql://me:pw@127.0.0.1:{free_port()}/x", connections=1)
    try:
        with pytest.raises(UnavailableError):
            await divided(absent, 1)
    finally:
        await absent.close()


async def test_what_is_under_way_is_finished_before_it_closes(database_url: str) -> None:
    database = Database(database_url, connections=1)
    adding = asyncio.create_task(
        database.group.one(ADD, {"worker_id": new_id(), "by": "last words"})
    )
    await asyncio.sleep(0)
    await database.close()

    assert await adding is not None
    assert await fetch(database_url, "SELECT name FROM workers WHERE name = 'last words'")


async def _waiting_for_locks(database_url: str) -> int:
    waiting = await fetch(
        database_url, "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    )
    return len(waiting)


_KILL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


async def test_the_database_waits_for_its_disk_unless_told_not_to(
    database: Database, database_url: str
) -> None:
    relaxed = Database(database_url, connections=1, durable=False)
    as_the_server_does = await database.group.one(SYNCHRONOUS, {})
    as_told = await relaxed.group.one(SYNCHRONOUS, {})
    await relaxed.close()
    assert as_the_server_does is not None
    assert as_the_server_does["source"] != "client"
    assert as_told is not None
    assert (as_told["setting"], as_told["source"]) == ("off", "client")
