"""From the claim of a job to the status it ends in, without a queue in between."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from mediatheque.catalog.database import Database
from mediatheque.domain.access import LOCAL_OPERATOR
from mediatheque.domain.errors import UnavailableError
from mediatheque.domain.jobs import RETRY_DELAYS, EventKind, Job, JobStatus, Signal
from mediatheque.services.job_runs import (
    JobFailedError,
    JobPaused,
    JobRun,
    JobRunner,
    LeaseLost,
    Workflow,
)
from mediatheque.services.jobs import JobService


class Stage:
    """One job, and what it takes to run it as a worker would."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.jobs = JobService(database)

    async def enqueue(self, **options: Any) -> Job:
        defaults: dict[str, Any] = {"job_class": "work", "queue": "q", "arguments": {"n": 1}}
        return await self.jobs.enqueue(LOCAL_OPERATOR, **(defaults | options))

    def runner(self, workflow: Workflow) -> JobRunner:
        return JobRunner(self.database, {"work": workflow})

    async def run(self, job: Job, workflow: Workflow) -> Job:
        """Run a job's newest entry and return the job as it stands afterwards."""
        job = await self.find(job)
        assert job.queue_id is not None
        await self.runner(workflow).run(job.id, job.queue_id)
        return await self.find(job)

    async def find(self, job: Job) -> Job:
        return await self.jobs.find(LOCAL_OPERATOR, str(job.id))

    async def signal(self, job: Job, signal: Signal) -> Job:
        return await self.jobs.signal(LOCAL_OPERATOR, str(job.id), signal)

    async def history(self, job: Job) -> list[tuple[EventKind, dict[str, Any]]]:
        events = await self.jobs.events(LOCAL_OPERATOR, 0, job_ids=[job.id], limit=100)
        return [(event.kind, event.detail) for event in events]


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


async def nothing(run: JobRun) -> None:
    """Be done at once."""


def failing(error: Exception) -> Workflow:
    async def fail(run: JobRun) -> None:
        raise error

    return fail


async def test_a_job_that_returns_is_completed(stage: Stage) -> None:
    seen: list[Any] = []

    async def work(run: JobRun) -> None:
        seen.extend([run.arguments, run.checkpoint, run.retry_count, run.principal])

    ended = await stage.run(await stage.enqueue(), work)

    assert seen == [{"n": 1}, None, 0, LOCAL_OPERATOR]
    assert (ended.status, ended.progress, ended.error) == (JobStatus.COMPLETED, 1, None)
    assert ended.started_at is not None
    assert ended.finished_at is not None


async def test_a_job_that_fails_is_tried_again_after_growing_delays_and_keeps_every_reason(
    stage: Stage,
) -> None:
    job = await stage.enqueue()
    for attempt, delay in enumerate(RETRY_DELAYS, start=1):
        before = datetime.now(UTC)
        job = await stage.run(job, failing(UnavailableError(f"No answer, {attempt}.")))
        assert (job.status, job.retry_count) == (JobStatus.PENDING, attempt)
        assert job.error == f"No answer, {attempt}."
        assert job.scheduled_at is not None
        assert (
            timedelta(0)
            <= job.scheduled_at - before - timedelta(seconds=delay)
            < timedelta(seconds=5)
        )

    job = await stage.run(job, failing(UnavailableError("No answer, last.")))

    assert (job.status, job.retry_count, job.error) == (JobStatus.ERRORED, 5, "No answer, last.")
    retries = [detail for kind, detail in await stage.history(job) if kind is EventKind.RETRYING]
    assert retries == [
        {"reason": f"No answer, {attempt}.", "attempt": attempt, "delay": delay}
        for attempt, delay in enumerate((5, 10, 40, 110, 320), start=1)
    ]


async def test_a_job_that_gets_on_counts_its_failures_and_crashes_anew(stage: Stage) -> None:
    job = await stage.enqueue()
    for number in range(1, 9):

        async def get_on(run: JobRun, progress: float = number / 10) -> None:
            await run.save(progress=progress, force=True)
            assert run.retry_count == 0
            raise UnavailableError("No answer.")

        job = await stage.run(job, get_on)
        assert (job.status, job.retry_count, job.progress) == (JobStatus.PENDING, 1, number / 10)

    async def stay(run: JobRun) -> None:
        await run.save(progress=0.8, force=True)
        raise UnavailableError("No answer.")

    assert (await stage.run(job, stay)).retry_count == 2


async def test_the_queue_holds_the_delay_of_a_retry(stage: Stage) -> None:
    job = await stage.run(await stage.enqueue(), failing(UnavailableError("No answer.")))

    async with stage.database.read() as connection:
        row = await connection.exec_driver_sql(
            "SELECT execute_after - now() AS wait FROM pgqueuer WHERE id = $1", (job.queue_id,)
        )
        assert timedelta(seconds=3) < row.scalar_one() <= timedelta(seconds=5)


