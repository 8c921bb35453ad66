"""What syncs keep before they overwrite or delete, and buckets with real folders."""

import shutil
from pathlib import Path

import pytest

from mediatheque.catalog.database import Database
from mediatheque.domain.jobs import JobStatus
from mediatheque.domain.sync_safety import SyncLimits
from mediatheque.domain.syncs import OperationState
from tests.support.door_two import fill
from tests.support.sync_stages import (
    Folder,
    Memory,
)


@pytest.fixture
def stage(database: Database, tmp_path: Path) -> Memory:
    return Memory(database, tmp_path / "uploads")


@pytest.fixture
def folder(database: Database, tmp_path: Path) -> Folder:
    return Folder(database, tmp_path)


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
