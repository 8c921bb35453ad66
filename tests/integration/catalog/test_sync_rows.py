"""What the catalog keeps beside syncs: buckets, their objects, schedules."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mediatheque.catalog import (
    sync_buckets,
    sync_objects,
    sync_schedules,
)
from mediatheque.catalog.database import Database
from mediatheque.domain.sync_plan import Remembered
from mediatheque.domain.syncs import (
    SyncBucket,
    SyncOptions,
    SyncSchedule,
)
from tests.support.sync_rows import LOCATION, remembered

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
# In the order of their bytes, which is that of no language and of no folders.
KEYS = [
    b"\x01",
    b"A/x",
    b"a b",
    b"a-b",
    b"a.txt",
    b"a/x",
    b"a\\x",
    b"\xc3\xa9",
    b"\xf0\x9f\x8e\xa5",
]


async def claim(database: Database, name: str = "photos", location: str = LOCATION) -> SyncBucket:
    async with database.begin() as transaction:
        return await sync_buckets.claim(transaction, location, name)


async def test_a_bucket_that_is_claimed_by_many_at_once_is_one(database: Database) -> None:
    claimed = await asyncio.gather(*(claim(database) for _ in range(8)))

    assert len({bucket.id for bucket in claimed}) == 1


async def test_a_claim_waits_for_another_and_does_without_it_when_it_fails(
    database: Database,
) -> None:
    async with database.begin() as transaction:
        first = await sync_buckets.claim(transaction, LOCATION, "photos")
        waiting = asyncio.create_task(claim(database))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(waiting), 0.1)
        await transaction.rollback()

    assert (await waiting).id != first.id


async def test_buckets_of_one_name_in_two_stores_are_two(database: Database) -> None:
    here, there = await claim(database, location=""), await claim(database)

    assert here.id != there.id
    assert there == SyncBucket(
        id=there.id,
        location=LOCATION,
        name="photos",
        created=False,
        ordered=True,
        backslashes=None,
        backup_prefixes=(),
    )


async def test_what_is_found_out_about_a_bucket_is_kept(database: Database) -> None:
    bucket, other = await claim(database), await claim(database, "other")

    async with database.begin() as transaction:
        await sync_buckets.change(
            transaction, bucket.id, created=True, ordered=False, backslashes=False
        )
        for prefix in ("old/", "older/", "old/", "ol/"):
            await sync_buckets.add_backup_prefix(transaction, bucket.id, prefix)
        assert await sync_buckets.find(transaction, bucket.id) == replace(
            bucket,
            created=True,
            ordered=False,
            backslashes=False,
            backup_prefixes=("old/", "older/", "ol/"),
        )
        assert await sync_buckets.find(transaction, other.id) == other
        assert await sync_buckets.find(transaction, other.id + 1) is None


async def save(database: Database, bucket: SyncBucket, *objects: Remembered) -> None:
    async with database.begin() as transaction:
        await sync_objects.save(transaction, bucket.id, objects)


async def objects_of(database: Database, bucket: SyncBucket) -> list[Remembered]:
    async with database.read() as connection:
        return await sync_objects.page(connection, bucket.id, None, 1000)


async def test_objects_come_in_the_order_of_their_keys_bytes_in_pages(database: Database) -> None:
    bucket, other = await claim(database), await claim(database, "other")
    objects = [remembered(key) for key in KEYS]
    await save(database, bucket, *random.Random(4).sample(objects, len(objects)))
    await save(database, other, remembered(b"b"))

    read: list[Remembered] = []
    async with database.read() as connection:
        while page := await sync_objects.page(
            connection, bucket.id, read[-1].key if read else None, 2
        ):
            assert len(page) <= 2
            read += page

    assert read == objects
    assert all(type(each) is Remembered for each in read)


async def test_an_object_is_remembered_as_it_was_last_seen(database: Database) -> None:
    bucket = await claim(database)
    await save(database, bucket, remembered(b"a"), remembered(b"b"))
    newer = remembered(b"a", size=2**40, etag="f", mtime_ns=-1, ctime_ns=0, uploaded=False)

    await save(database, bucket, newer, kept := remembered(b"c"))
    await save(database, bucket)

    read = await objects_of(database, bucket)
    assert [each.key for each in read] == [b"a", b"b", b"c"]
    assert read[0] == newer
    assert read[2] == kept


async def test_objects_are_found_by_their_keys(database: Database) -> None:
    bucket, other = await claim(database), await claim(database, "other")
    objects = {key: remembered(key) for key in KEYS}
    await save(database, bucket, *objects.values())
    await save(database, other, remembered(b"b"))

    async with database.read() as connection:
        found = await sync_objects.find(connection, bucket.id, [KEYS[6], b"b", KEYS[0]])
        assert await sync_objects.find(connection, bucket.id, []) == []

    assert sorted(found) == [objects[KEYS[0]], objects[KEYS[6]]]


async def test_objects_are_forgotten_by_key_or_all_together(database: Database) -> None:
    bucket, other = await claim(database), await claim(database, "other")
    for each in (bucket, other):
        await save(database, each, *map(remembered, KEYS))

    async with database.begin() as transaction:
        await sync_objects.forget(transaction, bucket.id, [b"a b", b"unknown", b"a/x"])
    assert [each.key for each in await objects_of(database, bucket)] == [
        key for key in KEYS if key not in {b"a b", b"a/x"}
    ]

    async with database.begin() as transaction:
        await sync_objects.forget(transaction, bucket.id, [])
        assert await sync_objects.exist(transaction, bucket.id)
        await sync_objects.forget_all(transaction, bucket.id)
        assert not await sync_objects.exist(transaction, bucket.id)
        assert await sync_objects.exist(transaction, other.id)
    assert len(await objects_of(database, other)) == len(KEYS)


async def moved(
    database: Database, bucket: SyncBucket, looks: Sequence[tuple[int, int]]
) -> list[Remembered]:
    async with database.read() as connection:
        return sorted(await sync_objects.moved(connection, bucket.id, looks))


async def test_objects_are_found_by_the_size_and_time_of_their_files(database: Database) -> None:
    bucket, other = await claim(database), await claim(database, "other")
    same = [remembered(b"a", size=1, mtime_ns=7), remembered(b"b", size=1, mtime_ns=7)]
    one = remembered(b"c", size=2, mtime_ns=7)
    await save(database, bucket, *same, one, remembered(b"d", size=1, mtime_ns=8))
    await save(database, other, remembered(b"e", size=1, mtime_ns=7))

    assert await moved(database, bucket, [(2, 7), (1, 7), (2, 7)]) == [*same, one]
    assert await moved(database, bucket, [(2, 8)]) == []
    assert await moved(database, bucket, []) == []


async def test_many_objects_that_look_alike_do_not_hide_another(database: Database) -> None:
    bucket = await claim(database)
    await save(
        database,
        bucket,
        *(remembered(b"%d" % n, size=0, mtime_ns=0) for n in range(150)),
        one := remembered(b"z", size=2, mtime_ns=7),
    )

    found = await moved(database, bucket, [(0, 0), (2, 7)])

    assert len(found) == 101
    assert one in found


async def schedule(database: Database, **values: Any) -> SyncSchedule:
    plain: dict[str, Any] = {
        "source": "a",
        "options": SyncOptions(wait=1, verify=True),
        "cron": "0 * * * *",
        "next_at": NOW,
        "created_by": "alice",
        "created_role": "member",
    }
    bucket = await claim(database)
    async with database.begin() as transaction:
        values = {**plain, "bucket_id": bucket.id, **values}
        number = await sync_schedules.add(transaction, **values)
        added = await sync_schedules.find(transaction, number, owner=None)
    assert added is not None
    return added


async def test_a_schedule_comes_back_as_it_was_added(database: Database) -> None:
    added = await schedule(database, credentials=b"sealed")

    assert (added.location, added.bucket, added.source) == (LOCATION, "photos", "a")
    assert added.options == SyncOptions(wait=1.0, verify=True)
    assert (added.cron, added.next_at) == ("0 * * * *", NOW)
    assert "sealed" not in repr(added)
    async with database.read() as connection:
        assert await sync_schedules.credentials(connection, added.number) == b"sealed"
        assert await sync_schedules.credentials(connection, added.number + 1) is None


async def test_schedules_are_seen_and_removed_by_who_may(database: Database) -> None:
    first, second = await schedule(database), await schedule(database, created_by="bob")

    async with database.begin() as transaction:
        assert await sync_schedules.page(transaction, owner=None) == [first, second]
        assert await sync_schedules.page(transaction, owner="bob") == [second]
        assert await sync_schedules.find(transaction, first.number, owner="bob") is None
        assert await sync_schedules.find(transaction, second.number, owner="bob") == second
        assert not await sync_schedules.remove(transaction, first.number, owner="bob")
        assert await sync_schedules.remove(transaction, second.number, owner="bob")
        assert not await sync_schedules.remove(transaction, second.number, owner=None)
        assert await sync_schedules.page(transaction, owner=None) == [first]


@pytest.mark.parametrize("number", [0, -1, 2**63, 10**100])
async def test_a_number_that_no_schedule_has_finds_none(database: Database, number: int) -> None:
    async with database.begin() as transaction:
        assert await sync_schedules.find(transaction, number, owner=None) is None
        assert not await sync_schedules.remove(transaction, number, owner=None)


async def test_what_is_due_is_given_to_one_transaction_alone(database: Database) -> None:
    latest, earliest, middle = [
        await schedule(database, next_at=NOW - timedelta(minutes=minutes)) for minutes in (0, 9, 5)
    ]
    await schedule(database, next_at=NOW + timedelta(microseconds=1))

    async with database.begin() as one, database.begin() as two:
        assert await sync_schedules.due(one, NOW, 2) == [earliest, middle]
        # The bucket of all of them is not held: syncs of it go on.
        assert await sync_schedules.due(two, NOW, 10) == [latest]
        for each in (earliest, middle):
            await sync_schedules.change(one, each.number, next_at=NOW + timedelta(hours=1))

    async with database.begin() as transaction:
        assert await sync_schedules.due(transaction, NOW, 10) == [latest]