async def test_a_job_that_cannot_work_is_errored_at_once(stage: Stage) -> None:
    job = await stage.run(await stage.enqueue(), failing(JobFailedError("3 of 10 failed.")))

    assert (job.status, job.error, job.retry_count) == (JobStatus.ERRORED, "3 of 10 failed.", 0)


async def test_what_an_unforeseen_error_says_stays_out_of_the_job(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    job = await stage.run(await stage.enqueue(), failing(ValueError("password=hunter2")))

    assert job.error == "An unexpected ValueError; the log of the worker tells more."


async def test_an_errored_job_can_be_retried_from_its_checkpoint(stage: Stage) -> None:
    async def fail_late(run: JobRun) -> None:
        await run.save(progress=0.5, checkpoint={"at": 5})
        raise JobFailedError("Broken.")

    job = await stage.run(await stage.enqueue(), fail_late)
    again = await stage.signal(job, Signal.RETRY)
    seen: list[Any] = []

    async def work(run: JobRun) -> None:
        seen.append(run.checkpoint)

    ended = await stage.run(again, work)

    assert (again.status, again.error, again.finished_at) == (JobStatus.PENDING, None, None)
    assert seen == [{"at": 5}]
    assert ended.status is JobStatus.COMPLETED


async def test_saving_is_held_back_to_once_a_second_but_not_when_forced_nor_at_the_end(
    stage: Stage,
) -> None:
    job = await stage.enqueue()
    stored: list[Any] = []

    async def work(run: JobRun) -> None:
        for step in range(4):
            await run.save(progress=step / 10, checkpoint={"step": step}, force=step == 2)
            found = await stage.find(job)
            stored.append((found.progress, found.checkpoint))
        raise JobPaused

    ended = await stage.run(job, work)

    first, third = (0.0, {"step": 0}), (0.2, {"step": 2})
    assert stored == [first, first, third, third]
    assert (ended.progress, ended.checkpoint) == (0.3, {"step": 3})


@pytest.mark.parametrize(
    ("signal", "status"),
    [(Signal.CANCEL, JobStatus.CANCELLED), (Signal.PAUSE, JobStatus.PAUSED)],
)
async def test_a_running_job_hears_a_signal_at_its_next_checkpoint(
    stage: Stage, signal: Signal, status: JobStatus
) -> None:
    job = await stage.enqueue()

    async def work(run: JobRun) -> None:
        asked = await stage.signal(job, signal)
        assert asked.status is JobStatus.RUNNING
        await run.save(checkpoint={"at": 1}, force=True)
        raise AssertionError("it did not stop")

    ended = await stage.run(job, work)

    assert (ended.status, ended.signal, ended.checkpoint) == (status, None, {"at": 1})


async def test_a_running_job_hears_a_signal_without_a_checkpoint_when_it_is_told(
    stage: Stage,
) -> None:
    job = await stage.enqueue()
    heard = asyncio.Event()

    async def work(run: JobRun) -> None:
        await stage.signal(job, Signal.CANCEL)
        await runner.hear_signals(job.id)
        await asyncio.wait_for(run.stopping.wait(), 5)
        heard.set()
        run.check()

    runner = stage.runner(work)
    assert job.queue_id is not None
    await runner.run(job.id, job.queue_id)

    assert heard.is_set()
    assert (await stage.find(job)).status is JobStatus.CANCELLED


async def test_a_pause_taken_back_before_the_job_stops_lets_it_go_on(stage: Stage) -> None:
    job = await stage.enqueue()

    async def work(run: JobRun) -> None:
        await stage.signal(job, Signal.PAUSE)
        await stage.signal(job, Signal.RESUME)
        run.stopping.set()  # it heard of the pause before it was taken back
        run.check()

    handed_back = await stage.run(job, work)

    assert handed_back.status is JobStatus.PENDING
    assert (await stage.run(handed_back, nothing)).status is JobStatus.COMPLETED


async def test_a_paused_job_waits_until_it_is_resumed(stage: Stage) -> None:
    job = await stage.enqueue()

    async def pause(run: JobRun) -> None:
        raise JobPaused

    paused = await stage.run(job, pause)
    still = await stage.run(paused, nothing)
    resumed = await stage.signal(still, Signal.RESUME)
    ended = await stage.run(resumed, nothing)

    assert [paused.status, still.status] == [JobStatus.PAUSED, JobStatus.PAUSED]
    assert resumed.status is JobStatus.PENDING
    assert ended.status is JobStatus.COMPLETED


async def test_an_entry_of_the_queue_that_is_not_the_newest_runs_nothing(stage: Stage) -> None:
    old = await stage.enqueue()
    await stage.signal(old, Signal.PAUSE)
    await stage.signal(old, Signal.RESUME)
    ran: list[int] = []

    async def work(run: JobRun) -> None:
        ran.append(1)

    assert old.queue_id is not None
    assert await stage.runner(work).run(old.id, old.queue_id)

    assert ran == []
    assert (await stage.find(old)).status is JobStatus.PENDING


async def test_a_job_that_was_deleted_is_not_run(stage: Stage) -> None:
    assert await stage.runner(nothing).run(uuid4(), 1)


async def test_a_job_of_an_unknown_class_waits_for_a_worker_that_knows_it(stage: Stage) -> None:
    job = await stage.enqueue(job_class="tomorrow")

    assert job.queue_id is not None
    assert not await stage.runner(nothing).run(job.id, job.queue_id)

    assert await stage.find(job) == job


async def test_a_claim_that_was_replaced_can_write_nothing(stage: Stage) -> None:
    job = await stage.enqueue()
    refused: list[Callable[[], Awaitable[None]]] = []

    async def hang(run: JobRun) -> None:
        # Another worker takes the job over while this one still believes in it.
        assert (await stage.run(job, nothing)).status is JobStatus.COMPLETED
        with pytest.raises(LeaseLost):
            await run.save(progress=0.9, force=True)
        async with stage.database.begin() as transaction:
            with pytest.raises(LeaseLost):
                await run.still_holds(transaction)
        refused.append(run.save)

    ended = await stage.run(job, hang)

    assert len(refused) == 1
    assert (ended.status, ended.epoch, ended.crashes, ended.progress) == (
        JobStatus.COMPLETED,
        2,
        1,
        1,
    )


async def test_draining_hands_a_job_back_from_where_it_stands(stage: Stage) -> None:
    job = await stage.enqueue()

    async def work(run: JobRun) -> None:
        await run.save(checkpoint={"at": 1})
        runner.drain()
        await run.save(checkpoint={"at": 2})

    runner = stage.runner(work)
    assert job.queue_id is not None
    await runner.run(job.id, job.queue_id)
    found = await stage.find(job)

    assert (found.status, found.checkpoint, found.crashes) == (JobStatus.PENDING, {"at": 2}, 0)
    assert found.queue_id != job.queue_id


async def test_an_older_claim_of_the_same_process_ends_without_touching_the_newer(
    stage: Stage,
) -> None:
    job = await stage.enqueue()
    may_end = [asyncio.Event(), asyncio.Event()]
    runs: list[JobRun] = []

    async def work(run: JobRun) -> None:
        runs.append(run)
        await may_end[len(runs) - 1].wait()
        run.check()

    runner = stage.runner(work)
    assert job.queue_id is not None
    older = asyncio.create_task(runner.run(job.id, job.queue_id))
    while not runs:
        await asyncio.sleep(0.01)
    # Another worker takes the job over, fails, and leaves it to whoever is first: this one.
    retried = await stage.run(job, failing(UnavailableError("No answer.")))
    assert retried.queue_id is not None
    newer = asyncio.create_task(runner.run(job.id, retried.queue_id))
    while len(runs) < 2:
        await asyncio.sleep(0.01)

    may_end[0].set()
    await older
    await stage.signal(job, Signal.CANCEL)
    await runner.hear_signals(job.id)
    may_end[1].set()
    await newer

    assert [run.stopping.is_set() for run in runs] == [False, True]
    assert (await stage.find(job)).status is JobStatus.CANCELLED


async def test_a_checkpoint_set_while_an_older_one_is_written_is_not_lost(stage: Stage) -> None:
    async def work(run: JobRun) -> None:
        await run.save(checkpoint={"at": 1}, force=True)
        writing = asyncio.create_task(run.save(checkpoint={"at": 2}, force=True))
        await asyncio.sleep(0)
        await run.save(checkpoint={"at": 3})
        await writing
        raise JobPaused

    ended = await stage.run(await stage.enqueue(), work)

    assert ended.checkpoint == {"at": 3}


async def test_a_checkpoint_that_cannot_be_kept_fails_the_job_and_not_its_worker(
    stage: Stage,
) -> None:
    async def work(run: JobRun) -> None:
        await run.save(checkpoint={"at": 1}, force=True)
        await run.save(checkpoint={"name": "a\0b"})

    job = await stage.run(await stage.enqueue(), work)

    assert (job.status, job.retry_count, job.checkpoint) == (JobStatus.PENDING, 1, {"at": 1})
    assert job.error == "An unexpected DBAPIError; the log of the worker tells more."


async def test_an_error_may_name_what_the_database_cannot_write(stage: Stage) -> None:
    job = await stage.run(
        await stage.enqueue(), failing(JobFailedError("There is no file 'a\udcff\0'."))
    )

    assert (job.status, job.error) == (JobStatus.ERRORED, r"There is no file 'a\udcff\x00'.")
