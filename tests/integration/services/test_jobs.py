"""What can be asked of jobs, on a real database without any worker."""

import asyncio
from typing import Any

import pytest

from mediatheque.catalog import workers
from mediatheque.catalog.database import Database
from mediatheque.domain.access import LOCAL_OPERATOR, Principal
from mediatheque.domain.errors import ConflictError, InvalidError, NotFoundError
from mediatheque.domain.ids import new_id
from mediatheque.domain.jobs import Job, JobStatus, Signal
from mediatheque.domain.paging import Filter, Listing, Operator
from mediatheque.services import jobs as module
from mediatheque.services import workers as workers_module
from mediatheque.services.jobs import JobService, Signalled
from mediatheque.services.workers import WorkerService
from tests.support.database import execute, fetch

ALICE, BOB = Principal("alice", "member"), Principal("bob", "member")


@pytest.fixture
def queued(database: Database) -> JobService:
    return JobService(database)


async def enqueue(queued: JobService, principal: Principal = LOCAL_OPERATOR, **options: Any) -> Job:
    values = {"job_class": "work", "queue": "q", "arguments": {}, **options}
    return await queued.enqueue(principal, **values)


async def until_somebody_waits(database_url: str) -> None:
    """Return once a transaction waits for another's lock."""
    while not await fetch(
        database_url,
        "SELECT 1 FROM pg_stat_activity "
        "WHERE wait_event_type = 'Lock' AND datname = current_database()",
    ):
        await asyncio.sleep(0.02)


def status_is(*statuses: str) -> tuple[Filter, ...]:
    return (Filter("status", Operator.IN, statuses),)


async def test_a_live_job_is_returned_to_everybody_who_wants_another_with_its_key(
    queued: JobService, database_url: str
) -> None:
    several = await asyncio.gather(*(enqueue(queued, unicity="same") for _ in range(8)))

    assert len({job.id for job in several}) == 1
    assert len(await fetch(database_url, "SELECT 1 FROM jobs")) == 1
    assert len(await fetch(database_url, "SELECT 1 FROM pgqueuer")) == 1
    await queued.signal(LOCAL_OPERATOR, str(several[0].id), Signal.CANCEL)
    assert (await enqueue(queued, unicity="same")).id != several[0].id


@pytest.mark.parametrize("unicity", ["", "x" * 201])
async def test_a_key_has_one_to_two_hundred_characters(queued: JobService, unicity: str) -> None:
    with pytest.raises(InvalidError) as refused:
        await enqueue(queued, unicity=unicity)

    assert refused.value.field == "unicity"


async def test_everybody_sees_and_changes_only_their_own_jobs(queued: JobService) -> None:
    mine, theirs = await enqueue(queued, ALICE), await enqueue(queued, BOB)

    page = await queued.page(ALICE, Listing(), count=True)
    assert ([job.id for job in page.jobs], page.count, page.more) == ([mine.id], 1, False)
    for act in (
        queued.find(ALICE, str(theirs.id)),
        queued.signal(ALICE, str(theirs.id), Signal.CANCEL),
    ):
        with pytest.raises(NotFoundError):
            await act
    await queued.remove(ALICE, str(theirs.id))
    done = await queued.signal_all(ALICE, status_is("pending"), Signal.CANCEL)
    assert done == Signalled(1, 0)
    assert (await queued.find(BOB, str(theirs.id))).status is JobStatus.PENDING
    assert (await queued.find(LOCAL_OPERATOR, str(mine.id))).status is JobStatus.CANCELLED


