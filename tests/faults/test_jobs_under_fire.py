"""Hundreds of jobs on several workers that are killed, stopped and continued, while the database
is crashed: every job ends exactly once, limits hold, and nothing that ended changes.
"""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from mediatheque.domain.access import LOCAL_OPERATOR
from mediatheque.domain.errors import ConflictError, UnavailableError
from mediatheque.domain.jobs import EventKind, Job, JobStatus, Signal
from tests.support.database import fetch
from tests.support.job_worker import LIMITS
from tests.support.jobs import Fleet, WorkerProcess, fleet

WORKERS = 3
JOBS = 160
FIRE_SECONDS = 14.0
LEASE = 3
TERMINAL = {EventKind.COMPLETED, EventKind.ERRORED, EventKind.CANCELLED}


@pytest.fixture
async def crew(tmp_path: Path) -> AsyncIterator[Fleet]:
    """A database and three workers."""
    async with fleet(tmp_path, lease=LEASE) as running:
        await asyncio.to_thread(running.start_workers, WORKERS)
        yield running


@pytest.mark.timeout(300)
async def test_every_job_ends_exactly_once_whatever_is_killed(crew: Fleet) -> None:
    seed = int(os.environ.get("MEDIATHEQUE_TEST_SEED", time.time_ns() % 1_000_000))
    print(f"seed {seed}")
    chance = random.Random(seed)
    jobs = [await enqueue_one(crew, chance, number) for number in range(JOBS)]
    watching = asyncio.create_task(watch_limits(crew))

    await set_fire(crew, chance, jobs)
    ended = [await crew.wait_for_end(job, seconds=120) for job in jobs]
    watching.cancel()

    assert {job.status for job in ended} <= {
        JobStatus.COMPLETED,
        JobStatus.ERRORED,
        JobStatus.CANCELLED,
    }
    most_seen = await watching
    assert most_seen["global"] <= LIMITS["global"].everywhere
    assert most_seen["global"] > 0
    await check_effects(crew, ended)
    await check_histories(crew, ended)
    # The queue keeps nothing of what ended.
    await asyncio.sleep(1)
    left = await fetch(crew.server.url, "SELECT count(*) AS n FROM pgqueuer")
    async with asyncio.timeout(30):
        while left[0]["n"]:
            await asyncio.sleep(0.5)
            left = await fetch(crew.server.url, "SELECT count(*) AS n FROM pgqueuer")
    assert [await crew.find(job) for job in ended] == ended


async def enqueue_one(crew: Fleet, chance: random.Random, number: int) -> Job:
    queue = chance.choice(["free", "free", "narrow", "global"])
    delay = chance.uniform(0, FIRE_SECONDS * 0.9)
    if number % 15 == 0:
        return await crew.enqueue("fail", queue=queue, delay=delay, times=1)
    if number % 31 == 0:
        return await crew.enqueue("fail", queue=queue, delay=delay, times=9, for_good=True)
    return await crew.enqueue(
        "steps",
        queue=queue,
        steps=chance.choice([1, 5, 20, 40]),
        seconds=0.05,
        priority=chance.randrange(3),
        delay=delay,
    )


async def set_fire(crew: Fleet, chance: random.Random, jobs: list[Job]) -> None:
    """Hurt something about every half second: a worker, the database, or a job."""
    stopped: dict[WorkerProcess, float] = {}
    crash_times = [0.3 * FIRE_SECONDS, 0.7 * FIRE_SECONDS]
    start = time.monotonic()
    while (elapsed := time.monotonic() - start) < FIRE_SECONDS:
        for worker in [w for w, until in stopped.items() if elapsed > until]:
            worker.send(signal.SIGCONT)
            del stopped[worker]
        keep_running(crew)
        if crash_times and elapsed > crash_times[0]:
            del crash_times[0]
            await asyncio.to_thread(crew.crash_database)
        await hurt(crew, chance, jobs, stopped, elapsed)
        await asyncio.sleep(0.4)
    for worker in stopped:
        worker.send(signal.SIGCONT)
    keep_running(crew)
    for job in jobs:
        with suppress(ConflictError):
            await resume(crew, job)


