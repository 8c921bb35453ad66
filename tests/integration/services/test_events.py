"""Watching jobs: history and live news make one story without gaps, repetitions or memory."""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest

from mediatheque.catalog import job_events, jobs
from mediatheque.catalog.database import Database
from mediatheque.catalog.job_events import CHANNEL
from mediatheque.catalog.notices import Notices
from mediatheque.domain.access import LOCAL_OPERATOR, Principal
from mediatheque.domain.errors import NotFoundError
from mediatheque.domain.jobs import EventKind, Job, JobEvent, JobGlimpse, Signal
from mediatheque.services.events import EventService, News, Watch
from mediatheque.services.jobs import JobService, enqueue_in
from tests.support.database import execute

ALICE, BOB = Principal("alice", "member"), Principal("bob", "member")
SILENCE = 0.2


@pytest.fixture
async def events(database: Database, database_url: str) -> AsyncIterator[EventService]:
    """The service, connected to the notices of its database."""
    service = EventService(database)
    notices = Notices(database_url)
    connected = asyncio.Event()
    await notices.subscribe(CHANNEL, service.hear, service.catch_up)
    await notices.subscribe("ready", lambda _: None, connected.set)
    listening = asyncio.create_task(notices.run())
    await connected.wait()
    yield service
    listening.cancel()


@pytest.fixture
def queued(database: Database) -> JobService:
    return JobService(database)


async def enqueue(queued: JobService, principal: Principal = LOCAL_OPERATOR, **options: Any) -> Job:
    values = {"job_class": "work", "queue": "q", "arguments": {}, **options}
    return await queued.enqueue(principal, **values)


async def rest(watch: Watch) -> list[News]:
    """Return everything that a watch has to say until it falls silent."""
    said: list[News] = []
    async with contextlib.aclosing(watch.news(silence=SILENCE)) as several:
        async for news in several:
            if news is None:
                break
            said.append(news)
    return said


def told(news: list[News]) -> list[tuple[str, str]]:
    return [(item.kind, item.status) for item in news]


async def test_a_watch_begins_with_the_state_and_goes_on_with_what_happens(
    events: EventService, queued: JobService
) -> None:
    job = await enqueue(queued)
    other = await enqueue(queued)
    watch = await events.watch(LOCAL_OPERATOR, [str(job.id)], after=None)

    await queued.signal(LOCAL_OPERATOR, str(job.id), Signal.PAUSE)
    await queued.signal(LOCAL_OPERATOR, str(other.id), Signal.CANCEL)
    await queued.signal(LOCAL_OPERATOR, str(job.id), Signal.CANCEL)

    said = await rest(watch)
    assert told(said) == [("state", "pending"), ("paused", "paused"), ("cancelled", "cancelled")]
    assert {item.job_id for item in said} == {job.id}
    assert isinstance(said[0], JobGlimpse)
    history = await queued.events(LOCAL_OPERATOR, 0, job_ids=[job.id], limit=10)
    assert said[1:] == history[1:]
    assert watch.position == history[-1].id


async def test_after_an_event_the_history_comes_first(
    events: EventService, queued: JobService
) -> None:
    job = await enqueue(queued)
    for signal in (Signal.PAUSE, Signal.RESUME, Signal.CANCEL):
        await queued.signal(LOCAL_OPERATOR, str(job.id), signal)
    history = await queued.events(LOCAL_OPERATOR, 0, job_ids=[job.id], limit=10)

    for seen in range(len(history) + 1):
        after = history[0].id - 1 + seen
        for names in ([str(job.id)], []):
            watch = await events.watch(LOCAL_OPERATOR, names, after=after)
            assert await rest(watch) == history[seen:]


async def test_a_position_beyond_the_newest_event_is_the_newest(
    events: EventService, queued: JobService
) -> None:
    await enqueue(queued)
    watch = await events.watch(LOCAL_OPERATOR, [], after=10**11 - 1)

    await enqueue(queued)

    assert told(await rest(watch)) == [("enqueued", "pending")]


@pytest.mark.parametrize("job_id", ["x", "5", "01a1fd33-f952-75d9-b62d-bbb913599ced"])
async def test_a_job_that_is_not_there_cannot_be_watched(
    events: EventService, queued: JobService, job_id: str
) -> None:
    job = await enqueue(queued)
    with pytest.raises(NotFoundError, match=job_id):
        await events.watch(LOCAL_OPERATOR, [str(job.id), job_id], after=None)


