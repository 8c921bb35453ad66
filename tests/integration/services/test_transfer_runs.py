"""Transfers from their sources to medias, on a local store."""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from mediatheque.catalog import transfer_files
from mediatheque.catalog.database import Database
from mediatheque.domain.access import LOCAL_OPERATOR
from mediatheque.domain.errors import StorageFullError, UnavailableError
from mediatheque.domain.jobs import RETRY_DELAYS, Signal
from mediatheque.domain.transfers import FileState, TransferStatus
from mediatheque.services import transfer_crew, transfer_ledger
from mediatheque.storage.beneath import O_LOOK, best_opener
from mediatheque.storage.digest import Digest
from mediatheque.storage.local import LocalStore
from mediatheque.storage.sources import SourceRoots
from tests.support.database import execute, fetch
from tests.support.sources import NASTY_NAMES, make_deep, remove_tree
from tests.support.transfers import LIMITS, TransferStage
from tests.support.troubled import LateStore, TroubledStore

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.fixture
async def stage(database: Database, tmp_path: Path) -> AsyncIterator[TransferStage]:
    store = LocalStore(tmp_path / "objects", durable=False)
    yield TransferStage(database, store, tmp_path / "sources")
    await store.close()


@pytest.fixture
async def troubled(database: Database, tmp_path: Path) -> AsyncIterator[TransferStage]:
    store = TroubledStore(tmp_path / "objects")
    yield TransferStage(database, store, tmp_path / "sources")
    await store.close()


def store_of(stage: TransferStage) -> TroubledStore:
    assert isinstance(stage.store, TroubledStore)
    return stage.store


def away(times: int = 1) -> list[Exception]:
    return [UnavailableError("The store is away.") for _ in range(times)]


async def test_every_file_below_a_folder_becomes_a_media(stage: TransferStage) -> None:
    stage.write({"a.png": PNG, "deep/er/b.txt": b"text", "empty.json": b""})

    ended = await stage.transfer()

    assert ended.status is TransferStatus.COMPLETE
    assert (ended.files_total, ended.files_complete, ended.scanned) == (3, 3, True)
    assert ended.bytes_total == ended.bytes_complete == len(PNG) + 4
    assert (ended.progress, ended.error, ended.rate) == (1.0, None, None)
    assert await stage.contents() == {"a.png": PNG, "b.txt": b"text", "empty.json": b""}
    media = next(media for media in await stage.medias() if media.filename == "a.png")
    digest = Digest()
    digest.update(PNG)
    assert (media.resource, media.key, media.size) == (str(media.id), "", len(PNG))
    assert (media.mime_type, media.crc64nvme, media.blake3) == (
        "image/png",
        digest.crc64nvme,
        digest.blake3,
    )
    assert (media.created_by, media.created_role) == ("local", "operator")
    source = media.meta["source"]
    assert source["uri"] == (stage.root / "a.png").as_uri()
    assert source["transfer"] == str(ended.id)
    modified = datetime.fromisoformat(source["modified"])
    assert abs(modified.timestamp() - (stage.root / "a.png").stat().st_mtime) < 0.001
    file = (await stage.files(ended))["a.png"]
    assert (file.state, file.size, file.sent, file.media_id) == (
        FileState.COMPLETE,
        len(PNG),
        len(PNG),
        media.id,
    )
    assert (file.crc64nvme, file.blake3) == (digest.crc64nvme, digest.blake3)


async def test_what_is_named_twice_is_transferred_once(stage: TransferStage) -> None:
    stage.write({"a/b.txt": b"1", "a/c.txt": b"2"})
    a = stage.root / "a"

    ended = await stage.transfer(a / "b.txt", a, stage.root, a / "b.txt")

    assert len(ended.sources) == 3
    assert ended.files_total == 2
    assert len(await stage.medias()) == 2


