"""Jobs when their workers, or the database, are hurt: one kind of harm at a time."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mediatheque.domain.access import LOCAL_OPERATOR
from mediatheque.domain.jobs import EventKind, JobStatus, Signal
from tests.support.jobs import Fleet, fleet

DEFAULT_LEASE = 10
TAKEOVER_SECONDS = 15


@pytest.fixture
async def crew(tmp_path: Path) -> AsyncIterator[Fleet]:
    """A database and no worker yet; the lease is short, to save time."""
    async with fleet(tmp_path, lease=3) as running:
        yield running


async def test_a_killed_workers_job_goes_on_elsewhere_from_its_checkpoint_within_15_seconds(
    tmp_path: Path,
) -> None:
    async with fleet(tmp_path, lease=DEFAULT_LEASE) as crew:
        await kill_and_wait_for_takeover(crew)


async def kill_and_wait_for_takeover(crew: Fleet) -> None:
    (first,) = crew.start_workers(1)
    job = await crew.enqueue("steps", steps=120, seconds=0.05)
    await crew.wait(job, lambda found: found.progress >= 0.25)
    crew.start_workers(1)

    first.end(signal.SIGKILL)
    killed = time.monotonic()
    before = await crew.find(job)
    taken_over = await crew.wait(job, lambda found: found.epoch == 2)

    assert time.monotonic() - killed < TAKEOVER_SECONDS
    assert taken_over.crashes == 1
    ended = await crew.wait_for_end(job)
    assert ended.status is JobStatus.COMPLETED
    assert before.checkpoint is not None
    assert await crew.kinds(job) == [
        EventKind.ENQUEUED,
        EventKind.STARTED,
        EventKind.TAKEN_OVER,
        EventKind.COMPLETED,
    ]
    assert [(epoch, what) for _, epoch, what, _ in await crew.effects()] == [(2, "done")]


async def test_what_a_stopped_worker_writes_after_its_job_was_taken_over_is_refused(
    crew: Fleet,
) -> None:
    (zombie,) = crew.start_workers(1)
    job = await crew.enqueue("steps", steps=20, seconds=0.1)
    await crew.wait(job, lambda found: found.progress > 0)
    zombie.send(signal.SIGSTOP)
    crew.start_workers(1)
    await crew.wait(job, lambda found: found.epoch == 2)

    zombie.send(signal.SIGCONT)
    ended = await crew.wait_for_end(job)

    assert ended.status is JobStatus.COMPLETED
    effects = await crew.effects()
    assert [(epoch, what) for _, epoch, what, _ in effects] == [(2, "done")]
    assert effects[0][3] != zombie.pid
    assert b"job lost to another worker" in zombie.log.read_bytes()
    # It works on: what it lost was the job, not its place in the fleet.
    jobs = [await crew.enqueue("steps", steps=3, seconds=0.1) for _ in range(12)]
    for other in jobs:
        assert (await crew.wait_for_end(other)).status is JobStatus.COMPLETED
    assert zombie.pid in {worker for *_, worker in await crew.effects(jobs)}


async def test_a_job_that_blocks_its_process_beyond_the_lease_has_its_effect_once(
    tmp_path: Path,
) -> None:
    async with fleet(tmp_path, lease=2) as crew:
        crew.start_workers(2)
        job = await crew.enqueue("stubborn", seconds=6)

        ended = await crew.wait_for_end(job, seconds=60)
        await asyncio.sleep(3)  # the other one, or ones, still block

        assert ended.status in {JobStatus.COMPLETED, JobStatus.ERRORED}
        done = [epoch for _, epoch, what, _ in await crew.effects() if what == "done"]
        assert done == ([ended.epoch] if ended.status is JobStatus.COMPLETED else [])


async def test_a_worker_that_is_told_to_stop_hands_its_jobs_back(crew: Fleet) -> None:
    (first,) = crew.start_workers(1)
    job = await crew.enqueue("steps", steps=100, seconds=0.05)
    await crew.wait(job, lambda found: found.progress >= 0.2)

    stopping = time.monotonic()
    assert first.end(signal.SIGTERM) == 0
    assert time.monotonic() - stopping < 5
    waiting = await crew.find(job)
    assert waiting.status is JobStatus.PENDING
    assert waiting.checkpoint is not None
    assert waiting.checkpoint["done"] >= 20

    crew.start_workers(1)
    ended = await crew.wait_for_end(job)

    assert ended.status is JobStatus.COMPLETED
    assert ended.crashes == 0
    assert await crew.kinds(job) == [
        EventKind.ENQUEUED,
        EventKind.STARTED,
        EventKind.HANDED_BACK,
        EventKind.STARTED,
        EventKind.COMPLETED,
    ]


async def test_a_job_that_kills_every_worker_is_errored_after_five(tmp_path: Path) -> None:
    async with fleet(tmp_path, lease=2) as crew:
        job = await crew.enqueue("die")

        async def keep_one_alive() -> None:
            while True:
                if not crew.workers or crew.workers[-1].process.poll() is not None:
                    crew.start_worker()
                await asyncio.sleep(0.05)

        keeper = asyncio.create_task(keep_one_alive())
        ended = await crew.wait_for_end(job, seconds=90)
        keeper.cancel()

        assert ended.status is JobStatus.ERRORED
        assert ended.error == "Its worker ended 5 times while it ran this job."
        assert ended.retry_count == 0


async def test_workers_outlive_a_database_that_crashes_and_hear_of_new_jobs_at_once(
    tmp_path: Path,
) -> None:
    # Nobody may be taken for dead while the database is away.
    async with fleet(tmp_path, lease=DEFAULT_LEASE) as crew:
        await crash_and_go_on(crew)


async def crash_and_go_on(crew: Fleet) -> None:
    crew.start_workers(2)
    job = await crew.enqueue("steps", steps=60, seconds=0.1)
    await crew.wait(job, lambda found: found.progress >= 0.2)

    await asyncio.to_thread(crew.crash_database)
    await asyncio.sleep(2)
    ended = await crew.wait_for_end(job)

    assert ended.status is JobStatus.COMPLETED
    assert ended.epoch == 1  # the same worker went on, nobody took anything over
    assert all(worker.process.poll() is None for worker in crew.workers)
    await asyncio.sleep(1)
    delays = []
    for _ in range(5):
        quick = await crew.enqueue("steps", steps=1, seconds=0)
        ran = await crew.wait_for_end(quick)
        assert ran.started_at is not None
        delays.append((ran.started_at - ran.created_at).total_seconds())
        await asyncio.sleep(0.3)
    # By looking for entries now and then it would take the poll interval, 3 seconds.
    assert sorted(delays)[2] < 1


async def test_a_cancel_is_heard_at_once_and_across_a_takeover(crew: Fleet) -> None:
    (first,) = crew.start_workers(1)
    job = await crew.enqueue("steps", steps=50, seconds=0.1)
    await crew.wait(job, lambda found: found.progress > 0)
    first.send(signal.SIGSTOP)

    asked = await crew.jobs.signal(LOCAL_OPERATOR, str(job.id), Signal.CANCEL)
    assert (asked.status, asked.signal) == (JobStatus.RUNNING, Signal.CANCEL)
    crew.start_workers(1)
    ended = await crew.wait_for_end(job)

    assert ended.status is JobStatus.CANCELLED
    assert await crew.effects() == []
