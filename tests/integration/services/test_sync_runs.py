"""Syncs from their plan to their end: what is done, in which order, and what never is."""

import asyncio
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mediatheque.catalog.database import Database
from mediatheque.domain.errors import UnavailableError
from mediatheque.domain.jobs import JobStatus, Signal
from mediatheque.domain.sync_safety import SyncLimits
from mediatheque.domain.syncs import OperationState, Phase, Sync
from mediatheque.services import job_runs, sync_ledger, sync_runs
from mediatheque.storage.folder_mirror import BUCKETS, FolderMirror
from tests.support.database import execute
from tests.support.door_two import fill
from tests.support.mirrors import MemoryMirror
from tests.support.syncs import BUCKET, FickleDatabase, SyncStage

CONNECTION = "error (s3 storage connection)"
OLD_NS = 1_600_000_000_123_456_789


class Memory(SyncStage):
    """Syncs into a bucket in memory, which stays what it is when it is closed."""

    def __init__(self, database: Database, root: Path, **options: Any) -> None:
        self.mirror = MemoryMirror()
        super().__init__(database, root, lambda: self.mirror, **options)

    def write(self, files: Mapping[str, bytes]) -> None:
        """Make the folder exactly this; files that have their content already stay as they are."""
        for path in sorted(self.root.rglob("*"), reverse=True):
            name = path.relative_to(self.root).as_posix()
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
            elif path.is_file() and name not in files:
                path.unlink()
        new = {
            name: content
            for name, content in files.items()
            if not (self.root / name).is_file() or (self.root / name).read_bytes() != content
        }
        fill(self.root, new)

    @property
    def stored(self) -> dict[str, bytes]:
        """What the bucket has."""
        return {key.decode(): content for key, content in self.mirror.contents.items()}

    def once(self, name: str, key: str, action: Callable[[], object]) -> None:
        """Let something happen right before a method of the mirror is called, the first time."""

        def before(called: str, called_key: bytes) -> None:
            if (called, called_key.decode()) == (name, key):
                self.mirror.before = lambda *_: None
                action()

        self.mirror.before = before


class Folder(SyncStage):
    """Syncs into a local bucket, which has real folders."""

    def __init__(self, database: Database, home: Path, **options: Any) -> None:
        self.store = home / "objects"
        self.store.mkdir()
        self.place = self.store / BUCKETS / BUCKET
        super().__init__(database, home / "uploads", self._open, **options)
        self.before_copy: Callable[[], object] = lambda: None

    def _open(self) -> FolderMirror:
        stage = self

        class Meddled(FolderMirror):
            async def copy(self, entry: Any, target: bytes) -> Any:
                stage.before_copy()
                return await super().copy(entry, target)

        return Meddled(self.store, BUCKET, durable=False)

    @property
    def stored(self) -> dict[str, bytes]:
        """What the bucket has."""
        return files_of(self.place)


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def stage(database: Database, tmp_path: Path) -> Memory:
    return Memory(database, tmp_path / "uploads")


@pytest.fixture
def folder(database: Database, tmp_path: Path) -> Folder:
    return Folder(database, tmp_path)


def away() -> UnavailableError:
    return UnavailableError("The store is away.")


