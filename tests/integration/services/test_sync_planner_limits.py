"""Plans of syncs where names, listings, workers or the source itself are difficult."""

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediatheque.catalog import jobs, sync_buckets, syncs
from mediatheque.catalog.database import Database
from mediatheque.domain.errors import UnavailableError
from mediatheque.domain.jobs import JobStatus
from mediatheque.domain.sync_plan import BucketEntry
from mediatheque.domain.syncs import (
    OperationState,
    Tally,
)
from mediatheque.services.job_runs import JobStopped, LeaseLost
from mediatheque.services.sync_failure import SyncFailedError
from mediatheque.storage.sources import Reason, SourceError
from mediatheque.storage.walk import Found, FoundKind
from tests.support.mirrors import MemoryMirror
from tests.support.sync_planning import PowerlessRoots, Stage, summary
from tests.support.sync_rows import remembered


@pytest.fixture
def stage(database: Database, tmp_path: Path) -> Stage:
    return Stage(database, tmp_path / "uploads")


async def test_files_that_no_key_can_name_fail_and_the_others_do_not(stage: Stage) -> None:
    long = "/".join(["x" * 250] * 4) + "/" + "y" * 21
    fits = "/".join(["x" * 250] * 4) + "/" + "y" * 20
    for name in ("a", "backups/b", long, fits, os.fsdecode(b"\xff")):
        stage.write(name, content=b"123")
    bucket = await stage.bucket()
    async with stage.database.begin() as transaction:
        await sync_buckets.add_backup_prefix(transaction, bucket.id, "backups/")
    run, planner = await stage.claim()

    plan = await planner.plan()
    operations = await stage.operations(run)

    failed = {each.key: each.error for each in operations if each.error}
    assert set(failed) == {b"backups/b", long.encode(), b"\xff"}
    assert failed[b"\xff"] is not None
    assert failed[b"\xff"].startswith("\\xff has a name that is not UTF-8")
    assert {each.key for each in operations if each.state is OperationState.FAILED} == set(failed)
    assert {each.key for each in operations if each.state is OperationState.PENDING} == {
        b"a",
        fits.encode(),
    }
    assert plan.upload == Tally(5, 15)
    assert (await stage.find(run)).failed == 3


async def test_backups_are_no_part_of_the_mirror(stage: Stage) -> None:
    stage.write("a")
    await stage.done("a")
    stage.mirror.hold(b"backups/a", b"of november")
    stage.mirror.hold(b"backups", b"beside them")
    await stage.remember(remembered(b"backups/gone"))
    bucket = await stage.bucket()
    async with stage.database.begin() as transaction:
        await sync_buckets.add_backup_prefix(transaction, bucket.id, "backups/")

    plan, operations = await stage.plan()

    assert operations == [("delete", "backups")]
    assert plan.objects == 2
    assert set(await stage.known()) == {"a", "backups/gone"}


async def test_links_and_pipes_are_ignored_and_their_objects_deleted(stage: Stage) -> None:
    stage.write("file")
    await stage.done("file")
    stage.mirror.hold(b"link", b"file")
    (stage.root / "link").symlink_to("file")
    (stage.root / "to-folder").symlink_to(".")
    (stage.root / "dangling").symlink_to("nowhere")
    os.mkfifo(stage.root / "fifo")

    plan, operations = await stage.plan()

    assert operations == [("delete", "link")]
    assert (plan.ignored, plan.skip.files) == (4, 1)


@pytest.mark.parametrize("make", ["nothing", "folders", "links"])
async def test_a_source_without_files_empties_the_bucket(stage: Stage, make: str) -> None:
    stage.mirror.hold(b"a", b"of somebody")
    if make != "nothing":
        (stage.root / "source" / "folder").mkdir(parents=True)
    if make == "links":
        (stage.root / "source" / "link").symlink_to("folder")

    plan, operations = await stage.plan("source")

    assert operations == [("delete", "a")]
    assert (plan.empty, plan.objects, plan.foreign) == (True, 1, 1)
    assert plan.ignored == (make == "links")


async def test_a_source_whose_files_all_have_bad_names_is_not_empty(stage: Stage) -> None:
    stage.write(os.fsdecode(b"\xff"), content=b"")

    assert not (await stage.plan())[0].empty


