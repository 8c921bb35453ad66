"""Every query of jobs, on a real database."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from mediatheque.catalog import jobs, tables
from mediatheque.catalog import listing as pages
from mediatheque.catalog.database import Database
from mediatheque.catalog.schema import migrate
from mediatheque.domain.ids import new_id
from mediatheque.domain.jobs import LISTED_FIELDS, Job
from mediatheque.domain.paging import Filter, Listing, Operator, Order, Value, total_order
from mediatheque.engine import queue
from tests.integration.catalog.test_medias import plan
from tests.support.database import execute

START = datetime(2026, 1, 1, tzinfo=UTC)
RANGES = {"priority", "progress", "retry_count", "scheduled_at", "created_at", "updated_at"}
NULLABLE = {"error", "unicity", "scheduled_at"}


def various(count: int) -> list[dict[str, Any]]:
    """Return rows that share many values, some of them null, in no order."""
    chance = random.Random(11)
    return [
        {
            "id": new_id(),
            "job_class": chance.choice(["transfer", "sync"]),
            "queue": "q",
            "arguments": {},
            "priority": chance.randrange(-1, 2),
            "status": chance.choice(["completed", "errored", "cancelled"]),
            "progress": chance.choice([0.0, 0.5, 1.0]),
            "error": chance.choice([None, None, "a", "b", ""]),
            "retry_count": chance.randrange(3),
            "unicity": chance.choice([None, "k", "l"]),
            "created_by": chance.choice(["alice", "bob"]),
            "created_role": "member",
            "scheduled_at": chance.choice([None, START, START + timedelta(seconds=1)]),
            "created_at": START + timedelta(seconds=chance.randrange(4)),
            "updated_at": START + timedelta(seconds=chance.randrange(4)),
        }
        for _ in range(count)
    ]


async def fill(database: Database, rows: list[dict[str, Any]]) -> list[Job]:
    async with database.begin() as transaction:
        await transaction.execute(insert(tables.jobs), rows)
        return await jobs.page(transaction, Listing(), owner=None)


def in_order(found: list[Job], order: tuple[Order, ...]) -> list[Job]:
    """Sort as the list promises: null comes after every value, before it where it descends."""
    for item in reversed(order):

        def key(job: Job, field: str = item.field) -> tuple[bool, Any]:
            value = getattr(job, field)
            return (value is None, 0 if value is None else value)

        found = sorted(found, key=key, reverse=item.descending)
    return found


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("name", LISTED_FIELDS)
async def test_pages_by_number_and_by_cursor_are_the_same_in_every_order(
    database: Database, name: str, descending: bool
) -> None:
    everything = await fill(database, various(26))
    for second in ("", "error", "-error", "-status", "-id", "id"):
        then = [Order(second.removeprefix("-"), second.startswith("-"))] if second else []
        order = total_order((Order(name, descending), *then))
        await check_pages(database, everything, order)


async def check_pages(database: Database, everything: list[Job], order: tuple[Order, ...]) -> None:
    """Check that a list is whole and in its order, at once and in pages."""
    by_number: list[Job] = []
    by_cursor: list[Job] = []
    async with database.read() as connection:
        whole = await jobs.page(connection, Listing(order=order), owner=None)
        for offset in range(0, 31, 7):
            listing = Listing(order=order, limit=7, offset=offset)
            by_number += await jobs.page(connection, listing, owner=None)
        after: tuple[Value | None, ...] | None = None
        while len(by_cursor) % 7 == 0 and len(by_cursor) < 35:
            listing = Listing(order=order, limit=7, after=after)
            found = await jobs.page(connection, listing, owner=None)
            by_cursor += found
            after = tuple(getattr(found[-1], item.field) for item in order)

    assert whole == in_order(everything, order)
    assert by_number == whole
    assert by_cursor == whole


async def test_a_cursor_keeps_to_the_filters_and_the_owner(database: Database) -> None:
    everything = await fill(database, various(40))
    order = total_order((Order("error"),))
    chosen = (Filter("status", Operator.IN, ("errored",)),)

    async with database.read() as connection:
        first = await jobs.page(
            connection, Listing(chosen, order, limit=2, after=None), owner="alice"
        )
        after = tuple(getattr(first[-1], item.field) for item in order)
        rest = await jobs.page(connection, Listing(chosen, order, after=after), owner="alice")
        count = await jobs.count(connection, chosen, owner="alice")

    mine = [job for job in everything if job.status == "errored" and job.created_by == "alice"]
    assert first + rest == in_order(mine, order)
    assert count == len(mine)


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 2**63 - 1, -(2**63) + 1])
@pytest.mark.parametrize("name", ["priority", "retry_count"])
async def test_a_number_that_no_job_can_have_is_compared_all_the_same(
    database: Database, name: str, value: int
) -> None:
    everything = await fill(database, various(5))
    order = total_order((Order(name),))

    async def found(listing: Listing) -> list[Job]:
        async with database.read() as connection:
            return await jobs.page(connection, listing, owner=None)

    for operator, passes in (
        (Operator.IN, False),
        (Operator.AT_LEAST, value < 0),
        (Operator.AT_MOST, value > 0),
    ):
        listing = Listing((Filter(name, operator, (value,)),))
        assert await found(listing) == (everything if passes else [])
    several = Listing((Filter(name, Operator.IN, (value, value - (value > 0))),))
    assert await found(several) == []
    after = Listing(order=order, after=(value, new_id()))
    assert len(await found(after)) == (5 if value < 0 else 0)


MANY = """
    INSERT INTO jobs (id, job_class, queue, arguments, priority, status, progress, error,
        retry_count, unicity, created_by, created_role, scheduled_at, created_at, updated_at)
    SELECT gen_random_uuid(), 'class' || n % 500, 'q', '{}', n % 500, 'status' || n % 500,
        n % 500 / 500.0, CASE WHEN n % 2 = 0 THEN 'error' || n % 500 END, n % 500,
        CASE WHEN n % 2 = 0 THEN 'key' || n END, 'local', 'operator',
        CASE WHEN n % 2 = 0 THEN now() - n * interval '1 s' END,
        now() - n * interval '1 s', now() - n * interval '1 s'
    FROM generate_series(1, 30000) AS n
