"""Syncs that are stopped, taken over or cut off from the database, and syncs that watch."""

import asyncio
from pathlib import Path

import pytest

from mediatheque.catalog.database import Database
from mediatheque.domain.jobs import JobStatus, Signal
from mediatheque.domain.syncs import Phase, Sync
from mediatheque.services import job_runs, sync_ledger, sync_runs
from tests.support.database import execute
from tests.support.sync_stages import (
    CONNECTION,
    Memory,
    a_number_of_files,
    away,
)
from tests.support.syncs import FickleDatabase


@pytest.fixture
def stage(database: Database, tmp_path: Path) -> Memory:
    return Memory(database, tmp_path / "uploads")


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