async def test_without_the_root_nothing_is_planned(stage: Stage) -> None:
    stage.mirror.hold(b"a", b"a")
    stage.root.rmdir()
    run, planner = await stage.claim("source")

    with pytest.raises(SourceError) as caught:
        await planner.plan()

    assert caught.value.reason is Reason.MISSING
    assert await stage.operations(run) == []
    assert (await stage.find(run)).plan is None


async def test_a_folder_that_cannot_be_read_ends_the_sync(stage: Stage) -> None:
    stage.write("2026/closed/secret", "a")
    stage.mirror.hold(b"b", b"b")
    (stage.root / "2026" / "closed").chmod(0)
    stage.roots = PowerlessRoots([stage.root])
    run, planner = await stage.claim()

    with pytest.raises(SyncFailedError, match=r"^2026/closed cannot be read, so nothing was"):
        await planner.plan()

    assert (await stage.find(run)).plan is None


async def test_a_file_that_cannot_be_read_fails_and_the_others_do_not(stage: Stage) -> None:
    stage.write("readable", "secret")
    stage.mirror.hold(b"readable", b"READABLE")
    stage.mirror.hold(b"secret", b"SECRET")
    (stage.root / "secret").chmod(0)
    stage.roots = PowerlessRoots([stage.root])
    run, planner = await stage.claim()

    plan = await planner.plan()

    states = {each.key: (each.state, each.error) for each in await stage.operations(run)}
    assert states[b"readable"] == (OperationState.PENDING, None)
    state, error = states[b"secret"]
    assert state is OperationState.FAILED
    assert "secret" in str(error)
    assert plan.update.files == 2
    assert (await stage.find(run)).failed == 1


async def test_what_vanishes_is_planned_again(stage: Stage) -> None:
    stage.write("a", "b")
    vanished = Found(stage.roots.place(b"c"), FoundKind.VANISHED)
    stage.roots.walks = [[vanished], [vanished]]

    assert (await stage.plan())[1] == [("upload", "a"), ("upload", "b")]


async def test_a_source_that_does_not_hold_still_fails(stage: Stage) -> None:
    stage.write("a")
    stage.roots.walks = [[Found(stage.roots.place(b"c/d"), FoundKind.VANISHED)]] * 3

    with pytest.raises(SyncFailedError, match=r"did not hold still, .* c/d was"):
        await stage.plan()


async def test_a_file_that_vanishes_before_it_is_read_is_planned_again(stage: Stage) -> None:
    stage.write("a", "b")
    stage.mirror.hold(b"a", b"a")
    stage.mirror.hold(b"b", b"b")
    stage.roots.before_open = lambda: (stage.root / "a").unlink(missing_ok=True)

    assert (await stage.plan())[1] == [("delete", "a")]


async def test_a_file_that_changes_before_it_is_read_counts_as_changed(stage: Stage) -> None:
    stage.write("a")
    stage.mirror.hold(b"a", b"a")
    stage.roots.before_open = lambda: stage.write("a", content=b"a", old=False)

    assert (await stage.plan())[1] == [("update", "a")]
    assert await stage.known() == {}


async def test_a_listing_in_another_order_is_sorted_from_then_on(stage: Stage) -> None:
    stage.mirror.in_order = False
    stage.write("a", "b")
    await stage.done("a")

    assert (await stage.plan(dry_run=True))[1] == [("upload", "b")]
    assert (await stage.bucket()).ordered
    assert (await stage.plan())[1] == [("upload", "b")]
    assert not (await stage.bucket()).ordered
    stage.mirror.listings = 0
    await stage.plan()
    assert stage.mirror.listings == 1


async def test_a_bucket_that_keeps_backslashes_gets_them(stage: Stage) -> None:
    stage.write("a\\b", "a/b")

    assert (await stage.plan())[1] == [("upload", "a/b"), ("upload", "a\\b")]
    bucket = await stage.bucket()
    assert (bucket.created, bucket.backslashes) == (True, True)
    await stage.plan()
    assert stage.mirror.probes == 1


async def test_a_bucket_that_takes_backslashes_for_slashes_gets_slashes(stage: Stage) -> None:
    stage.mirror.backslashes = False
    stage.mirror.created = True
    stage.write("a\\b", "a/b", "a-c", "a\\c")
    run, planner = await stage.claim()

    await planner.plan()

    operations = await stage.operations(run)
    assert sorted((each.key, each.path) for each in operations) == [
        (b"a-c", b"a-c"),
        (b"a/b", b"a/b"),
        (b"a/c", b"a\\c"),
        (b"a\\b", b"a\\b"),
    ]
    failed = [each for each in operations if each.state is OperationState.FAILED]
    assert [(each.path, each.error) for each in failed] == [
        (b"a\\b", "a\\b has the key of another file in this bucket, which takes \\ for /.")
    ]
    bucket = await stage.bucket()
    assert (bucket.created, bucket.backslashes) == (False, False)
    await stage.plan()
    assert stage.mirror.probes == 1