async def test_only_ones_own_jobs_are_seen(events: EventService, queued: JobService) -> None:
    early = await enqueue(queued, ALICE)
    with pytest.raises(NotFoundError):
        await events.watch(BOB, [str(early.id)], after=None)
    watches = {name: await events.watch(name, [], after=0) for name in (ALICE, BOB, LOCAL_OPERATOR)}

    late = await enqueue(queued, ALICE)
    theirs = await enqueue(queued, BOB)

    seen = {name: [n.job_id for n in await rest(watch)] for name, watch in watches.items()}
    assert seen[ALICE][-2:] == [early.id, late.id]
    assert theirs.id not in seen[ALICE]
    assert seen[BOB] == [theirs.id]
    assert seen[LOCAL_OPERATOR][-3:] == [early.id, late.id, theirs.id]


async def test_progress_is_told_and_left_out_of_the_history(
    events: EventService, queued: JobService, database: Database
) -> None:
    job = await enqueue(queued)
    watch = await events.watch(LOCAL_OPERATOR, [str(job.id)], after=None)
    async with database.begin() as transaction:
        changed = await jobs.change(transaction, job.id, progress=0.5)
        await job_events.tell_progress(transaction, changed)

    said = await rest(watch)

    assert said[1:] == [
        JobGlimpse(
            kind="progress",
            job_id=job.id,
            at=changed.updated_at,
            status=changed.status,
            progress=0.5,
        )
    ]
    assert await rest(await events.watch(LOCAL_OPERATOR, [], after=watch.position)) == []


async def test_progress_older_than_the_history_that_was_read_is_not_told(
    events: EventService, queued: JobService, database: Database
) -> None:
    job = await enqueue(queued)
    watch = await events.watch(LOCAL_OPERATOR, [str(job.id)], after=0)
    async with database.begin() as transaction:
        changed = await jobs.change(transaction, job.id, progress=0.5)
        await job_events.tell_progress(transaction, changed)
    await queued.signal(LOCAL_OPERATOR, str(job.id), Signal.CANCEL)
    await asyncio.sleep(SILENCE)  # the notices are waiting when the history is read

    assert told(await rest(watch))[-2:] == [("enqueued", "pending"), ("cancelled", "cancelled")]


async def test_a_deleted_live_job_is_told_of_as_cancelled_and_an_ended_one_not(
    events: EventService, queued: JobService
) -> None:
    live, ended = await enqueue(queued), await enqueue(queued)
    await queued.signal(LOCAL_OPERATOR, str(ended.id), Signal.CANCEL)
    watch = await events.watch(LOCAL_OPERATOR, [], after=None)

    for job in (live, ended):
        await queued.remove(LOCAL_OPERATOR, str(job.id))

    (said,) = await rest(watch)
    assert (said.job_id, said.kind, said.status) == (live.id, "cancelled", "cancelled")


async def test_a_watcher_that_does_not_read_misses_nothing_and_keeps_little(
    events: EventService, queued: JobService
) -> None:
    slow = await events.watch(LOCAL_OPERATOR, [], after=None)
    job = await enqueue(queued)
    for _ in range(120):
        for signal in (Signal.PAUSE, Signal.RESUME):
            await queued.signal(LOCAL_OPERATOR, str(job.id), signal)

    assert len(slow._waiting) <= 200
    history = await queued.events(LOCAL_OPERATOR, 0, job_ids=[job.id], limit=1000)
    assert len(history) == 241
    assert await rest(slow) == history


async def test_events_are_numbered_in_the_order_in_which_they_become_visible(
    events: EventService, queued: JobService, database: Database
) -> None:
    watch = await events.watch(LOCAL_OPERATOR, [], after=None)
    async with database.begin() as transaction:
        first = await enqueue_in(
            transaction, LOCAL_OPERATOR, job_class="work", queue="q", arguments={}
        )
        second = await enqueue(queued)
        seen = await queued.events(LOCAL_OPERATOR, watch.position, job_ids=None, limit=10)
        assert [event.job_id for event in seen] == [second.id]

    said = await rest(watch)
    assert [item.job_id for item in said] == [second.id, first.id]
    later = await queued.events(LOCAL_OPERATOR, seen[-1].id, job_ids=None, limit=10)
    assert [event.job_id for event in later] == [first.id]