async def test_many_files_that_are_named_one_by_one_are_written_together(
    stage: TransferStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{n:03}.txt" for n in range(300)]
    stage.write(dict.fromkeys(names, b"x"))
    batches: list[int] = []
    add = transfer_files.add

    async def count_and_add(transaction: Any, transfer_id: Any, files: Any) -> None:
        batches.append(len(files))
        await add(transaction, transfer_id, files)

    monkeypatch.setattr(transfer_files, "add", count_and_add)
    ended = await stage.transfer(*(stage.root / name for name in names))

    assert (ended.status, ended.files_complete) == (TransferStatus.COMPLETE, 300)
    assert sum(batches) == 300
    assert len(batches) < 30


async def test_an_empty_folder_is_a_complete_transfer(stage: TransferStage) -> None:
    ended = await stage.transfer()

    assert (ended.status, ended.files_total, ended.progress) == (TransferStatus.COMPLETE, 0, 1.0)


@pytest.mark.parametrize("name", NASTY_NAMES)
async def test_any_name_is_kept_exactly_and_shown_storably(
    stage: TransferStage, name: bytes
) -> None:
    (Path(os.fsdecode(bytes(stage.root) + b"/" + name))).write_bytes(b"x")

    ended = await stage.transfer()

    assert ended.status is TransferStatus.COMPLETE, ended.error
    [media] = await stage.medias()
    shown = name.decode(errors="replace")
    assert media.filename == shown.replace("\t", "\ufffd").replace("\n", "\ufffd")
    [(file, uri)] = (
        await stage.transfers.find_with_files(
            LOCAL_OPERATOR, str(ended.id), state=None, after=-1, limit=10
        )
    )[1].files
    assert file.path == bytes(stage.root) + b"/" + name
    assert stage.roots.locate(uri).path == file.path


async def test_a_path_longer_than_any_call_takes(stage: TransferStage) -> None:
    make_deep(stage.root, b"d" * 200, 30, b"deep")
    try:
        ended = await stage.transfer()
        assert ended.status is TransferStatus.COMPLETE, ended.error
        assert await stage.contents() == {"deep.mp4": b"deep"}
    finally:
        remove_tree(stage.root / ("d" * 200))


async def test_what_holds_no_bytes_of_its_own_is_skipped(stage: TransferStage) -> None:
    stage.write({"a.txt": b"1", "folder/b.txt": b"2"})
    os.mkfifo(stage.root / "fifo")
    (stage.root / "to_folder").symlink_to("folder")
    (stage.root / "dangling").symlink_to("nothing")
    (stage.root / "link.txt").symlink_to("a.txt")
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.open(stage.root, os.O_RDONLY)
        listening.bind(f"/proc/self/fd/{here}/socket")
        os.close(here)
        ended = await stage.transfer()

    files = await stage.files(ended)
    assert ended.status is TransferStatus.COMPLETE
    assert {name for name, file in files.items() if file.state is FileState.SKIPPED} == {
        "fifo",
        "socket",
        "to_folder",
        "dangling",
    }
    assert all(file.error for file in files.values() if file.state is FileState.SKIPPED)
    assert await stage.contents() == {"a.txt": b"1", "b.txt": b"2", "link.txt": b"1"}


async def test_a_pipe_that_is_named_itself_fails(stage: TransferStage) -> None:
    os.mkfifo(stage.root / "fifo")

    ended = await stage.transfer(stage.root / "fifo")

    assert ended.status is TransferStatus.FAILED
    assert ended.error is not None
    assert ended.error.startswith("1 of 1 files failed: ")
    assert "is a pipe" in ended.error


async def test_a_link_that_leaves_the_root_fails_and_the_rest_goes_on(
    stage: TransferStage, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    stage.write({"a.txt": b"1"})
    (stage.root / "out").symlink_to("../secret")

    ended = await stage.transfer()

    assert ended.status is TransferStatus.FAILED
    assert (ended.files_complete, ended.files_failed) == (1, 1)
    assert await stage.contents() == {"a.txt": b"1"}
    assert "leaves its source root" in str((await stage.files(ended))["out"].error)


async def test_what_vanishes_after_the_start_fails_and_can_be_retried(
    stage: TransferStage,
) -> None:
    stage.write({"a.txt": b"1", "b.txt": b"2"})
    started = await stage.start(stage.root / "a.txt", stage.root / "b.txt")
    (stage.root / "b.txt").unlink()

    ended = await stage.run(started)
    assert ended.status is TransferStatus.FAILED
    assert ended.error == f"1 of 2 files failed: There is nothing at {stage.root / 'b.txt'}."

    stage.write({"b.txt": b"back"})
    again = await stage.signal(ended, Signal.RETRY)
    assert (again.status, again.files_failed) == (TransferStatus.PENDING, 0)
    ended = await stage.run(again)
    assert ended.status is TransferStatus.COMPLETE
    assert (ended.files_total, ended.files_complete, ended.progress) == (2, 2, 1.0)
    assert await stage.contents() == {"a.txt": b"1", "b.txt": b"back"}


async def test_a_folder_that_came_back_is_looked_into_by_a_retry(stage: TransferStage) -> None:
    stage.write({"folder/a.txt": b"1", "b.txt": b"2"})
    started = await stage.start(stage.root / "folder", stage.root / "b.txt")
    (stage.root / "folder").rename(stage.root / "elsewhere")
    ended = await stage.run(started)
    assert ended.status is TransferStatus.FAILED
    (stage.root / "elsewhere").rename(stage.root / "folder")

    ended = await stage.run(await stage.signal(ended, Signal.RETRY))

    assert ended.status is TransferStatus.COMPLETE
    assert await stage.contents() == {"a.txt": b"1", "b.txt": b"2"}
    assert (await stage.files(ended))["folder"].state is FileState.SKIPPED


class Locks:
    """Opens as usual, save what lies at or below a name that has no permission yet."""

    def __init__(self) -> None:
        self.locked = True
        self._opener = best_opener()

    def __call__(self, folder: int, path: bytes, flags: int, *, follow_links: bool) -> int:
        reads = not flags & O_LOOK
        if self.locked and reads and b"locked" in path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return self._opener(folder, path, flags, follow_links=follow_links)


async def test_what_cannot_be_read_fails_and_is_transferred_once_it_can(
    stage: TransferStage,
) -> None:
    files = {"a.txt": b"1", "locked.txt": b"2", "locked_1/b.txt": b"3", "locked_2/c.txt": b"4"}
    stage.write(files)
    locks = Locks()
    stage.roots = SourceRoots([stage.root], opener=locks)
    stage.reopen()

    ended = await stage.transfer()

    assert ended.status is TransferStatus.FAILED
    assert (ended.files_complete, ended.files_failed) == (1, 3)
    failed = await stage.files(ended, FileState.FAILED)
    assert set(failed) == {"locked.txt", "locked_1", "locked_2"}
    assert all("cannot be read" in str(file.error) for file in failed.values())
    locks.locked = False
    ended = await stage.run(await stage.signal(ended, Signal.RETRY))
    assert ended.status is TransferStatus.COMPLETE
    assert set((await stage.contents()).values()) == {b"1", b"2", b"3", b"4"}


async def test_a_root_that_was_taken_away_is_not_read_any_more(
    stage: TransferStage, tmp_path: Path
) -> None:
    stage.write({"a.txt": b"1"})
    started = await stage.start()
    other = TransferStage(stage.database, stage.store, tmp_path / "other")

    ended = await other.run(started)
    assert ended.status is TransferStatus.FAILED
    assert "is not below a folder that transfers may read" in str(ended.error)
    ended = await other.run(await other.signal(ended, Signal.RETRY))
    assert ended.status is TransferStatus.FAILED
    assert await stage.medias() == []


async def test_a_file_that_keeps_changing_fails_and_is_never_stored(
    stage: TransferStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.write({"a.log": b"1" * 100, "b.txt": b"2"})
    path = stage.root / "a.log"
    tries = 0

    def grow(source: Any) -> bool:
        nonlocal tries
        if source.size == 1:
            return False
        tries += 1
        with path.open("ab") as file:
            file.write(b"1")
        return True

    monkeypatch.setattr("mediatheque.storage.sources.SourceFile.changed", grow)
    ended = await stage.transfer()

    assert ended.status is TransferStatus.FAILED
    assert tries == 3
    assert "was changed while it was read" in str(ended.error)
    assert await stage.contents() == {"b.txt": b"2"}
    assert len(await stage.objects()) == 1
    assert (ended.bytes_total, ended.bytes_complete) == (103, 1)


async def test_a_file_that_changed_since_it_was_found_is_taken_as_it_is(
    stage: TransferStage,
) -> None:
    stage.write({"a.txt": b"1", "b.txt": b"2"})
    store = stage.store
    assert isinstance(store, LocalStore)
    started = await stage.start()
    await execute_scan(stage, started)
    stage.write({"a.txt": b"much longer"})

    ended = await stage.run(started)

    assert await stage.contents() == {"a.txt": b"much longer", "b.txt": b"2"}
    assert ended.bytes_total == ended.bytes_complete == 12


async def execute_scan(stage: TransferStage, transfer: Any) -> None:
    """Find the files of a transfer, and be told to stop before any is sent."""
    stage.workers.drain()
    await stage.run(transfer)
    stage.reopen()


async def test_a_file_larger_than_allowed_fails(database: Database, tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "objects", durable=False)
    stage = TransferStage(database, store, tmp_path / "sources", replace(LIMITS, max_size=10))
    stage.write({"a.txt": b"1" * 10, "b.txt": b"2" * 11})

    ended = await stage.transfer()

    assert "has 11 bytes; at most 10 are allowed" in str(ended.error)
    assert await stage.contents() == {"a.txt": b"1" * 10}
    await store.close()


async def test_a_sparse_file_keeps_its_size_and_its_holes(stage: TransferStage) -> None:
    size = 300 << 20
    with (stage.root / "sparse.bin").open("wb") as file:
        file.write(b"start")
        file.truncate(size)

    ended = await stage.transfer()

    assert (ended.status, ended.bytes_complete) == (TransferStatus.COMPLETE, size)
    [media] = await stage.medias()
    stored = stage.store.local_path(media.object_key)
    assert stored is not None
    assert stored.stat().st_size == size
    assert stored.stat().st_blocks * 512 < 1 << 20


async def test_one_file_that_the_store_will_not_take_now_does_not_stop_the_rest(
    troubled: TransferStage,
) -> None:
    troubled.write({f"{n}.txt": b"x" for n in range(5)})
    store_of(troubled).troubles = {"2.txt": away(1)}

    waiting = await troubled.transfer()

    assert waiting.status is TransferStatus.PENDING
    assert waiting.due is not None
    assert (waiting.files_complete, waiting.files_pending) == (4, 1)
    assert waiting.error == "The store is away."
    store_of(troubled).sent.clear()
    ended = await troubled.run(waiting)
    assert ended.status is TransferStatus.COMPLETE
    assert store_of(troubled).sent == ["2.txt"]
    assert len(await troubled.medias()) == 5


async def test_a_store_that_is_away_is_not_asked_for_every_file(troubled: TransferStage) -> None:
    troubled.write({f"{n}.txt": b"x" for n in range(200)})
    store_of(troubled).troubles = {f"{n}.txt": away(1) for n in range(200)}

    waiting = await troubled.transfer()

    assert waiting.status is TransferStatus.PENDING
    assert len(store_of(troubled).sent) < 60


async def test_what_is_left_after_the_last_retry_has_failed_and_can_be_retried(
    troubled: TransferStage,
) -> None:
    troubled.write({"a.txt": b"1", "b.txt": b"2"})
    store_of(troubled).troubles = {"b.txt": away(len(RETRY_DELAYS) + 1)}

    transfer = await troubled.start()
    for _ in range(len(RETRY_DELAYS) + 1):
        assert not transfer.ended
        transfer = await troubled.run(transfer)

    assert transfer.status is TransferStatus.FAILED
    assert transfer.error == "The store is away."
    file = (await troubled.files(transfer, FileState.FAILED))["b.txt"]
    assert file.error == "The store is away."
    transfer = await troubled.run(await troubled.signal(transfer, Signal.RETRY))
    assert transfer.status is TransferStatus.COMPLETE
    assert await troubled.contents() == {"a.txt": b"1", "b.txt": b"2"}


async def test_a_full_store_stops_the_transfer(troubled: TransferStage) -> None:
    troubled.write({f"{n}.txt": b"x" for n in range(100)})
    full: list[Exception] = [StorageFullError("The store is full.")]
    store_of(troubled).troubles = {"0.txt": full}

    waiting = await troubled.transfer()

    assert (waiting.status, waiting.error) == (TransferStatus.PENDING, "The store is full.")
    assert len(store_of(troubled).sent) < 60
    assert (await troubled.run(waiting)).status is TransferStatus.COMPLETE


async def test_a_defect_met_with_one_file_fails_that_file(troubled: TransferStage) -> None:
    troubled.write({"a.txt": b"1", "b.txt": b"2"})
    store_of(troubled).troubles = {"a.txt": [ValueError("password=hunter2")]}

    ended = await troubled.transfer()

    assert ended.status is TransferStatus.FAILED
    assert ended.error is not None
    assert "An unexpected ValueError" in ended.error
    assert "hunter2" not in ended.error
    assert await troubled.contents() == {"b.txt": b"2"}


async def test_a_worker_that_was_replaced_writes_nothing_any_more(
    stage: TransferStage, database_url: str
) -> None:
    stage.write({"a.txt": b"1" * 100_000, "b.txt": b"2"})
    started = await stage.start(bandwidth=20_000)
    running = await stage.run_beside(started)
    await stage.wait(started, lambda t: t.files_total == 2)
    await execute(database_url, "UPDATE jobs SET epoch = epoch + 1")
    await running

    assert await stage.medias() == []
    assert (await stage.find(started)).files_complete == 0
    await execute(database_url, "UPDATE transfers SET bandwidth = NULL")
    ended = await stage.run(started)  # as the worker does that takes it over
    assert ended.status is TransferStatus.COMPLETE
    kept = {media.object_key for media in await stage.medias()}
    assert len(kept) == 2
    assert kept <= await stage.objects()


async def test_a_database_that_stays_away_ends_the_run_and_a_later_one_goes_on(
    stage: TransferStage, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # More files than may wait to be recorded, and than a page has.
    monkeypatch.setattr(transfer_crew, "_PAGE_FILES", 50)
    monkeypatch.setattr(transfer_ledger, "_BATCH_FILES", 20)
    monkeypatch.setattr(transfer_ledger, "_MOST_WAITING", 40)
    stage.write({f"{n}.txt": b"x" for n in range(150)})
    standing = transfer_files.standing
    away = True

    async def stand(*arguments: Any) -> Any:
        if away:
            raise UnavailableError("The database is away.")
        return await standing(*arguments)

    monkeypatch.setattr(transfer_files, "standing", stand)
    monkeypatch.setattr(transfer_ledger, "_PATIENCE_SECONDS", 0.1)
    waiting = await asyncio.wait_for(stage.transfer(), 30)
    assert (waiting.status, waiting.error) == (TransferStatus.PENDING, "The database is away.")

    away = False
    ended = await stage.run(waiting)

    assert (ended.status, ended.files_complete) == (TransferStatus.COMPLETE, 150)
    kept = {row["object_key"] for row in await fetch(database_url, "SELECT object_key FROM medias")}
    assert len(kept) == 150
    assert kept <= await stage.objects()


async def test_objects_sent_but_not_recorded_become_no_second_media(
    stage: TransferStage, database_url: str
) -> None:
    """As after a crash between the store's answer and the transaction."""
    stage.write({f"{n}.txt": b"%d" % n for n in range(10)})
    ended = await stage.transfer()
    before = await stage.objects()
    await execute(database_url, "DELETE FROM medias")
    await execute(
        database_url, "UPDATE transfer_files SET state = 'pending', sent = 0 WHERE position > 4"
    )
    await execute(database_url, "UPDATE transfers SET files_complete = 5, bytes_complete = 5")
    await execute(database_url, "UPDATE jobs SET status = 'running'")

    again = await stage.run(ended)

    assert (again.files_complete, again.bytes_complete) == (10, 10)
    assert len(await stage.medias()) == 5
    assert len(await stage.objects() - before) == 5
    await asyncio.sleep(1.1)
    await stage.janitor.sweep()  # what the crash left goes, and what was recorded before it
    assert await stage.objects() == {media.object_key for media in await stage.medias()}


async def test_what_a_replaced_worker_still_puts_in_the_store_changes_no_media(
    database: Database, tmp_path: Path
) -> None:
    """As when a worker that was stopped goes on: its request is on its way already."""
    store = LateStore(tmp_path / "objects")
    stage = TransferStage(database, store, tmp_path / "sources")
    stage.write({"a.txt": b"old"})
    started = await stage.start()
    replaced = await stage.run_beside(started)
    await asyncio.wait_for(store.begun.wait(), 10)
    stage.write({"a.txt": b"newer"})

    ended = await stage.run(started)  # as the worker does that takes it over
    store.late.set()
    await asyncio.wait_for(replaced, 10)

    assert ended.status is TransferStatus.COMPLETE
    assert await stage.contents() == {"a.txt": b"newer"}
    await asyncio.sleep(1.1)
    await stage.janitor.sweep()
    assert await stage.objects() == {media.object_key for media in await stage.medias()}
    await store.close()


async def test_counts_are_those_of_the_files(stage: TransferStage, database_url: str) -> None:
    stage.write({f"{n % 3}/{n}.txt": b"x" * n for n in range(450)})
    os.mkfifo(stage.root / "fifo")

    ended = await stage.transfer()

    [row] = await fetch(
        database_url,
        "SELECT count(*), count(*) FILTER (WHERE state = 'complete'), sum(size), sum(sent),"
        " count(DISTINCT position) FROM transfer_files",
    )
    assert (ended.files_total, ended.files_complete, ended.bytes_total, ended.bytes_complete) == (
        451,
        450,
        sum(range(450)),
        sum(range(450)),
    )
    assert tuple(row) == (451, 450, sum(range(450)), sum(range(450)), 451)
    assert ended.files_skipped == 1
