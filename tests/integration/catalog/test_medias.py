"""Every query of medias, on a real database."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Select
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from mediatheque.catalog import listing as pages
from mediatheque.catalog import medias, tables
from mediatheque.catalog.database import Database, Transaction
from mediatheque.catalog.schema import migrate
from mediatheque.domain.errors import ExistsError
from mediatheque.domain.ids import new_id
from mediatheque.domain.media import LISTED_FIELDS, Media
from mediatheque.domain.paging import (
    FieldType,
    Filter,
    Listing,
    Operator,
    Order,
    Value,
    total_order,
)
from tests.support.database import a_media, add_medias, execute, fetch

DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]
IN, AT_LEAST, AT_MOST = Operator.IN, Operator.AT_LEAST, Operator.AT_MOST
RANGES = {"size", "created_at", "updated_at"}
START = datetime(2026, 1, 1, tzinfo=UTC)


def various(count: int) -> list[Media]:
    """Return medias that share many values, in no order."""
    chance = random.Random(7)
    found = [
        a_media(
            resource=f"r{number}",
            key=chance.choice(["", "", "poster.jpg"]),
            filename=chance.choice(["a.txt", "B.txt", "ä.txt", "_%.txt", ""]),
            size=chance.randrange(5),
            mime_type=chance.choice(["text/plain", "video/mp4"]),
            created_by=chance.choice(["alice", "bob"]),
            created_role=chance.choice(["member", "operator"]),
            public=chance.random() < 0.5,
            project_id=chance.choice([None, "", "p", "q"]),
            created_at=START + timedelta(seconds=chance.randrange(5), microseconds=1),
            updated_at=START + timedelta(seconds=chance.randrange(5)),
            tags=tuple(chance.sample(["x", "y", "z"], chance.randrange(3))),
        )
        for number in range(count)
    ]
    chance.shuffle(found)
    return found


async def test_a_media_is_found_as_it_was_added(database: Database) -> None:
    media = a_media(
        filename="日本 \"'%_\\.mov",
        size=2**63 - 1,
        project_id="p",
        tags=("b", "a,"),
        meta={"width": 5, "nested": [None, {"x": 1.5}]},
        crc64nvme="AAAAAAAAAAA=",
        blake3="0" * 64,
        public=True,
    )

    await add_medias(database, media)

    async with database.read() as connection:
        assert await medias.find(connection, media.id, owner=None) == media
        assert await medias.find_address(connection, media.resource, "", owner=None) == media
        assert await medias.find(connection, new_id(), owner=None) is None
        assert await medias.find_address(connection, media.resource, "x", owner=None) is None


async def test_an_address_and_an_id_are_taken_once(database: Database) -> None:
    media = a_media(resource="r", key="k")
    await add_medias(database, media, a_media(resource="r", key=""), a_media(resource="s", key="k"))

    for other in (a_media(resource="r", key="k"), replace(media, resource="t")):
        with pytest.raises(ExistsError, match=f"Resource {other.resource} with key k already"):
            await add_medias(database, a_media(resource="u"), other)

    async with database.read() as connection:
        assert await medias.count(connection, (), owner=None) == 3


async def test_of_two_that_take_an_address_at_once_one_gets_it(database: Database) -> None:
    outcomes = await asyncio.gather(
        *(add_medias(database, a_media(resource="r")) for _ in range(8)), return_exceptions=True
    )

    assert sum(outcome is None for outcome in outcomes) == 1
    assert sum(isinstance(outcome, ExistsError) for outcome in outcomes) == 7


Asked = Callable[[Transaction, Media, str | None], Awaitable[Any]]
SCOPED: dict[str, Asked] = {
    "find": lambda c, m, owner: medias.find(c, m.id, owner=owner),
    "find_address": lambda c, m, owner: medias.find_address(c, m.resource, m.key, owner=owner),
    "page": lambda c, _, owner: medias.page(c, Listing(), owner=owner),
    "count": lambda c, _, owner: medias.count(c, (), owner=owner),
    "lock_tags": lambda c, m, owner: medias.lock_tags(c, m.id, owner=owner),
    "remove_resource": lambda c, m, owner: medias.remove_resource(c, m.id, owner=owner),
}


@pytest.mark.parametrize("name", SCOPED)
async def test_only_the_owner_and_operators_reach_a_media(database: Database, name: str) -> None:
    media = a_media(created_by="alice", tags=("x",))
    await add_medias(database, media)

    async with database.begin() as transaction:
        assert not await SCOPED[name](transaction, media, "bob")
    for owner in ("alice", None):
        async with database.begin() as transaction:
            assert await SCOPED[name](transaction, media, owner)
            await transaction.rollback()


async def test_originals_and_their_number_are_the_owners(database: Database) -> None:
    await add_medias(database, a_media(created_by="alice"), a_media(created_by="bob"))

    async with database.read() as connection:
        for owner, number in (("alice", 1), ("carol", 0), (None, 2)):
            found, total = await medias.originals(
                connection, Listing(), name_part="", tags=(), owner=owner
            )
            assert len(found) == total == number


async def test_removing_an_original_takes_what_is_derived_from_it_and_nothing_else(
    database: Database,
) -> None:
    original = a_media(resource="r")
    derived = [a_media(resource="r", key=key) for key in ("poster.jpg", "master.m3u8")]
    other = a_media(resource="s")
    await add_medias(database, original, *derived, other)

    async with database.begin() as transaction:
        assert await medias.remove_resource(transaction, derived[0].id, owner=None) is None
        assert await medias.remove_resource(transaction, new_id(), owner=None) is None
        removed = await medias.remove_resource(transaction, original.id, owner=None)

    assert removed is not None
    assert sorted(removed) == sorted(media.object_key for media in (original, *derived))
    async with database.read() as connection:
        assert await medias.page(connection, Listing(), owner=None) == [other]


async def test_an_object_goes_with_the_last_media_that_refers_to_it(database: Database) -> None:
    first = a_media()
    second = a_media(object_key=first.object_key)
    await add_medias(database, first, second)

    async with database.begin() as transaction:
        assert await medias.remove_resource(transaction, first.id, owner=None) == []
    async with database.begin() as transaction:
        removed = await medias.remove_resource(transaction, second.id, owner=None)
    assert removed == [first.object_key]


async def test_a_media_that_comes_to_share_an_object_while_its_deletion_waits_keeps_it(
    database: Database,
) -> None:
    first = a_media()
    await add_medias(database, first)

    async def remove() -> list[str] | None:
        async with database.begin() as transaction:
            return await medias.remove_resource(transaction, first.id, owner=None)

    async with database.begin() as transaction:
        assert await medias.hold(transaction, [first.id]) == {first.id}
        removing = asyncio.create_task(remove())
        await asyncio.sleep(0.3)
        assert not removing.done()
        await medias.add(transaction, a_media(object_key=first.object_key))

    assert await removing == []


async def test_a_media_that_is_being_deleted_cannot_be_held(database: Database) -> None:
    first = a_media()
    await add_medias(database, first)

    async def hold() -> set[UUID]:
        async with database.begin() as transaction:
            return await medias.hold(transaction, [first.id])

    async with database.begin() as transaction:
        removed = await medias.remove_resource(transaction, first.id, owner=None)
        holding = asyncio.create_task(hold())
        await asyncio.sleep(0.3)
        assert not holding.done()

    assert removed == [first.object_key]
    assert await holding == set()


async def test_the_same_bytes_are_found_for_those_who_may_see_them(database: Database) -> None:
    media = a_media(blake3="ab" * 32, size=7, created_by="alice")
    await add_medias(database, media, a_media(blake3=None, size=7))

    async with database.read() as connection:
        for owner, expected in (("alice", media), (None, media), ("bob", None)):
            found = await medias.find_same(connection, blake3="ab" * 32, size=7, owner=owner)
            assert found == expected
        assert await medias.find_same(connection, blake3="ab" * 32, size=8, owner=None) is None


async def test_tags_belong_to_originals_and_are_replaced_whole(database: Database) -> None:
    original, derived = a_media(resource="r", tags=("a",)), a_media(resource="r", key="k")
    await add_medias(database, original, derived)

    async with database.begin() as transaction:
        assert await medias.lock_tags(transaction, original.id, owner=None) == ("a",)
        assert await medias.lock_tags(transaction, derived.id, owner=None) is None
        await medias.set_tags(transaction, original.id, ("c", "b"))

    async with database.read() as connection:
        found = await medias.find(connection, original.id, owner=None)
    assert found is not None
    assert found.tags == ("c", "b")
    assert found.updated_at > original.updated_at


async def test_the_keys_of_objects_in_use_are_told(database: Database) -> None:
    first, second = a_media(), a_media()
    await add_medias(database, first, second)

    async with database.read() as connection:
        keys = [first.object_key, "originals/none/a"]
        assert await medias.object_keys(connection, keys) == {first.object_key}
        assert await medias.object_keys(connection, []) == set()


@pytest.mark.parametrize(
    ("name_part", "tags", "expected"),
    [
        ("", (), {"Beach.MOV", "100%.txt", "a_b.txt", "axb.txt", "ÄRGER.txt"}),
        ("beach", (), {"Beach.MOV"}),
        ("each.m", (), {"Beach.MOV"}),
        ("%", (), {"100%.txt"}),
        ("a_b", (), {"a_b.txt"}),
        ("\\", (), set()),
        ("/", (), set()),
        ("ärger", (), {"ÄRGER.txt"}),
        ("", ("sun",), {"Beach.MOV", "a_b.txt"}),
        ("", ("sun", "sea"), {"Beach.MOV"}),
        ("", ("Sun",), set()),
        ("txt", ("sun",), {"a_b.txt"}),
        ("", ("{sun}",), set()),
    ],
)
async def test_originals_are_found_by_a_part_of_their_name_and_all_of_their_tags(
    database: Database, name_part: str, tags: tuple[str, ...], expected: set[str]
) -> None:
    await add_medias(
        database,
        a_media(filename="Beach.MOV", tags=("sun", "sea")),
        a_media(filename="a_b.txt", tags=("sun",)),
        a_media(filename="axb.txt"),
        a_media(filename="100%.txt"),
        a_media(filename="ÄRGER.txt"),
        a_media(filename="Beach.MOV", key="derived", tags=("sun", "sea")),
    )

    async with database.read() as connection:
        found, total = await medias.originals(
            connection, Listing(limit=2), name_part=name_part, tags=tags, owner=None
        )
        everything, _ = await medias.originals(
            connection, Listing(), name_part=name_part, tags=tags, owner=None
        )

    assert {media.filename for media in everything} == expected
    assert total == len(expected)
    assert found == everything[:2]


def sort_value(value: Value | None) -> tuple[bool, Any]:
    return (value is None, value if value is not None else 0)


def expected_order(found: list[Media], order: tuple[Order, ...]) -> list[Media]:
    """Sort as the list promises; PostgreSQL has nulls after everything else."""
    for item in reversed(order):
        found = sorted(
            found, key=lambda m: sort_value(getattr(m, item.field)), reverse=item.descending
        )
    return found


@pytest.mark.parametrize("name", LISTED_FIELDS)
async def test_pages_by_number_and_by_cursor_are_the_same_in_every_order(
    database: Database, name: str
) -> None:
    everything = various(30)
    await add_medias(database, *everything)
    for descending in (False, True):
        order = total_order((Order(name, descending), Order("size", not descending)))
        await check_pages(database, everything, order)


async def check_pages(
    database: Database, everything: list[Media], order: tuple[Order, ...]
) -> None:
    """Check that a list is whole and in its order, at once and in pages."""
    expected = expected_order(everything, order)

    async with database.read() as connection:
        whole = await medias.page(connection, Listing(order=order), owner=None)
        by_number = [
            media
            for offset in range(0, 35, 7)
            for media in await medias.page(
                connection, Listing(order=order, limit=7, offset=offset), owner=None
            )
        ]
        by_cursor: list[Media] = []
        after: tuple[Value | None, ...] | None = None
        while True:
            page = await medias.page(
                connection, Listing(order=order, limit=7, after=after), owner=None
            )
            by_cursor += page
            if len(page) < 7:
                break
            after = tuple(getattr(page[-1], item.field) for item in order)

    assert whole == expected
    assert by_number == expected
    assert by_cursor == expected


def values_of(name: str) -> list[Value]:
    kind = LISTED_FIELDS[name]
    if kind is FieldType.TIME:
        return [START + timedelta(seconds=2), START + timedelta(seconds=3, microseconds=1)]
    plain: dict[str, list[Value]] = {
        "resource": ["r3", "r4"],
        "key": ["", "poster.jpg"],
        "filename": ["_%.txt", ""],
        "size": [0, 3],
        "mime_type": ["video/mp4", "x"],
        "created_by": ["alice", "bob"],
        "created_role": ["member", "x"],
        "public": [True, False],
        "project_id": ["", "p"],
    }
    return plain.get(name, [])


@pytest.mark.parametrize("name", LISTED_FIELDS)
async def test_filters_keep_what_they_say_and_the_count_is_exact(
    database: Database, name: str
) -> None:
    everything = various(60)
    await add_medias(database, *everything)
    values = values_of(name) or [everything[3].id, new_id()]
    first: Any = values[0]
    everywhere: list[tuple[Filter, Callable[[Any], bool]]] = [
        (Filter(name, IN, ()), lambda _: False),
        (Filter(name, IN, (first,)), lambda value: value == first),
        (Filter(name, IN, tuple(values)), lambda value: value in values),
    ]
    ranges: list[tuple[Filter, Callable[[Any], bool]]] = [
        (Filter(name, AT_LEAST, (first,)), lambda value: value >= first),
        (Filter(name, AT_MOST, (first,)), lambda value: value <= first),
    ]

    async with database.read() as connection:
        for item, keeps in everywhere + (ranges if name in RANGES else []):
            found = await medias.page(connection, Listing(filters=(item,)), owner=None)
            number = await medias.count(connection, (item,), owner=None)
            expected = {media.id for media in everything if keeps(getattr(media, name))}
            assert {media.id for media in found} == expected, item
            assert number == len(expected)


async def test_filters_together_keep_what_all_keep(database: Database) -> None:
    everything = various(60)
    await add_medias(database, *everything)
    filters = (
        Filter("size", AT_LEAST, (1,)),
        Filter("size", AT_MOST, (3,)),
        Filter("key", IN, ("",)),
        Filter("key", IN, ("", "poster.jpg")),
    )

    async with database.read() as connection:
        found = await medias.page(connection, Listing(filters=filters), owner="alice")
        number = await medias.count(connection, filters, owner="alice")

    expected = {
        m.id for m in everything if m.created_by == "alice" and m.key == "" and 1 <= m.size <= 3
    }
    assert {media.id for media in found} == expected
    assert number == len(expected) > 0


MANY = """
    INSERT INTO medias (id, resource, key, filename, size, mime_type, created_by, created_role,
        public, project_id, object_key, created_at, updated_at, tags)
    SELECT gen_random_uuid(), 'r' || n, CASE WHEN n % 3 = 0 THEN 'k' || n ELSE '' END, 'f' || n,
        n, 'type/' || n % 1000, 'u' || n % 1000, 'role' || n % 1000, n % 1000 = 0,
        'p' || n % 1000, 'o' || n, now() - n * interval '1 s', now() - n * interval '1 s',
        ARRAY['t' || n % 1000]
    FROM generate_series(1, 30000) AS n
