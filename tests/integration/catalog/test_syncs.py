"""Syncs as the catalog keeps them, and what the end of their jobs does to them."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from mediatheque.catalog import jobs, syncs
from mediatheque.catalog.database import Database
from mediatheque.domain.access import LOCAL_OPERATOR, Principal
from mediatheque.domain.jobs import MOST_CRASHES, Job, JobStatus, Signal
from mediatheque.domain.paging import Filter, Operator
from mediatheque.domain.syncs import Phase, Plan, Sync, SyncOptions, Tally
from mediatheque.services.job_runs import (
    JobFailedError,
    JobPaused,
    JobRun,
    JobRunner,
    JobStopped,
    Workflow,
)
from mediatheque.services.jobs import JobService
from tests.support.database import fetch
from tests.support.sync_rows import LOCATION, add_sync

ALICE = Principal("alice", "member")
BOB = Principal("bob", "member")
NOW = datetime(2026, 11, 1, tzinfo=UTC)
PLAN = Plan(
    upload=Tally(3, 3000),
    copy=Tally(1, 10),
    update=Tally(2, 20),
    delete=Tally(4, 40),
    skip=Tally(5, 50),
    foreign=1,
    objects=11,
    ignored=2,
)


async def found(database: Database, sync: Sync) -> Sync:
    async with database.read() as connection:
        again = await syncs.find_by_id(connection, sync.id)
    assert again is not None
    return again


async def change(database: Database, sync: Sync, **values: Any) -> Sync:
    async with database.begin() as transaction:
        await syncs.change(transaction, sync.id, **values)
    return await found(database, sync)


async def test_a_sync_comes_back_as_it_was_added(database: Database) -> None:
    options = SyncOptions(
        wait=0.5, dry_run=True, verify=True, force=True, backup_prefix="old", watch=True, region="x"
    )

    sync = await add_sync(database, "photos", options=options, credentials=b"sealed")

    assert (sync.location, sync.bucket, sync.source) == (LOCATION, "photos", "2026/november")
    assert (sync.options, sync.phase, sync.plan) == (options, Phase.PLANNING, None)
    assert (sync.done, sync.failed, sync.rounds) == (Tally(), 0, 0)
    assert (sync.job_status, sync.status, sync.error) == (JobStatus.PENDING, "running", None)
    assert sync.created_at.tzinfo is not None
    assert "sealed" not in repr(sync)


async def test_syncs_are_numbered_in_turn(database: Database) -> None:
    first, second = [await add_sync(database), await add_sync(database)]

    assert second.number == first.number + 1


async def test_what_a_run_finds_out_is_kept(database: Database) -> None:
    sync = await add_sync(database)

    planned = await change(
        database, sync, plan=PLAN, planned_at=NOW, phase=Phase.UPLOADING, reason="s3", rounds=2
    )

    assert (planned.plan, planned.planned_at, planned.phase) == (PLAN, NOW, Phase.UPLOADING)
    assert (planned.reason, planned.rounds) == ("s3", 2)
    assert (await change(database, sync, plan=None)).plan is None


async def test_what_is_done_adds_up(database: Database) -> None:
    sync, other = await add_sync(database), await add_sync(database)

    for files, size, failed in [(2, 200, 1), (3, 50, 0)]:
        async with database.begin() as transaction:
            await syncs.count(transaction, sync.id, files=files, bytes=size, failed=failed)

    counted = await found(database, sync)
    assert (counted.done, counted.failed) == (Tally(5, 250), 1)
    assert (await found(database, other)).done == Tally()


async def test_a_sync_is_found_by_its_number_by_who_may_see_it(database: Database) -> None:
    sync = await add_sync(database, principal=ALICE)

    async with database.read() as connection:
        assert await syncs.find(connection, sync.number, owner=None) == sync
        assert await syncs.find(connection, sync.number, owner="alice") == sync
        assert await syncs.find(connection, sync.number, owner="bob") is None
        assert await syncs.find(connection, sync.number + 1, owner=None) is None


@pytest.mark.parametrize("number", [0, -1, 2**63 - 1, 2**63, -(2**63) - 1, 10**100])
async def test_a_number_that_no_sync_has_finds_none(database: Database, number: int) -> None:
    async with database.read() as connection:
        assert await syncs.find(connection, number, owner=None) is None


async def test_those_that_have_not_ended_are_listed_for_who_may_see_them(
    database: Database,
) -> None:
    sync, paused, others, ended = [
        await add_sync(database, principal=owner) for owner in (ALICE, ALICE, BOB, ALICE)
    ]
    service = JobService(database)
    await service.signal(ALICE, str(paused.id), Signal.PAUSE)
    await service.signal(ALICE, str(ended.id), Signal.CANCEL)

    async def numbers(owner: str | None) -> list[int]:
        async with database.read() as connection:
            return [each.number for each in await syncs.running(connection, owner=owner)]

    assert await numbers(None) == [sync.number, paused.number, others.number]
    assert await numbers("alice") == [sync.number, paused.number]
    assert await numbers("nobody") == []


async def test_the_keys_of_a_sync_are_read_by_themselves(database: Database) -> None:
    given = await add_sync(database, credentials=b"\0sealed")
    none = await add_sync(database)

    async with database.read() as connection:
        assert await syncs.credentials(connection, given.id) == b"\0sealed"
        assert await syncs.credentials(connection, none.id) is None


class Stage:
    """A sync that has a plan and keys, and what its job can be put through."""

    def __init__(self, database: Database, sync: Sync) -> None:
        self.database = database
        self.sync = sync
        self.jobs = JobService(database)

    async def run(self, workflow: Workflow) -> None:
        """Run the job as a worker does."""
        job = await self.job()
        assert job.queue_id is not None
        await JobRunner(self.database, {"sync": workflow}).run(job.id, job.queue_id)

    async def job(self) -> Job:
        return await self.jobs.find(LOCAL_OPERATOR, str(self.sync.id))

    async def signal(self, signal: Signal) -> None:
        await self.jobs.signal(LOCAL_OPERATOR, str(self.sync.id), signal)

    async def abandoned(self, crashes: int) -> None:
        """Leave the job as a worker does that dies, and died before."""
        async with self.database.begin() as transaction:
            await jobs.change(
                transaction, self.sync.id, status=JobStatus.RUNNING, epoch=1, crashes=crashes
            )

    async def keeps(self) -> tuple[bytes | None, datetime | None]:
        """Return what the end of the job takes away."""
        async with self.database.read() as connection:
            keys = await syncs.credentials(connection, self.sync.id)
        return keys, (await found(self.database, self.sync)).planned_at


@pytest.fixture
async def stage(database: Database) -> Stage:
    return Stage(
        database, await add_sync(database, credentials=b"sealed", plan=None, planned_at=NOW)
    )


def failing(error: Exception) -> Workflow:
    async def fail(run: JobRun) -> None:
        raise error

    return fail


async def nothing(run: JobRun) -> None:
    """Be done at once."""


async def complete(stage: Stage) -> None:
    await stage.run(nothing)


async def fail_for_good(stage: Stage) -> None:
    await stage.run(failing(JobFailedError("It would delete 101 of the 102 objects.")))


async def cancel_pending(stage: Stage) -> None:
    await stage.signal(Signal.CANCEL)


async def cancel_paused(stage: Stage) -> None:
    await stage.signal(Signal.PAUSE)
    await stage.signal(Signal.CANCEL)


async def cancel_many(stage: Stage) -> None:
    filters = (Filter("id", Operator.IN, (stage.sync.id,)),)
    await stage.jobs.signal_all(LOCAL_OPERATOR, filters, Signal.CANCEL)


async def cancel_running(stage: Stage) -> None:
    async def stop(run: JobRun) -> None:
        await stage.signal(Signal.CANCEL)
        raise JobStopped

    await stage.run(stop)


async def crash_too_often(stage: Stage) -> None:
    await stage.abandoned(crashes=MOST_CRASHES - 1)
    await stage.run(nothing)


ENDS: dict[str, tuple[Callable[[Stage], Awaitable[None]], JobStatus]] = {
    "completed": (complete, JobStatus.COMPLETED),
    "failed for good": (fail_for_good, JobStatus.ERRORED),
    "cancelled while pending": (cancel_pending, JobStatus.CANCELLED),
    "cancelled while paused": (cancel_paused, JobStatus.CANCELLED),
    "cancelled with many": (cancel_many, JobStatus.CANCELLED),
    "cancelled while running": (cancel_running, JobStatus.CANCELLED),
    "crashed too often": (crash_too_often, JobStatus.ERRORED),
}


@pytest.mark.parametrize("how", ENDS)
async def test_the_keys_and_the_age_of_the_plan_go_with_the_end_of_the_job(
    stage: Stage, how: str
) -> None:
    other = await add_sync(stage.database, credentials=b"other's", planned_at=NOW)
    end, status = ENDS[how]

    await end(stage)

    assert (await stage.job()).status is status
    assert await stage.keeps() == (None, None)
    assert await Stage(stage.database, other).keeps() == (b"other's", NOW)


async def fail_once(stage: Stage) -> None:
    await stage.run(failing(RuntimeError("a defect")))


async def hand_back(stage: Stage) -> None:
    await stage.run(failing(JobStopped()))


async def pause_pending(stage: Stage) -> None:
    await stage.signal(Signal.PAUSE)


async def pause_running(stage: Stage) -> None:
    await stage.run(failing(JobPaused()))


async def resume(stage: Stage) -> None:
    await stage.signal(Signal.PAUSE)
    await stage.signal(Signal.RESUME)


async def crash_once(stage: Stage) -> None:
    await stage.abandoned(crashes=0)
    await stage.run(failing(JobStopped()))


GO_ON: dict[str, tuple[Callable[[Stage], Awaitable[None]], JobStatus]] = {
    "to be tried again": (fail_once, JobStatus.PENDING),
    "handed back": (hand_back, JobStatus.PENDING),
    "paused while pending": (pause_pending, JobStatus.PAUSED),
    "paused while running": (pause_running, JobStatus.PAUSED),
    "resumed": (resume, JobStatus.PENDING),
    "taken over": (crash_once, JobStatus.PENDING),
}


@pytest.mark.parametrize("how", GO_ON)
async def test_a_job_that_goes_on_later_keeps_both(stage: Stage, how: str) -> None:
    step, status = GO_ON[how]

    await step(stage)

    assert (await stage.job()).status is status
    assert await stage.keeps() == (b"sealed", NOW)


async def test_a_sync_that_is_begun_again_after_its_end_has_neither(stage: Stage) -> None:
    await cancel_pending(stage)

    await stage.signal(Signal.RETRY)

    assert (await stage.job()).status is JobStatus.PENDING
    assert await stage.keeps() == (None, None)


async def test_nothing_of_a_sync_is_left_when_its_job_is_deleted(
    stage: Stage, database_url: str
) -> None:
    await stage.jobs.remove(LOCAL_OPERATOR, str(stage.sync.id))

    assert await fetch(database_url, "SELECT count(*) FROM syncs") == [(0,)]
