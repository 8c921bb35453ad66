"""Syncs from their plan to their end: what is done, in which order, and what never is."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from mediatheque.catalog.database import Database
from mediatheque.domain.jobs import JobStatus, Signal
from mediatheque.domain.sync_safety import SyncLimits
from mediatheque.domain.syncs import OperationState, Phase
from mediatheque.services import sync_deleter
from mediatheque.services.sync_sender import SyncSender
from mediatheque.storage.mirrors import TooLateError
from tests.support.sync_stages import (
    CONNECTION,
    OLD_NS,
    Memory,
    a_number_of_files,
    away,
    failing,
)


@pytest.fixture
def stage(database: Database, tmp_path: Path) -> Memory:
    return Memory(database, tmp_path / "uploads")


# What a sync does.


async def test_the_bucket_becomes_what_the_folder_is_and_goes_with_its_last_file(
    stage: Memory,
) -> None:
    large = os.urandom(2 << 20)
    stage.write({"a": b"1", "b/c": b"2", "large": large, "leer": b""})
    first = await stage.done()
    assert stage.stored == {"a": b"1", "b/c": b"2", "large": large, "leer": b""}
    assert (first.done.files, first.phase, first.progress) == (4, Phase.DELETING, 1.0)
    assert (await stage.bucket()).created
    assert await stage.known() == {"a", "b/c", "large", "leer"}

    stage.write({"a": b"changed", "b/c": b"2", "new": b"3"})
    second = await stage.done()
    assert stage.stored == {"a": b"changed", "b/c": b"2", "new": b"3"}
    assert second.done.files == 4
    assert second.plan is not None
    assert (second.plan.skip.files, second.plan.delete.files) == (1, 2)

    stage.write({})
    await stage.done()
    assert not stage.mirror.created
    assert not (await stage.bucket()).created
    assert await stage.known() == set()


@pytest.mark.parametrize(
    "after",
    [
        {"a": b"two", "b": b"one"},
        {"b": b"one", "c": b"two"},
        {"c": b"one", "d": b"one", "b": b"two"},
        {"a": b"ONE", "c": b"one", "b": b"two"},
    ],
    ids=["swapped", "moved on", "copied", "moved and replaced"],
)
async def test_files_that_were_moved_have_their_own_content(
    stage: Memory, after: dict[str, bytes]
) -> None:
    stage.write({"a": b"one", "b": b"two"})
    for name in ("a", "b"):
        os.utime(stage.root / name, ns=(OLD_NS, OLD_NS))
    await stage.done()

    stage.write(after)
    for name in after:
        os.utime(stage.root / name, ns=(OLD_NS, OLD_NS))
    await stage.done()

    assert stage.stored == after
    assert (await stage.done()).done.files == 0


async def test_a_copy_whose_origin_is_gone_or_another_is_uploaded(stage: Memory) -> None:
    for change in (stage.mirror.contents.pop, lambda key: stage.mirror.hold(key, b"two")):
        stage.write({"a": b"one"})
        await stage.done()
        (stage.root / "a").rename(stage.root / "b")
        stage.once("copy", "b", lambda change=change: change(b"a"))  # type: ignore[misc]
        ended = await stage.done()
        assert ended.plan is not None
        assert ended.plan.copy.files == 1
        assert stage.stored["b"] == b"one"


async def test_a_file_of_the_far_future_is_synced_once(stage: Memory) -> None:
    stage.write({"a": b"1"})
    year_2300 = 10_413_792_000_000_000_000  # more than a signed column holds
    os.utime(stage.root / "a", ns=(year_2300, year_2300))

    assert (await stage.done()).done.files == 1
    assert (await stage.done()).done.files == 0


async def test_two_folders_in_turn_are_one_bucket_each_time(stage: Memory) -> None:
    stage.write({"one/a": b"1", "one/b": b"2", "two/a": b"3", "two/c": b"4"})
    await stage.done("one")
    await stage.done("two")
    assert stage.stored == {"a": b"3", "c": b"4"}
    await stage.done("one")
    assert stage.stored == {"a": b"1", "b": b"2"}


async def test_a_dry_run_leaves_no_trace(stage: Memory) -> None:
    stage.write({"kept/a": b"1", "b\\c": b"2"})
    ended = await stage.done(dry_run=True, backup_prefix="old")
    assert ended.plan is not None
    assert ended.plan.upload.files == 2
    assert not stage.mirror.created
    bucket = await stage.bucket()
    assert (bucket.created, bucket.backslashes, bucket.backup_prefixes) == (False, None, ())
    assert await stage.known() == set()


# What it must not destroy.


async def test_what_came_back_while_the_process_stood_still_is_not_deleted(stage: Memory) -> None:
    stage.write({"a": b"1", "b": b"2", "c": b"3"})
    await stage.done()
    stage.write({"c": b"3"})

    def stand_still() -> None:
        time.sleep(1.1)
        stage.write({"a": b"1", "c": b"3"})

    stage.once("delete", "", stand_still)
    ended = await stage.done()

    assert stage.stored == {"a": b"1", "c": b"3"}
    states = {key: each.state for key, each in (await stage.operations(ended)).items()}
    assert states == {"a": OperationState.SKIPPED, "b": OperationState.DONE}


async def test_where_looking_takes_long_fewer_are_deleted_at_once(
    stage: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.write(a_number_of_files(8))
    await stage.done()
    stage.write({"000": b"0"})
    monkeypatch.setattr(sync_deleter, "_LOOK_HOLDS_SECONDS", 0.05)
    look = SyncSender.is_file_now

    def slowly(sender: SyncSender, path: bytes) -> bool:
        time.sleep(0.02)
        return look(sender, path)

    monkeypatch.setattr(SyncSender, "is_file_now", slowly)
    await stage.done(force=True)
    assert stage.stored == {"000": b"0"}

    stage.write({"111": b"1"})
    monkeypatch.setattr(sync_deleter, "_LOOK_HOLDS_SECONDS", 0.0)
    ended = await stage.sync(force=True)
    assert ended.status == CONNECTION
    assert stage.stored == {"000": b"0", "111": b"1"}


async def test_a_store_that_takes_no_deletion_in_time_ends_the_sync(stage: Memory) -> None:
    def trouble(called: str, _key: bytes) -> None:
        if called == "delete":
            asked.append(called)
            raise TooLateError("The store was in trouble.")

    stage.write(a_number_of_files(8))
    await stage.done()
    stage.write({"000": b"0"})
    asked: list[str] = []
    stage.mirror.before = trouble

    ended = await stage.sync(force=True)

    assert ended.status == CONNECTION
    assert len(asked) == 5
    assert len(stage.stored) == 8


async def test_deletions_that_the_store_did_not_take_are_an_error(stage: Memory) -> None:
    stage.write(a_number_of_files(6))
    await stage.done()
    stage.write({"000": b"0"})
    stage.once("delete", "", failing(away()))

    ended = await stage.sync(wait=0.001)

    assert ended.status == CONNECTION
    await stage.done()
    assert stage.stored == {"000": b"0"}


@pytest.mark.parametrize("name", ["exists", "entries", "create", "put", "head", "delete", "remove"])
async def test_a_store_that_is_away_ends_the_sync_and_the_next_one_makes_up_for_it(
    stage: Memory, name: str
) -> None:
    if name != "create":
        stage.write(a_number_of_files(3))
        await stage.done()
    stage.write({} if name == "remove" else {"new": b"1", "000": b"changed"})
    before = stage.stored
    key = {"put": "new", "head": "old/000"}.get(name, "")
    stage.once(name, key, failing(away()))

    ended = await stage.sync(backup_prefix="old" if name == "head" else None)

    assert ended.status == CONNECTION
    assert ended.error == "The store is away."
    if name != "remove":
        assert set(stage.stored) >= set(before)
    await stage.done()
    assert set(stage.stored) == ({"new", "000"} if name != "remove" else set())


async def test_nothing_is_deleted_after_something_failed(stage: Memory) -> None:
    stage.write({"a": b"1", "b": b"2"})
    await stage.done()
    stage.write({"b": b"2", "c\udcff": b"3", "d": b"4"})

    ended = await stage.sync()

    assert ended.status.startswith("error (1 of 3 operations failed: c\\xff has a name")
    assert stage.stored == {"a": b"1", "b": b"2", "d": b"4"}


async def test_a_source_of_which_no_file_can_have_a_key_deletes_nothing(stage: Memory) -> None:
    stage.mirror.backslashes = False
    stage.write({"a": b"1"})
    await stage.done()
    stage.write({"b\\\udcff": b"2"})

    ended = await stage.sync()

    assert ended.status.startswith("error (1 of 2 operations failed")
    assert stage.stored == {"a": b"1"}


async def test_what_is_there_again_when_its_turn_comes_is_not_deleted(stage: Memory) -> None:
    stage.write({"a": b"1", "b": b"2"})
    await stage.done()
    stage.write({"c": b"3"})
    stage.once("put", "c", lambda: stage.write({"a": b"1", "c": b"3"}))

    ended = await stage.done()

    assert stage.stored == {"a": b"1", "c": b"3"}
    assert (await stage.operations(ended))["a"].state is OperationState.SKIPPED


async def test_the_last_look_comes_after_the_backups(stage: Memory) -> None:
    stage.write({"a": b"1", "b": b"2"})
    await stage.done()
    stage.write({"c": b"3"})
    stage.once("copy", "old/b", lambda: stage.write({"a": b"1", "c": b"3"}))

    await stage.done(backup_prefix="old")

    assert set(stage.stored) == {"a", "c", "old/a", "old/b"}


async def test_objects_of_others_stay_and_the_sync_says_so(stage: Memory) -> None:
    stage.write({"a": b"1"})
    await stage.done()
    stage.mirror.hold(b"theirs", b"!")
    stage.write({"b": b"2"})

    ended = await stage.sync()

    assert "1 objects in 'photos' were not uploaded by Mediatheque" in ended.status
    assert stage.stored == {"b": b"2", "theirs": b"!"}
    stage.write({})
    assert "has objects that were not uploaded" in (await stage.sync()).status
    assert stage.stored == {"b": b"2", "theirs": b"!"}


async def test_more_deletions_than_the_limits_are_refused_until_they_are_forced(
    database: Database, tmp_path: Path
) -> None:
    stage = Memory(database, tmp_path / "uploads", limits=SyncLimits(2, 50, unowned=False))
    stage.write(a_number_of_files(5))
    await stage.done()
    stage.mirror.hold(b"theirs", b"!")
    stage.write({"000": b"0", "001": b"1", "new": b""})
    # Four of six, the foreign one among them, are too many.
    refused = await stage.start()
    for _ in range(2):
        ended = await stage.run(refused)
        assert "would delete 4 of the 6 objects" in ended.status
        assert len(stage.stored) == 6
        await stage.signal(refused, Signal.RETRY)
    await stage.signal(refused, Signal.CANCEL)
    del stage.mirror.contents[b"theirs"]
    assert "would delete 3 of the 5 objects" in (await stage.sync()).status
    await stage.done(force=True)
    assert set(stage.stored) == {"000", "001", "new"}


async def test_a_bucket_that_others_have_made_anew_is_not_removed(stage: Memory) -> None:
    stage.write({"a": b"1"})
    await stage.done()
    stage.mirror.contents.clear()  # as when they removed it, and made another one
    stage.write({"a": b"2"})
    await stage.done()
    assert not (await stage.bucket()).created

    stage.write({})
    ended = await stage.sync()

    assert "the bucket 'photos' was not created by Mediatheque" in ended.status
    assert stage.stored == {"a": b"2"}


async def test_a_bucket_that_is_gone_is_nobodys(stage: Memory) -> None:
    stage.write({"a": b"1"})
    await stage.done()
    stage.mirror.contents.clear()
    stage.mirror.created = False
    stage.write({})
    await stage.done()
    assert not (await stage.bucket()).created
    stage.mirror.created = True
    assert "was not created" in (await stage.sync()).status
    assert stage.mirror.created


async def test_a_bucket_that_went_away_during_a_pause_is_filled_again(stage: Memory) -> None:
    stage.write(a_number_of_files(5))
    await stage.done()
    stage.write({**a_number_of_files(5), "new/1": b"", "new/2": b""})
    sync = await stage.start(wait=20)
    running = asyncio.create_task(stage.run(sync))
    await stage.wait(sync, lambda found: found.done.files == 1)
    await stage.signal(sync, Signal.PAUSE)
    assert (await running).job_status is JobStatus.PAUSED
    stage.mirror.contents.clear()
    stage.mirror.created = False
    await stage.signal(sync, Signal.RESUME)
    running = asyncio.create_task(stage.run(sync))

    await stage.wait(sync, lambda found: found.plan is not None and found.plan.upload.files == 7)

    await stage.signal(sync, Signal.CANCEL)
    assert (await running).status == "cancelled"
