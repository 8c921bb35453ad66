"""The job engine: how fast jobs come and go, what idling costs, how soon a worker is replaced."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import psutil

from tests.bench.job_worker import AT_ONCE
from tests.bench.outcome import BenchError, Figure, Outcome, percentile
from tests.bench.plan import Plan
from tests.bench.probe import cpu_seconds
from tests.bench.workers import Engine, engine

_SUBJECT = "Jobs"
_ONE_BY_ONE = 500
_TOGETHER = 2000
_ALONE = 300
_PAUSE_SECONDS = 0.02
_SETTLE_SECONDS = 5
_IDLE_SECONDS = 20
_PATIENCE_SECONDS = 120
_TAKEOVER_SECONDS = 15.0


def run(plan: Plan) -> list[Outcome]:
    """Measure the engine with real workers, on settings as shipped."""
    return asyncio.run(_measure(plan))


async def _measure(plan: Plan) -> list[Outcome]:
    async with engine(plan.directory / "jobs") as jobs:
        one_by_one, together, ran = [], [], []
        for _ in range(plan.rounds):
            one_by_one.append(await _enqueue(jobs, _ONE_BY_ONE, callers=1))
            together.append(await _enqueue(jobs, _TOGETHER, callers=AT_ONCE))
            ran.append(await _run_all(jobs, _ONE_BY_ONE + _TOGETHER))
        with jobs.worker() as worker:
            starts = await _start_alone(jobs)
            idle, idle_database = await _idle(jobs, worker)
        takeovers = [await _take_over(jobs) for _ in range(plan.rounds)]
    return [
        _figure("Enqueued, one caller", "jobs/s", one_by_one),
        _figure(f"Enqueued, {AT_ONCE} callers at once", "jobs/s", together),
        _figure(f"Jobs that do nothing, one worker, {AT_ONCE} at once", "jobs/s", ran),
        _figure("From enqueue to start, idle worker, median", "ms", [statistics.median(starts)]),
        _figure("From enqueue to start, idle worker, p99", "ms", [percentile(starts, 99)]),
        _figure("An idle worker", "% of a core", [idle]),
        _figure("The database beside an idle worker", "% of a core", [idle_database]),
        _figure(
            "From kill -9 of a worker to the start of its job on another",
            "s",
            takeovers,
            at_most=_TAKEOVER_SECONDS,
        ),
    ]


def _figure(
    what: str, unit: str, values: Sequence[float], *, at_most: float | None = None
) -> Figure:
    return Figure(_SUBJECT, what, unit, tuple(values), at_most)


async def _enqueue(jobs: Engine, count: int, *, callers: int) -> float:
    """Enqueue jobs that do nothing, each in a transaction of its own; return jobs per second."""

    async def call() -> None:
        for _ in range(count // callers):
            await jobs.enqueue("nothing")

    started = time.perf_counter()
    await asyncio.gather(*(call() for _ in range(callers)))
    return count / (time.perf_counter() - started)


async def _run_all(jobs: Engine, count: int) -> float:
    """Start a worker on a full queue; return jobs per second between its first and last job."""
    query = """
        SELECT count(*), extract(epoch FROM max(finished_at) - min(started_at))::float8
        FROM jobs WHERE status = 'completed' AND started_at >= $1
    """
    before = datetime.now(UTC)
    with jobs.worker():
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            await asyncio.sleep(0.5)
            [(ended, seconds)] = await jobs.fetch(query, before)
            if ended == count:
                return count / float(seconds)
    raise BenchError(f"{ended} of {count} jobs ended within {_PATIENCE_SECONDS} s")


async def _start_alone(jobs: Engine) -> list[float]:
    """Enqueue jobs for a worker that has nothing to do; return when each started, in ms."""
    called = {}
    for _ in range(_ALONE):
        at = datetime.now(UTC)
        called[(await jobs.enqueue("nothing")).id] = at
        await asyncio.sleep(_PAUSE_SECONDS)
    await asyncio.sleep(_SETTLE_SECONDS)
    query = "SELECT id, started_at FROM jobs WHERE id = ANY($1) AND status = 'completed'"
    started = dict(await jobs.fetch(query, list(called)))
    if len(started) != len(called):
        raise BenchError(f"{len(started)} of {len(called)} jobs ended")
    return [(started[job_id] - at).total_seconds() * 1000 for job_id, at in called.items()]


async def _idle(jobs: Engine, worker: psutil.Process) -> tuple[float, float]:
    """Return what an idle worker, and the database beside it, take of a core, in percent."""
    processes = jobs.database_processes()
    before, database_before = cpu_seconds([worker]), cpu_seconds(processes)
    await asyncio.sleep(_IDLE_SECONDS)
    used = cpu_seconds([worker]) - before
    database_used = cpu_seconds(processes) - database_before
    return 100 * used / _IDLE_SECONDS, 100 * database_used / _IDLE_SECONDS


async def _take_over(jobs: Engine) -> float:
    """Kill a worker that runs a job; return the seconds until another one runs that job."""
    query = "SELECT at FROM job_events WHERE job_id = $1 AND kind = $2"

    async def wait_for(kind: str) -> datetime:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            times: list[datetime] = [at for (at,) in await jobs.fetch(query, job.id, kind)]
            if times:
                return times[0]
            await asyncio.sleep(0.05)
        raise BenchError(f"job {job.id} was not {kind} within {_PATIENCE_SECONDS} s")

    with jobs.worker() as first:
        job = await jobs.enqueue("wait")
        await wait_for("started")
        with jobs.worker():
            killed = datetime.now(UTC)
            first.kill()
            seconds = (await wait_for("taken_over") - killed).total_seconds()
            await jobs.cancel(job)
            await wait_for("cancelled")
    return seconds
