"""Plans of syncs: from a real folder and a real catalog, of a bucket in memory."""

import asyncio
import os
import time
from pathlib import Path

import pytest
from blake3 import blake3

from mediatheque.catalog.database import Database
from mediatheque.domain.syncs import (
    Action,
    OperationState,
    Plan,
    Tally,
)
from tests.support.sync_planning import Stage, summary
from tests.support.sync_rows import remembered


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