"""
RARE: dict[str, Value] = {
    "id": new_id(),
    "job_class": "class6",
    "priority": 6,
    "status": "status6",
    "progress": 0.012,
    "error": "error6",
    "retry_count": 6,
    "unicity": "key6",
    "scheduled_at": datetime(2020, 1, 1, tzinfo=UTC),
    "created_at": datetime(2020, 1, 1, tzinfo=UTC),
    "updated_at": datetime(2020, 1, 1, tzinfo=UTC),
}


@pytest.fixture(scope="module")
def many(postgres_url: str) -> str:
    """A database with so many jobs that reading them all is dear."""
    url = postgres_url.replace("@/postgres?", "@/many_jobs?")

    async def fill_it() -> None:
        await execute(postgres_url, "CREATE DATABASE many_jobs")
        await migrate(url, queue.install)
        await execute(url, MANY)
        await execute(url, "VACUUM ANALYZE jobs")

    asyncio.run(fill_it())
    return url


@pytest.mark.parametrize("name", LISTED_FIELDS)
async def test_every_declared_filter_has_an_index(many: str, name: str) -> None:
    value = RARE[name]
    filters = [Filter(name, Operator.IN, (value,)), Filter(name, Operator.IN, (value, value))]
    if name in RANGES:
        filters += [Filter(name, operator, (value,)) for operator in ("gte", "lte")]  # type: ignore[arg-type]

    for item in filters:
        explained = await plan(many, pages.page(tables.jobs, Listing((item,), limit=50)))
        assert "Seq Scan" not in explained, explained
        assert "Index" in explained


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("name", LISTED_FIELDS)
async def test_every_declared_order_has_an_index_that_a_cursor_enters_where_its_page_begins(
    many: str, name: str, descending: bool
) -> None:
    order = total_order((Order(name, descending),))
    cursors: list[tuple[Value | None, ...] | None] = [None, (RARE[name], new_id())[: len(order)]]
    if name in NULLABLE:
        cursors.append((None, new_id()))

    for after in cursors:
        listing = Listing(order=order, limit=50, after=after)
        explained = await plan(many, pages.page(tables.jobs, listing))
        assert "Seq Scan" not in explained, explained
        assert "Index Scan" in explained or "Index Only Scan" in explained
        assert "Incremental Sort" not in explained, explained
        if after is not None:
            assert "Index Cond" in explained, explained