async def test_a_signal_for_many_reaches_all_of_them_in_batches(
    queued: JobService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BATCH", 4)
    several = [await enqueue(queued) for _ in range(10)]
    await queued.signal(LOCAL_OPERATOR, str(several[3].id), Signal.CANCEL)

    done = await queued.signal_all(LOCAL_OPERATOR, status_is("pending", "cancelled"), Signal.PAUSE)

    assert done == Signalled(9, 1)
    page = await queued.page(LOCAL_OPERATOR, Listing(status_is("paused")), count=True)
    assert page.count == 9


async def test_a_signal_for_many_needs_a_filter(queued: JobService) -> None:
    job = await enqueue(queued)

    with pytest.raises(InvalidError, match="filter"):
        await queued.signal_all(LOCAL_OPERATOR, (), Signal.CANCEL)

    assert (await queued.find(LOCAL_OPERATOR, str(job.id))).status is JobStatus.PENDING


async def test_two_signals_for_many_at_once_do_not_wait_for_each_other_for_ever(
    queued: JobService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BATCH", 5)
    for _ in range(12):
        await enqueue(queued)

    async with asyncio.timeout(20):
        done = await asyncio.gather(
            *(
                queued.signal_all(LOCAL_OPERATOR, status_is("pending", "paused"), signal)
                for signal in (Signal.PAUSE, Signal.CANCEL, Signal.RESUME)
            )
        )

    page = await queued.page(LOCAL_OPERATOR, Listing(), count=False)
    assert {job.status for job in page.jobs} == {JobStatus.CANCELLED}
    assert done[1] == Signalled(12, 0)


async def test_a_retry_begins_anew_unless_the_key_is_taken(
    queued: JobService, database_url: str
) -> None:
    job = await enqueue(queued, unicity="k")
    await execute(
        database_url,
        "UPDATE jobs SET status = 'errored', retry_count = 5, error = 'no', finished_at = now() "
        "WHERE id = $1",
        job.id,
    )
    other = await enqueue(queued, unicity="k")
    with pytest.raises(ConflictError, match=str(other.id)):
        await queued.signal(LOCAL_OPERATOR, str(job.id), Signal.RETRY)
    await queued.remove(LOCAL_OPERATOR, str(other.id))

    again = await queued.signal(LOCAL_OPERATOR, str(job.id), Signal.RETRY)

    assert (again.status, again.retry_count, again.error, again.finished_at) == (
        JobStatus.PENDING,
        0,
        None,
        None,
    )
    assert again.queue_id is not None
    assert again.queue_id > (job.queue_id or 0)


@pytest.mark.parametrize(
    "job_id", ["", "5", "x" * 10_000, "01a1fd33-f952-75d9-b62d-bbb913599ced", "\0"]
)
async def test_a_job_that_is_not_there(queued: JobService, job_id: str) -> None:
    with pytest.raises(NotFoundError) as refused:
        await queued.find(LOCAL_OPERATOR, job_id)
    assert len(refused.value.detail) < 200
    with pytest.raises(NotFoundError):
        await queued.signal(LOCAL_OPERATOR, job_id, Signal.CANCEL)
    await queued.remove(LOCAL_OPERATOR, job_id)


@pytest.mark.parametrize("how", ["cancel", "pause", "remove"])
async def test_a_job_that_shall_not_run_leaves_the_queue_to_those_that_shall(
    queued: JobService, database_url: str, how: str
) -> None:
    job = await enqueue(queued)
    other = await enqueue(queued)

    if how == "remove":
        await queued.remove(LOCAL_OPERATOR, str(job.id))
    else:
        await queued.signal(LOCAL_OPERATOR, str(job.id), Signal(how))

    rows = await fetch(database_url, "SELECT id FROM pgqueuer")
    assert [row["id"] for row in rows] == [other.queue_id]


async def test_a_retry_that_meets_a_job_with_its_key_on_the_way_is_refused(
    queued: JobService, database: Database, database_url: str
) -> None:
    job = await enqueue(queued, unicity="same")
    await queued.signal(LOCAL_OPERATOR, str(job.id), Signal.CANCEL)

    async with database.begin() as transaction:
        await module.enqueue_in(
            transaction,
            LOCAL_OPERATOR,
            job_class="work",
            queue="q",
            arguments={},
            unicity="same",
        )
        retrying = asyncio.create_task(queued.signal(LOCAL_OPERATOR, str(job.id), Signal.RETRY))
        await until_somebody_waits(database_url)

    with pytest.raises(ConflictError):
        await retrying
    assert (await queued.find(LOCAL_OPERATOR, str(job.id))).status is JobStatus.CANCELLED


async def test_workers_that_wake_from_a_long_sleep_together_do_not_end_each_other(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers_module, "_BEAT_SECONDS", 1)
    await execute(database_url, "TRUNCATE workers")
    other = new_id()
    attending = asyncio.create_task(WorkerService(database).attend("this one"))
    async with asyncio.timeout(10):
        while not await fetch(database_url, "SELECT 1 FROM workers"):
            await asyncio.sleep(0.02)
        async with database.begin() as transaction:
            await workers.beat(transaction, other, "other", warning=None)
        await execute(database_url, "UPDATE workers SET seen_at = now() - interval '2 hours'")
        async with database.begin() as transaction:
            await workers.beat(transaction, other, "other", warning=None)
            await until_somebody_waits(database_url)
            await workers.remove_silent(transaction, seconds=3600)
        await asyncio.sleep(0.5)

    assert not attending.done()
    assert len(await fetch(database_url, "SELECT 1 FROM workers")) == 2
    attending.cancel()
    await asyncio.gather(attending, return_exceptions=True)


async def test_a_worker_can_warn_its_operator(database: Database, database_url: str) -> None:
    await execute(database_url, "TRUNCATE workers")
    service = WorkerService(database)
    attending = [
        asyncio.create_task(service.attend("weak", warning="This system has no lock.")),
        asyncio.create_task(service.attend("well")),
    ]
    async with asyncio.timeout(10):
        while len(await service.alive()) < 2:
            await asyncio.sleep(0.02)

    assert await service.alive() == {"weak": "This system has no lock.", "well": None}
    for task in attending:
        task.cancel()
    await asyncio.gather(*attending, return_exceptions=True)