async def test_watchers_that_come_and_go_see_every_event_once_while_many_jobs_change(
    events: EventService, queued: JobService
) -> None:
    changed = [await enqueue(queued) for _ in range(8)]
    start = (await events.watch(LOCAL_OPERATOR, [], after=None)).position
    working = True

    async def change(job: Job) -> None:
        for signal in [Signal.PAUSE, Signal.RESUME] * 15:
            await queued.signal(LOCAL_OPERATOR, str(job.id), signal)

    async def follow(chance: random.Random) -> list[int]:
        """Read a few events, leave, and come back with the number of the last one."""
        seen: list[int] = []
        quiet = False
        while working or not quiet:
            last = seen[-1] if seen else start
            watch = await events.watch(LOCAL_OPERATOR, [], after=last)
            left = chance.randrange(1, 20)
            quiet = False
            async with contextlib.aclosing(watch.news(silence=SILENCE)) as several:
                async for news in several:
                    quiet = news is None
                    if isinstance(news, JobEvent):
                        seen.append(news.id)
                        left -= 1
                    if quiet or left == 0:
                        break
        return seen

    followers = [asyncio.create_task(follow(random.Random(n))) for n in range(5)]
    await asyncio.gather(*(change(job) for job in changed))
    working = False

    history = await queued.events(LOCAL_OPERATOR, start, job_ids=None, limit=1000)
    assert len(history) == 8 * 30
    for seen in await asyncio.gather(*followers):
        assert seen == [event.id for event in history]


async def test_after_a_lost_connection_watchers_catch_up(
    events: EventService, queued: JobService, database_url: str
) -> None:
    job = await enqueue(queued)
    watch = await events.watch(LOCAL_OPERATOR, [str(job.id)], after=None)
    watching = watch.news(silence=20)
    assert isinstance(await anext(watching), JobGlimpse)
    # Only listeners have LISTEN as their last statement, or the probe that follows it.
    await execute(
        database_url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' "
        "AND datname = current_database()",
    )
    await queued.signal(LOCAL_OPERATOR, str(job.id), Signal.CANCEL)

    async with asyncio.timeout(4):
        said = await anext(watching)

    assert isinstance(said, JobEvent)
    assert said.kind is EventKind.CANCELLED
    await watching.aclose()


async def test_a_database_that_does_not_answer_is_waited_for(
    database: Database, queued: JobService
) -> None:
    job = await enqueue(queued)
    broken = Database("postgresql://nobody@/none?host=/nowhere", connections=1)
    watch = await EventService(database).watch(LOCAL_OPERATOR, [], after=0)
    watch._database = broken
    watching = watch.news(silence=20)

    assert await anext(watching) is None
    watch._database = database

    found = await anext(watching)
    while found is not None and found.job_id != job.id:
        found = await anext(watching)
    assert found is not None
    await watching.aclose()


async def test_every_watch_ends_when_the_service_stops_also_one_that_begins_later(
    events: EventService, queued: JobService
) -> None:
    async def read(watching: AsyncGenerator[News | None, None]) -> list[News | None]:
        return [news async for news in watching]

    watch = await events.watch(LOCAL_OPERATOR, [], after=None)
    reading = asyncio.create_task(read(watch.news(silence=60)))
    await asyncio.sleep(0.05)

    events.stop()

    async with asyncio.timeout(5):
        assert await reading == []
        late = await events.watch(LOCAL_OPERATOR, [], after=None)
        assert await read(late.news(silence=60)) == []


async def test_a_watch_that_nobody_reads_any_more_is_forgotten(events: EventService) -> None:
    watch = await events.watch(LOCAL_OPERATOR, [], after=None)
    assert len(events._watches) == 1

    del watch

    assert len(events._watches) == 0


async def test_five_hundred_watches_hear_every_event(
    events: EventService, queued: JobService
) -> None:
    watches = [await events.watch(LOCAL_OPERATOR, [], after=None) for _ in range(500)]
    made = [await enqueue(queued) for _ in range(20)]

    said = await asyncio.gather(*(rest(watch) for watch in watches))

    assert all([item.job_id for item in one] == [job.id for job in made] for one in said)