async def test_a_dry_run_writes_nothing_but_its_plan(stage: Stage) -> None:
    stage.write("a\\b", "equal")
    stage.mirror.hold(b"equal", b"equal")
    await stage.remember(remembered(b"nowhere"))

    plan, operations = await stage.plan(dry_run=True)

    assert operations == [("upload", "a\\b")]
    assert plan.skip.files == 1
    assert set(await stage.known()) == {"nowhere"}
    assert stage.mirror.probes == 0
    assert (await stage.bucket()).backslashes is None


async def test_a_new_plan_replaces_the_old_one_and_those_of_syncs_that_ended(
    stage: Stage,
) -> None:
    stage.write("a", "b")
    ended, planner = await stage.claim()
    await planner.plan()
    async with stage.database.begin() as transaction:
        await jobs.change(transaction, ended.id, status=JobStatus.COMPLETED)
    run, planner = await stage.claim()
    await planner.plan()
    async with stage.database.begin() as transaction:
        await syncs.count(transaction, run.id, files=1, bytes=1, failed=1)
    (stage.root / "a").unlink()

    await (await stage.planner(run)).plan()

    assert summary(await stage.operations(run)) == [("upload", "b")]
    assert await stage.operations(ended) == []
    sync = await stage.find(run)
    assert (sync.done, sync.failed) == (Tally(), 0)


async def test_a_run_that_lost_its_claim_writes_nothing(stage: Stage) -> None:
    stage.write("a", "b")
    stage.mirror.hold(b"a", b"a")
    run, planner = await stage.claim()
    replaced = threading.Event()
    stage.roots.before_open = lambda: replaced.wait(10)
    planning = asyncio.create_task(planner.plan())
    while not stage.roots.opened:
        await asyncio.sleep(0.01)
    async with stage.database.begin() as transaction:
        await jobs.change(transaction, run.id, epoch=2)
    replaced.set()

    with pytest.raises(LeaseLost):
        await planning

    assert await stage.operations(run) == []
    assert await stage.known() == {}
    assert (await stage.find(run)).plan is None


async def test_a_run_that_shall_stop_waits_for_no_store(stage: Stage) -> None:
    asked = threading.Event()
    answer = threading.Event()

    class Hanging(MemoryMirror):
        def entries(self, *, in_order: bool) -> Iterator[list[BucketEntry]]:
            asked.set()
            answer.wait(30)
            yield from super().entries(in_order=in_order)

    stage.mirror = Hanging()
    stage.write("a")
    run, planner = await stage.claim()
    planning = asyncio.create_task(planner.plan())
    await asyncio.to_thread(asked.wait, 10)

    started = time.monotonic()
    run.stopping.set()
    with pytest.raises(JobStopped):
        await planning

    assert time.monotonic() - started < 1
    answer.set()


async def test_a_run_that_shall_stop_reads_no_large_file_to_its_end(stage: Stage) -> None:
    size = 1 << 36  # a hole, which takes half a minute to read

    class Holding(MemoryMirror):
        def entries(self, *, in_order: bool) -> Iterator[list[BucketEntry]]:
            assert in_order
            yield [BucketEntry(b"large", size, "e")]

    stage.mirror = Holding()
    stage.write("large", content=b"")
    os.truncate(stage.root / "large", size)
    await stage.remember(remembered(b"large", size=size, etag="e"))
    run, planner = await stage.claim()
    planning = asyncio.create_task(planner.plan())
    while not stage.roots.opened:
        await asyncio.sleep(0.01)

    run.stopping.set()
    with pytest.raises(JobStopped):
        await planning

    async with asyncio.timeout(2):
        while any(thread.name.startswith("sync-planner") for thread in threading.enumerate()):
            await asyncio.sleep(0.01)


async def test_a_store_that_does_not_answer_is_said_so(stage: Stage) -> None:
    stage.write("a")
    stage.mirror.fail = UnavailableError("The store does not answer.")

    with pytest.raises(UnavailableError, match="The store"):
        await stage.plan()
