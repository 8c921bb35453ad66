"""Plans of syncs: from a real folder and a real catalog, of a bucket in memory."""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from mediatheque.catalog import jobs, sync_buckets, sync_objects, sync_operations, syncs
from mediatheque.catalog.database import Database
from mediatheque.domain.errors import UnavailableError
from mediatheque.domain.jobs import JobStatus
from mediatheque.domain.sync_plan import BucketEntry, Remembered
from mediatheque.domain.syncs import (
    Action,
    Operation,
    OperationState,
    Plan,
    Sync,
    SyncBucket,
    SyncOptions,
    Tally,
)
from mediatheque.services.job_runs import JobRun, JobStopped, LeaseLost
from mediatheque.services.sync_failure import SyncFailedError
from mediatheque.services.sync_planner import Planner
from mediatheque.storage.beneath import Place
from mediatheque.storage.sources import Reason, SourceError, SourceFile, SourceRoots
from mediatheque.storage.walk import Found, FoundKind
from tests.support.mirrors import MemoryMirror
from tests.support.restricted import without_privileges
from tests.support.sync_rows import LOCATION, add_sync, remembered

OLD_NS = 1_600_000_000_123_456_789
Summary = list[tuple[str, str]]


class Roots(SourceRoots):
    """The folder's root. ``before_open`` may change a file first; ``walks`` replace some walks."""

    def __init__(self, roots: Sequence[Path]) -> None:
        super().__init__(roots)
        self.opened: list[bytes] = []
        self.before_open: Callable[[], object] = lambda: None
        self.walks: list[list[Found]] = []

    def open(self, place: Place) -> SourceFile:
        self.opened.append(place.relative)
        self.before_open()
        return super().open(place)

    def walk(self, place: Place, *, follow_links: bool = True) -> Iterator[Found]:
        if self.walks:
            yield from self.walks.pop()
        else:
            yield from super().walk(place, follow_links=follow_links)


class PowerlessRoots(Roots):
    """The same, where permissions hold for root too."""

    def open(self, place: Place) -> SourceFile:
        return without_privileges(lambda: super(PowerlessRoots, self).open(place))

    def walk(self, place: Place, *, follow_links: bool = True) -> Iterator[Found]:
        found = super().walk(place, follow_links=follow_links)
        yield from without_privileges(lambda: list(found))


class Stage:
    """One folder, one bucket, and what is remembered of both."""

    def __init__(self, database: Database, root: Path) -> None:
        self.database = database
        self.root = root
        self.root.mkdir(exist_ok=True)
        self.roots = Roots([root])
        self.mirror = MemoryMirror()

    def write(self, *names: str, content: bytes | None = None, old: bool = True) -> None:
        """Write files, each with its own name as content unless told otherwise."""
        for name in names:
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(name.encode() if content is None else content)
            if old:
                os.utime(path, ns=(OLD_NS, OLD_NS))

    async def done(self, *names: str) -> None:
        """Let files be in the bucket, as a sync leaves them."""
        await asyncio.sleep(0.03)  # so that their times tell of every later change
        rows = []
        for name in names:
            path = self.root / name
            status = path.stat()
            entry = self.mirror.hold(name.encode(), path.read_bytes())
            rows.append(
                Remembered(
                    key=entry.key,
                    size=entry.size,
                    etag=entry.etag,
                    mtime_ns=status.st_mtime_ns,
                    ctime_ns=status.st_ctime_ns,
                    inode=status.st_ino,
                    blake3=blake3(path.read_bytes()).hexdigest(),
                    uploaded=True,
                )
            )
        await self.remember(*rows)

    async def remember(self, *rows: Remembered) -> None:
        bucket = await self.bucket()
        async with self.database.begin() as transaction:
            await sync_objects.save(transaction, bucket.id, rows)

    async def known(self) -> dict[str, Remembered]:
        """Return what is remembered, by key."""
        bucket = await self.bucket()
        async with self.database.read() as connection:
            rows = await sync_objects.page(connection, bucket.id, None, 10_000)
        return {row.key.decode(): row for row in rows}

    async def bucket(self) -> SyncBucket:
        async with self.database.begin() as transaction:
            return await sync_buckets.claim(transaction, LOCATION, "photos")

    async def claim(self, source: str = "", **options: Any) -> tuple[JobRun, Planner]:
        """Start a sync and its run."""
        sync = await add_sync(self.database, source=source, options=SyncOptions(**options))
        async with self.database.begin() as transaction:
            job = await jobs.change(transaction, sync.id, status=JobStatus.RUNNING, epoch=1)
        run = JobRun(job, self.database)
        return run, await self.planner(run)

    async def planner(self, run: JobRun) -> Planner:
        sync = await self.find(run)
        bucket = await self.bucket()
        return Planner(run, self.database, self.mirror, self.roots, sync=sync, bucket=bucket)

    async def plan(self, source: str = "", **options: Any) -> tuple[Plan, Summary]:
        """Plan a sync; return the plan, and the actions with their keys in the order of work."""
        run, planner = await self.claim(source, **options)
        plan = await planner.plan()
        sync = await self.find(run)
        assert sync.plan == plan
        assert sync.planned_at is not None
        return plan, summary(await self.operations(run))

    async def find(self, run: JobRun) -> Sync:
        async with self.database.read() as connection:
            found = await syncs.find_by_id(connection, run.id)
        assert found is not None
        return found

    async def operations(self, run: JobRun) -> list[Operation]:
        async with self.database.read() as connection:
            return await sync_operations.page(
                connection, run.id, action=None, state=None, after=None, limit=10_000
            )