def keep_running(crew: Fleet) -> None:
    while sum(worker.process.poll() is None for worker in crew.workers) < WORKERS:
        crew.start_worker()


async def hurt(
    crew: Fleet,
    chance: random.Random,
    jobs: list[Job],
    stopped: dict[WorkerProcess, float],
    elapsed: float,
) -> None:
    running = [w for w in crew.workers if w.process.poll() is None and w not in stopped]
    harm = chance.random()
    if harm < 0.25:
        chance.choice(running).end(signal.SIGKILL)
    elif harm < 0.35 and not stopped:
        victim = chance.choice(running)
        victim.send(signal.SIGSTOP)
        stopped[victim] = elapsed + chance.choice([1, LEASE + 3])
    elif harm < 0.45:
        chance.choice(running).send(signal.SIGTERM)
    else:
        what = chance.choice([Signal.CANCEL, Signal.PAUSE, Signal.PAUSE])
        with suppress(ConflictError, UnavailableError):
            # Some are over, some still wait: those in the middle of it are hurt most often.
            for job in chance.sample(jobs, 5):
                await crew.jobs.signal(LOCAL_OPERATOR, str(job.id), what)


async def resume(crew: Fleet, job: Job) -> None:
    async with asyncio.timeout(60):
        while True:
            with suppress(UnavailableError):
                await crew.jobs.signal(LOCAL_OPERATOR, str(job.id), Signal.RESUME)
                return
            await asyncio.sleep(0.2)


async def watch_limits(crew: Fleet) -> Counter[str]:
    """Return the most jobs of each queue that were ever seen running at one moment."""
    most: Counter[str] = Counter()
    query = "SELECT queue, count(*) AS n FROM jobs WHERE status = 'running' GROUP BY queue"
    with suppress(asyncio.CancelledError):
        while True:
            with suppress(OSError, asyncpg.PostgresError):
                for row in await fetch(crew.server.url, query):
                    most[row["queue"]] = max(most[row["queue"]], row["n"])
            await asyncio.sleep(0.1)
    return most


async def check_effects(crew: Fleet, jobs: list[Job]) -> None:
    """What a job does, it did once if it completed, by its last claim, and never in excess."""
    effects = await crew.effects()
    assert [what for _, _, what, _ in effects if what == "too many"] == []
    done = Counter(job_id for job_id, _, _, _ in effects)
    for job in jobs:
        if job.status is JobStatus.COMPLETED:
            # Twice only when the worker was killed between the effect and the end of the job.
            taken_over = (await crew.kinds(job)).count(EventKind.TAKEN_OVER)
            assert 1 <= done[job.id] <= 1 + taken_over, job
            assert job.progress == 1


async def check_histories(crew: Fleet, jobs: list[Job]) -> None:
    seen: Counter[EventKind] = Counter()
    for job in jobs:
        kinds = await crew.kinds(job)
        seen.update(kinds)
        assert kinds[0] is EventKind.ENQUEUED
        assert sum(kind in TERMINAL for kind in kinds) == 1, (job, kinds)
        assert kinds[-1] == EventKind(job.status), (job, kinds)
        starts = kinds.count(EventKind.STARTED) + kinds.count(EventKind.TAKEN_OVER)
        assert starts == job.epoch
        if job.status is JobStatus.ERRORED:
            assert job.error in {
                "This cannot work.",
                "Its worker ended 5 times while it ran this job.",
            }
    # The fire did reach the jobs. Whether a worker that was told to stop had time to hand any back
    # is left to chance.
    for kind in (EventKind.TAKEN_OVER, EventKind.PAUSED, EventKind.RETRYING):
        assert seen[kind] > 0, seen
