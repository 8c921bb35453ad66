"""Syncs that are held to the plan of a dry run: nothing is lost that people have not seen."""

from pathlib import Path

import pytest

from mediatheque.catalog.database import Database
from mediatheque.domain.access import LOCAL_OPERATOR
from mediatheque.domain.errors import ConflictError, InvalidError
from mediatheque.domain.jobs import Signal
from mediatheque.domain.sync_safety import SyncLimits
from mediatheque.domain.syncs import Sync
from tests.support.sync_stages import Memory


@pytest.fixture
def stage(database: Database, tmp_path: Path) -> Memory:
    return Memory(database, tmp_path / "uploads")


async def planned(stage: Memory, source: str = "") -> int:
    """Make a plan and return its id."""
    return (await stage.done(source, dry_run=True)).number


async def refused(stage: Memory, number: int) -> Sync:
    """Start a sync that is held to a plan, and must find it out of date; the bucket stays."""
    before = stage.stored
    ended = await stage.sync(as_planned=number, force=True)
    assert ended.status == "error (not as planned)"
    assert ended.error is not None
    assert f"dry run {number} does not have" in ended.error
    assert stage.stored == before
    return ended


async def test_what_was_planned_is_done_and_what_is_only_new_as_well(stage: Memory) -> None:
    stage.write({"changed": b"1", "gone": b"2", "same": b"3"})
    await stage.done()
    stage.write({"changed": b"11", "same": b"3"})
    number = await planned(stage)
    stage.write({"changed": b"11", "same": b"3", "new": b"4"})

    ended = await stage.done(as_planned=number)

    assert ended.options.as_planned == number
    assert stage.stored == {"changed": b"11", "same": b"3", "new": b"4"}


@pytest.mark.parametrize(
    ("after", "example"),
    [
        ({"a": b"1", "c": b"3"}, "'b'"),
        ({"a": b"changed", "b": b"2", "c": b"3"}, "'a'"),
        ({"b": b"changed"}, "2 of the objects"),
    ],
    ids=["deleted", "overwritten", "both"],
)
async def test_what_would_be_lost_beyond_the_plan_stops_it(
    stage: Memory, after: dict[str, bytes], example: str
) -> None:
    stage.write({"a": b"1", "b": b"2"})
    await stage.done()
    stage.write({"a": b"1", "b": b"2", "c": b"3"})
    number = await planned(stage)
    stage.write(after)

    ended = await refused(stage, number)

    assert example in str(ended.error)


async def test_an_object_that_is_another_one_by_now_is_not_what_was_planned(stage: Memory) -> None:
    stage.write({"a": b"1", "b": b"2"})
    await stage.done()
    stage.write({"b": b"2"})
    number = await planned(stage)
    stage.mirror.hold(b"a", b"of somebody else")
    await refused(stage, number)


async def test_the_bucket_does_not_go_away_with_a_source_that_the_plan_still_had(
    database: Database, tmp_path: Path
) -> None:
    limits = SyncLimits(count=100, percent=50, unowned=True)
    stage = Memory(database, tmp_path / "uploads", limits=limits)
    stage.write({"a": b"1"})
    await stage.done()
    stage.mirror.contents.clear()
    number = await planned(stage)
    stage.write({})

    ended = await refused(stage, number)

    assert "the removal of the bucket" in str(ended.error)
    assert stage.mirror.created


async def test_a_plan_stays_for_as_long_as_somebody_is_held_to_it(stage: Memory) -> None:
    stage.write({"a": b"1", "b": b"2"})
    await stage.done()
    stage.write({"b": b"2"})
    number = await planned(stage)
    started = await stage.start(as_planned=number)
    await planned(stage)

    ended = await stage.run(started)

    assert (ended.status, stage.stored) == ("success", {"b": b"2"})


async def test_without_its_plan_nothing_is_done(stage: Memory) -> None:
    stage.write({"a": b"1"})
    seen = await stage.done(dry_run=True)
    started = await stage.start(as_planned=seen.number)
    await stage.jobs.remove(LOCAL_OPERATOR, str(seen.id))

    ended = await stage.run(started)

    assert (ended.status, stage.stored) == ("error (not as planned)", {})
    assert "was deleted" in str(ended.error)


async def test_a_sync_that_is_retried_is_still_held_to_its_plan(stage: Memory) -> None:
    stage.write({"a": b"1", "b": b"2"})
    await stage.done()
    number = await planned(stage)
    stage.write({"b": b"2"})
    ended = await refused(stage, number)

    await stage.signal(ended, Signal.RETRY)
    again = await stage.run(ended)

    assert again.status == "error (not as planned)"


async def test_a_plan_that_another_sync_has_replaced_is_refused(stage: Memory) -> None:
    stage.write({"a": b"1"})
    number = await planned(stage)
    await stage.done()
    with pytest.raises(ConflictError, match="out of date"):
        await stage.start(as_planned=number)


async def test_only_the_plan_of_a_dry_run_of_the_same_is_taken(stage: Memory) -> None:
    stage.write({"one/a": b"1", "two/a": b"1"})
    of_another = await planned(stage, "one")
    none_at_all = (await stage.start("two", dry_run=True)).number
    no_dry_run = (await stage.done("two")).number
    for number, said in (
        (of_another, "another source or bucket"),
        (none_at_all, "has a plan"),
        (no_dry_run, "has a plan"),
        (2**70, "has a plan"),
    ):
        with pytest.raises(InvalidError, match=said):
            await stage.start("two", as_planned=number)
    with pytest.raises(InvalidError, match="dry run changes nothing"):
        await stage.start("one", as_planned=of_another, dry_run=True)