def summary(operations: Sequence[Operation]) -> Summary:
    return [(each.action, each.key.decode(errors="backslashreplace")) for each in operations]


@pytest.fixture
def stage(database: Database, tmp_path: Path) -> Stage:
    return Stage(database, tmp_path / "uploads")


async def test_what_is_missing_is_uploaded_in_the_order_of_the_keys(stage: Stage) -> None:
    stage.write("b.txt", "a/x", "a-b", "A", "ä ö.txt", 'q"? #&+%.txt', "\t.txt", "z")
    stage.write("leer", content=b"")
    (stage.root / "folder" / "empty").mkdir(parents=True)
    run, planner = await stage.claim()

    plan = await planner.plan()
    operations = await stage.operations(run)

    keys = [each.key for each in operations]
    assert keys == sorted(
        str(path.relative_to(stage.root)).encode()
        for path in stage.root.rglob("*")
        if path.is_file()
    )
    assert [each.path for each in operations] == keys
    assert [each.position for each in operations] == list(range(9))
    assert {each.action for each in operations} == {Action.UPLOAD}
    assert {each.state for each in operations} == {OperationState.PENDING}
    size = sum((stage.root / os.fsdecode(key)).stat().st_size for key in keys)
    assert plan == Plan(upload=Tally(9, size))
    assert (await stage.find(run)).plan == plan


async def test_keys_are_relative_to_the_source(stage: Stage) -> None:
    stage.write("2026/november/a/b.txt", "2026/other.txt")

    assert await stage.plan("2026/november") == (
        Plan(upload=Tally(1, 21)),
        [("upload", "a/b.txt")],
    )


async def test_every_key_is_judged_by_what_is_known_of_it(stage: Stage) -> None:
    stage.write("same", "grown", "other content", "touched", "new", "replaced by somebody")
    await stage.done("same", "grown", "other content", "touched", "replaced by somebody")
    gone = stage.mirror.hold(b"gone", b"of ours")
    await stage.remember(remembered(b"gone", size=gone.size, etag=gone.etag))
    stage.mirror.hold(b"foreign", b"of somebody")
    await stage.remember(remembered(b"nowhere"), remembered(b"foreign", etag="an older one"))
    stage.mirror.hold(b"replaced by somebody", b"REPLACED BY SOMEBODY")
    stage.write("grown", content=b"it has grown")
    stage.write("other content", content=b"OTHER CONTENT", old=False)
    stage.write("touched", old=False)
    await asyncio.sleep(0.03)

    run, planner = await stage.claim()
    plan = await planner.plan()
    operations = await stage.operations(run)

    assert sorted(summary(operations)) == [
        ("delete", "foreign"),
        ("delete", "gone"),
        ("update", "grown"),
        ("update", "other content"),
        ("update", "replaced by somebody"),
        ("upload", "new"),
    ]
    assert {each.key.decode() for each in operations if not each.owned} == {
        "foreign",
        "replaced by somebody",
    }
    for each in operations:
        entry = stage.mirror.head(each.key)
        seen = (each.key, each.stored_size, each.stored_etag)
        assert seen == (entry or (each.key, None, None))
    assert plan == Plan(
        upload=Tally(1, 3),
        update=Tally(3, 12 + 13 + 20),
        delete=Tally(2, 7 + 11),
        skip=Tally(2, 4 + 7),
        foreign=1,
        objects=7,
    )
    known = await stage.known()
    assert "nowhere" not in known
    assert known["touched"].mtime_ns == (stage.root / "touched").stat().st_mtime_ns
    assert known["touched"].uploaded
    stage.roots.opened.clear()
    await stage.plan()
    assert b"touched" not in stage.roots.opened


async def test_files_that_look_unchanged_are_not_opened_and_cost_no_request(stage: Stage) -> None:
    names = [f"{number % 7}/{number}" for number in range(2500)]
    stage.write(*names)
    await stage.done(*names)

    plan, operations = await stage.plan()

    assert (plan.skip.files, plan.operations, operations) == (2500, 0, [])
    assert (stage.roots.opened, stage.mirror.compared, stage.mirror.listings) == ([], [], 1)