"""


@pytest.fixture(scope="module")
def many(postgres_url: str) -> str:
    """A database with so many medias that reading them all is dear."""
    url = postgres_url.replace("@/postgres?", "@/many?")

    async def fill() -> None:
        await execute(postgres_url, "CREATE DATABASE many")
        await migrate(url)
        await execute(url, MANY)
        await execute(url, "VACUUM ANALYZE medias")

    asyncio.run(fill())
    return url


RARE: dict[str, Value] = {
    "id": new_id(),
    "resource": "r5",
    "key": "k9",
    "filename": "f5",
    "size": 5,
    "mime_type": "type/5",
    "created_by": "u5",
    "created_role": "role5",
    "public": True,
    "created_at": datetime(2020, 1, 1, tzinfo=UTC),
    "updated_at": datetime(2020, 1, 1, tzinfo=UTC),
    "project_id": "p5",
}


async def plan(url: str, query: Select[Any]) -> str:
    """Return how the server would run a query."""
    compiled = query.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True})
    return "\n".join(row[0] for row in await fetch(url, f"EXPLAIN {compiled}"))


@pytest.mark.parametrize("operator", [IN, AT_LEAST, AT_MOST])
@pytest.mark.parametrize("name", LISTED_FIELDS)
async def test_every_declared_filter_has_an_index(many: str, name: str, operator: Operator) -> None:
    if operator is not IN and name not in RANGES:
        several: tuple[Value, ...] = (RARE[name], new_id() if name == "id" else RARE[name])
        item = Filter(name, IN, several)
    else:
        item = Filter(name, operator, (RARE[name],))

    explained = await plan(many, pages.page(tables.medias, Listing((item,), limit=50)))

    assert "Seq Scan" not in explained, explained
    assert "Index" in explained


@pytest.mark.parametrize("name", LISTED_FIELDS)
async def test_every_declared_order_has_an_index_that_a_cursor_enters_where_its_page_begins(
    many: str, name: str
) -> None:
    order = total_order((Order(name, descending=True),))
    after = (RARE[name], new_id())[: len(order)]

    for listing in (
        Listing(order=order, limit=50),
        Listing(order=order, limit=50, after=after),
    ):
        explained = await plan(many, pages.page(tables.medias, listing))
        assert "Seq Scan" not in explained, explained
        assert "Index Scan" in explained or "Index Only Scan" in explained
        if listing.after is not None:
            assert "Index Cond" in explained, explained