def failing(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def a_number_of_files(count: int) -> dict[str, bytes]:
    return {f"{number:03}": f"{number}".encode() for number in range(count)}


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


# Backups.


async def test_every_version_is_kept_and_none_replaces_another(stage: Memory) -> None:
    stage.write({"a": b"1", "b": b"-"})
    await stage.done()
    numbers = []
    for content in (b"2", b"3"):
        stage.write({"a": content})
        numbers.append((await stage.done(backup_prefix="old")).number)
    assert stage.stored == {"a": b"3", "old/a": b"1", f"old/a.{numbers[1]}-0": b"2", "old/b": b"-"}
    stage.write({})
    await stage.done()
    assert set(stage.stored) == {"old/a", f"old/a.{numbers[1]}-0", "old/b"}
    stage.write({"a": b"4"})
    assert (await stage.done()).done.files == 1


async def test_a_backup_outlives_a_crash_between_the_upload_and_the_note_of_it(
    stage: Memory,
) -> None:
    stage.write({"a": b"1"})
    await stage.done()
    stage.write({"a": b"2"})
    await stage.done(backup_prefix="old")
    stage.write({"a": b"3"})
    sync = await stage.start(backup_prefix="old")

    def crash() -> None:
        stage.mirror.hold(b"a", b"3")
        raise RuntimeError

    stage.once("send", "a", crash)
    assert (await stage.run(sync)).job_status is JobStatus.PENDING
    assert (await stage.run(sync)).status == "success"
    assert stage.stored == {"a": b"3", "old/a": b"1", f"old/a.{sync.number}-0": b"2"}


async def test_an_object_that_others_replace_while_it_is_kept_is_not_deleted(
    stage: Memory,
) -> None:
    stage.write({"a": b"1", "b": b"2"})
    await stage.done()
    stage.write({"b": b"changed"})
    stage.once("copy", "old/b", lambda: stage.mirror.hold(b"b", b"theirs"))
    await stage.done(backup_prefix="old")
    assert stage.stored == {"b": b"changed", "old/a": b"1", "old/b": b"theirs"}

    stage.write({"c": b"3"})
    sync = await stage.start(backup_prefix="old")
    kept = f"old/b.{sync.number}-0"
    stage.once("copy", kept, lambda: stage.mirror.hold(b"b", b"theirs again"))
    ended = await stage.run(sync)
    assert ended.status == "success"
    assert stage.stored["b"] == b"theirs again"
    assert (await stage.operations(ended))["b"].state is OperationState.SKIPPED


async def test_what_cannot_be_kept_is_neither_overwritten_nor_deleted(folder: Folder) -> None:
    long = "/".join(["x" * 250] * 4) + "/" + "y" * 18
    fill(folder.root, {"a": b"1", long: b"1", f"{long}2": b"1"})
    await folder.done()
    fill(folder.root, {"a": b"2", long: b"2"})
    (folder.root / f"{long}2").unlink()

    ended = await folder.sync(backup_prefix="kept")

    assert ended.status.startswith("error (1 of 3 operations failed: ")
    assert folder.stored == {"a": b"2", "kept/a": b"1", long: b"1", f"{long}2": b"1"}
    fill(folder.root, {long: b"1"})
    assert (await folder.sync(backup_prefix="kept")).status.startswith("error (1 of 1")
    assert f"{long}2" in folder.stored


async def test_a_prefix_that_the_source_uses_is_refused_and_forgotten(stage: Memory) -> None:
    stage.write({"a": b"1", "photos/b": b"2"})
    await stage.done()
    stage.write({"a": b"2", "photos/b": b"2", "photos/c": b"3"})

    ended = await stage.sync(backup_prefix="photos")

    assert "photos/b is a file below the prefix of the backups" in ended.status
    assert stage.stored == {"a": b"1", "photos/b": b"2"}
    await stage.done()
    assert stage.stored == {"a": b"2", "photos/b": b"2", "photos/c": b"3"}


# Buckets with real folders.


async def test_backups_that_have_no_place_at_all_fail(folder: Folder) -> None:
    fill(folder.root, {"a": b"1", "kept": b"a file"})
    await folder.done()
    fill(folder.root, {"a": b"2"})

    ended = await folder.sync(backup_prefix="kept")

    assert "'a' cannot be kept under 'kept'" in ended.status
    assert folder.stored == {"a": b"1", "kept": b"a file"}


async def test_files_and_folders_change_places(folder: Folder) -> None:
    before = {"a": b"1", **{f"b/{n}/x": b"%d" % n for n in range(300)}, "c/d/e": b"3"}
    fill(folder.root, before)
    await folder.done()
    shutil.rmtree(folder.root)
    after = {**{f"a/{n}": b"%d" % n for n in range(300)}, "b": b"4", "c/d": b"5"}
    fill(folder.root, after)

    await folder.done(force=True, backup_prefix="kept")

    assert folder.stored == after | {f"kept/{name}": before[name] for name in before}
    assert (await folder.done()).done.files == 0
    # And back again, past the backups of the first time.
    shutil.rmtree(folder.root)
    fill(folder.root, {"a": b"6", "b/1/x": b"7"})
    number = (await folder.done(force=True, backup_prefix="kept")).number
    stored = folder.stored
    assert {name: stored[name] for name in stored if not name.startswith("kept/")} == {
        "a": b"6",
        "b/1/x": b"7",
    }
    assert stored["kept/a"] == b"1"
    assert stored[f"kept/a.{number}-0/299"] == b"299"
    assert stored[f"kept/b.{number}-0"] == b"4"
    assert stored[f"kept/c/d.{number}-0"] == b"5"


async def test_a_file_that_moves_into_a_folder_of_its_name_keeps_its_content(
    folder: Folder,
) -> None:
    fill(folder.root, {"a": b"1"})
    await folder.done()
    (folder.root / "a").rename(folder.root / "b")
    (folder.root / "a").mkdir()
    (folder.root / "b").rename(folder.root / "a" / "b")
    await folder.done()
    assert folder.stored == {"a/b": b"1"}


async def test_what_is_in_the_way_stays_when_the_source_has_it_again(folder: Folder) -> None:
    fill(folder.root, {"a": b"1"})
    await folder.done()
    (folder.root / "a").rename(folder.root / "b")
    (folder.root / "a").mkdir()
    (folder.root / "b").rename(folder.root / "a" / "b")

    def back() -> None:
        if (folder.root / "a").is_dir():
            (folder.root / "a" / "b").rename(folder.root / "b")
            (folder.root / "a").rmdir()
            (folder.root / "b").rename(folder.root / "a")

    folder.before_copy = back
    ended = await folder.sync()
    assert "a is in the way. The source has this file again" in ended.status
    assert folder.stored == {"a": b"1"}


async def test_backups_are_never_in_the_way(database: Database, tmp_path: Path) -> None:
    folder = Folder(database, tmp_path, limits=SyncLimits(100, 50, unowned=True))
    fill(folder.root, {"a": b"1"})
    await folder.done()
    fill(folder.root, {"a": b"2"})
    await folder.done(backup_prefix="kept")
    fill(folder.root, {"kept": b"a file"})

    ended = await folder.sync()

    assert "kept/a is in the way. It is a backup" in ended.status
    assert folder.stored == {"a": b"2", "kept/a": b"1"}


# Signals, other workers, and a database that goes away.


@pytest.mark.parametrize("what", [Signal.CANCEL, Signal.PAUSE])
@pytest.mark.parametrize(
    ("name", "key", "phase"),
    [
        ("exists", "", Phase.PLANNING),
        ("entries", "", Phase.PLANNING),
        ("put", "new", Phase.UPLOADING),
        ("put", "000", Phase.UPDATING),
        ("delete", "", Phase.DELETING),
    ],
)
async def test_signals_are_heard_in_every_phase(
    stage: Memory, name: str, key: str, phase: Phase, what: Signal
) -> None:
    stage.write(a_number_of_files(3))
    await stage.done()
    stage.write({"000": b"changed", "new": b"1", "newer": b"2"})
    sync = await stage.start(wait=0.01)
    loop = asyncio.get_running_loop()

    def ask() -> None:
        asyncio.run_coroutine_threadsafe(stage.signal(sync, what), loop).result()

    stage.once(name, key, ask)
    stopped = await stage.run(sync)

    assert stopped.phase is phase
    if what is Signal.PAUSE:
        assert stopped.job_status is JobStatus.PAUSED
        await stage.signal(sync, Signal.RESUME)
        assert (await stage.run(sync)).status == "success"
    else:
        assert stopped.status == "cancelled"
        assert stopped.done.files == {Phase.PLANNING: 0, Phase.UPLOADING: 1, Phase.UPDATING: 3}.get(
            phase, 4
        )
        await stage.done()
    assert stage.stored == {"000": b"changed", "new": b"1", "newer": b"2"}


@pytest.mark.parametrize(("name", "key"), [("entries", ""), ("put", "new"), ("delete", "")])
async def test_a_run_whose_job_was_taken_over_writes_nothing_any_more(
    stage: Memory, database_url: str, name: str, key: str
) -> None:
    stage.write(a_number_of_files(3))
    await stage.done()
    stage.write({"new": b"1", "newer": b"2"})
    sync = await stage.start()
    before = await stage.known()
    loop = asyncio.get_running_loop()

    def take_over() -> None:
        taking = execute(database_url, "UPDATE jobs SET epoch = epoch + 1")
        asyncio.run_coroutine_threadsafe(taking, loop).result()

    stage.once(name, key, take_over)
    lost = await stage.run(sync)

    assert lost.job_status is JobStatus.RUNNING
    if name != "delete":
        assert await stage.known() == before
        assert set(stage.stored) >= {"000", "001", "002"}
        assert lost.done.files == 0
    # The next worker does the rest of it.
    assert (await stage.run(sync)).status == "success"
    assert stage.stored == {"new": b"1", "newer": b"2"}
    assert await stage.known() == {"new", "newer"}


@pytest.mark.parametrize("name", ["exists", "entries", "create", "put", "delete", "remove"])
async def test_a_database_that_is_away_for_a_moment_is_waited_for(
    database_url: str, database: Database, tmp_path: Path, name: str
) -> None:
    del database  # it empties the tables
    fickle = FickleDatabase(database_url)
    stage = Memory(fickle, tmp_path / "uploads")
    loop = asyncio.get_running_loop()
    if name != "create":
        stage.write(a_number_of_files(3))
        await stage.done()
    stage.write({} if name == "remove" else {"a": b"1"})

    def leave() -> None:
        fickle.away = True
        loop.call_soon_threadsafe(loop.call_later, 0.4, setattr, fickle, "away", False)

    stage.once(name, "a" if name == "put" else "", leave)
    ended = await stage.sync()
    assert ended.status == "success"
    assert stage.stored == ({} if name == "remove" else {"a": b"1"})
    await fickle.close()


async def test_a_database_that_is_away_for_long_neither_blocks_the_sync_nor_is_called_the_store(
    database_url: str, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del database
    for module in (job_runs, sync_ledger, sync_runs):
        monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(sync_ledger, "_MOST_WAITING", 5)
    monkeypatch.setattr(sync_ledger, "_TICK_SECONDS", 0.05)
    fickle = FickleDatabase(database_url)
    stage = Memory(fickle, tmp_path / "uploads")
    stage.write(a_number_of_files(200))
    loop = asyncio.get_running_loop()

    def leave() -> None:
        fickle.away = True
        loop.call_soon_threadsafe(loop.call_later, 1.5, setattr, fickle, "away", False)

    stage.once("put", "100", leave)
    sync = await stage.start()
    ended = await stage.run(sync, seconds=20)

    assert ended.job_status is JobStatus.PENDING
    assert (ended.error, ended.reason) == ("The database is away.", None)
    assert (await stage.run(sync)).status == "success"
    assert stage.stored == a_number_of_files(200)
    await fickle.close()


# Watching.


async def watched(stage: Memory, sync: Sync, rounds: int) -> None:
    await stage.wait(sync, lambda found: found.rounds == rounds and found.reason is None)


async def test_troubles_of_a_watch_pass_also_after_it_went_to_another_worker(
    stage: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync_runs, "_RETRY_SECONDS", (0.05,))
    stage.write({"a": b"1"})
    sync = await stage.start(watch=True)
    running = asyncio.create_task(stage.run(sync))
    await watched(stage, sync, 1)
    stage.workers.drain()
    assert (await running).job_status is JobStatus.PENDING

    again = Memory(stage.database, stage.root)
    again.mirror = stage.mirror
    again.mirror.fail = away()
    running = asyncio.create_task(again.run(sync))
    await again.wait(sync, lambda found: found.reason == "s3 storage connection")
    again.mirror.fail = None
    await watched(again, sync, 2)
    # A source that vanishes deletes nothing.
    (stage.root / "a").unlink()
    await again.wait(sync, lambda found: found.reason == "the source is missing or empty")
    assert again.stored == {"a": b"1"}
    stage.write({"b": b"2"})
    await watched(again, sync, 3)
    assert again.stored == {"b": b"2"}
    await again.signal(sync, Signal.CANCEL)
    assert (await running).status == "cancelled"


async def test_a_watch_whose_first_round_fails_ends(stage: Memory) -> None:
    stage.write({"a": b"1"})
    stage.mirror.fail = away()
    assert (await stage.sync(watch=True)).status == CONNECTION


async def test_a_watch_in_which_nothing_happens_goes_on(
    stage: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync_runs, "_FULL_LOOK_SECONDS", 0.1)
    stage.write({"a": b"1"})
    sync = await stage.start(watch=True)
    running = asyncio.create_task(stage.run(sync))
    await watched(stage, sync, 3)
    assert not running.done()
    await stage.signal(sync, Signal.CANCEL)
    assert (await running).status == "cancelled"


async def test_what_changes_during_a_round_of_a_watch_is_seen_to_by_the_next(stage: Memory) -> None:
    stage.write({"a": b"1"})
    stage.once("put", "a", lambda: stage.write({"a": b"1", "b": b"2"}))
    sync = await stage.start(watch=True)
    running = asyncio.create_task(stage.run(sync))
    await watched(stage, sync, 2)
    assert stage.stored == {"a": b"1", "b": b"2"}
    await stage.signal(sync, Signal.CANCEL)
    assert (await running).status == "cancelled"