async def test_another_content_of_equal_size_and_time_is_found(stage: Stage) -> None:
    stage.write("in place", "by rename", "neither")
    await stage.done("in place", "by rename", "neither")
    stage.write("in place", content=b"IN PLACE")
    stage.write("temporary", content=b"BY RENAME")
    (stage.root / "temporary").rename(stage.root / "by rename")

    assert (await stage.plan())[1] == [("update", "by rename"), ("update", "in place")]


async def test_a_file_that_changed_just_before_it_was_read_is_read_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.write("a")
    stage.mirror.hold(b"a", b"a")
    written = (stage.root / "a").stat().st_ctime_ns
    with monkeypatch.context() as within_a_tick:
        within_a_tick.setattr(time, "time_ns", lambda: written + 1_000_000)
        await stage.plan()
    assert (await stage.known())["a"].ctime_ns == 0
    stage.roots.opened.clear()
    await asyncio.sleep(0.03)

    await stage.plan()
    await stage.plan()

    assert stage.roots.opened == [b"a"]


async def test_verify_reads_what_looks_unchanged(stage: Stage) -> None:
    stage.write("right", "wrong")
    await stage.done("right", "wrong")
    wrong = (await stage.known())["wrong"]
    await stage.remember(wrong._replace(blake3="0" * 64))

    assert (await stage.plan())[1] == []
    assert (await stage.plan(verify=True))[1] == [("update", "wrong")]
    assert sorted(stage.roots.opened) == [b"right", b"wrong"]


async def test_an_equal_object_of_somebody_else_is_adopted_but_not_owned(stage: Stage) -> None:
    stage.write("equal", "other")
    stage.mirror.hold(b"equal", b"equal")
    stage.mirror.hold(b"other", b"OTHER")
    await asyncio.sleep(0.03)

    plan, operations = await stage.plan()

    assert operations == [("update", "other")]
    assert plan.skip == Tally(1, 5)
    known = await stage.known()
    assert set(known) == {"equal"}
    assert not known["equal"].uploaded
    assert known["equal"].blake3 == blake3(b"equal").hexdigest()
    stage.mirror.compared.clear()
    await stage.plan()
    assert stage.mirror.compared == [b"other"]


async def test_an_object_whose_content_cannot_be_known_counts_as_another(stage: Stage) -> None:
    stage.mirror.plain_etags = False
    stage.write("a")
    stage.mirror.hold(b"a", b"a")

    assert (await stage.plan())[1] == [("update", "a")]
    assert await stage.known() == {}


async def test_a_file_that_was_moved_is_copied_inside_the_bucket(stage: Stage) -> None:
    stage.write("old/one", content=b"first")
    stage.write("old/two", content=b"other")
    await stage.done("old/one", "old/two")
    origin = (await stage.known())["old/one"]
    (stage.root / "old").rename(stage.root / "new")
    await asyncio.sleep(0.03)
    run, planner = await stage.claim()

    plan = await planner.plan()
    operations = await stage.operations(run)

    assert sorted(summary(operations)) == [
        ("copy", "new/one"),
        ("copy", "new/two"),
        ("delete", "old/one"),
        ("delete", "old/two"),
    ]
    assert (plan.copy, plan.upload) == (Tally(2, 10), Tally())
    status = (stage.root / "new" / "one").stat()
    copy = next(each for each in operations if each.key == b"new/one")
    assert (copy.copy_from, copy.stored_etag, copy.stored_size) == (b"old/one", origin.etag, 5)
    assert (copy.mtime_ns, copy.ctime_ns) == (status.st_mtime_ns, status.st_ctime_ns)
    assert (copy.inode, copy.blake3) == (status.st_ino, origin.blake3)


async def test_a_file_that_only_looks_like_a_moved_one_is_uploaded(stage: Stage) -> None:
    stage.write("removed", content=b"first")
    stage.write("still there", content=b"twice")
    await stage.done("removed", "still there")
    (stage.root / "removed").unlink()
    stage.write("another", content=b"other")
    stage.write("duplicate", content=b"twice")

    assert (await stage.plan())[1] == [
        ("upload", "another"),
        ("upload", "duplicate"),
        ("delete", "removed"),
    ]


async def test_a_file_that_was_moved_and_replaced_is_copied_too(stage: Stage) -> None:
    stage.write("log", content=b"first")
    await stage.done("log")
    (stage.root / "log").rename(stage.root / "log.1")
    stage.write("log", content=b"other")

    assert (await stage.plan())[1] == [("copy", "log.1"), ("update", "log")]


async def test_empty_files_are_uploaded_rather_than_looked_for(stage: Stage) -> None:
    stage.write("a", content=b"")
    await stage.done("a")
    (stage.root / "a").rename(stage.root / "b")

    assert (await stage.plan())[1] == [("upload", "b"), ("delete", "a")]
    assert stage.roots.opened == []


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
