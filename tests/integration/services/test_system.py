"""What an operator sees: sums that are made now and then, workers and what they run."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from mediatheque.catalog import job_events, jobs, stored, workers
from mediatheque.catalog.database import Database
from mediatheque.domain.access import LOCAL_OPERATOR, Principal
from mediatheque.domain.ids import new_id
from mediatheque.domain.jobs import EventKind, JobStatus
from mediatheque.domain.library import Amount, LibraryKind
from mediatheque.services import system as module
from mediatheque.services.admin import AdminService
from mediatheque.services.jobs import JobService
from mediatheque.services.system import SystemService
from mediatheque.services.workers import WorkerService
from mediatheque.storage.local import LocalStore
from tests.support.database import a_media, add_medias

SOMEBODY = Principal("somebody", "editor")


@pytest.fixture
def system(database: Database, store: LocalStore) -> SystemService:
    crew = WorkerService(database)
    return SystemService(
        database, store, AdminService(database, store, crew, reserved_bytes=0), crew
    )


async def test_sums_are_of_all_time_and_days_of_the_last_ones(
    database: Database, system: SystemService
) -> None:
    now = datetime.now(UTC)
    await add_medias(
        database,
        a_media(size=1, mime_type="video/mp4", created_at=now),
        a_media(size=2, mime_type="video/mp4", created_at=now - timedelta(days=1)),
        a_media(size=4, mime_type="image/png", created_at=now - timedelta(days=99)),
        a_media(size=8, mime_type="image/png", created_at=now, created_by="somebody"),
    )

    found = await system.stored(LOCAL_OPERATOR, days=2)
    theirs = await system.stored(SOMEBODY, days=1)

    today, yesterday = now.date(), now.date() - timedelta(days=1)
    assert found.total == Amount(4, 15)
    assert found.by_kind == {LibraryKind.VIDEO: Amount(2, 3), LibraryKind.IMAGE: Amount(2, 12)}
    assert found.by_day == {
        (yesterday, LibraryKind.VIDEO): Amount(1, 2),
        (today, LibraryKind.VIDEO): Amount(1, 1),
        (today, LibraryKind.IMAGE): Amount(1, 8),
    }
    assert theirs.total == Amount(1, 8)


async def test_many_who_look_at_once_let_it_be_counted_once(
    database: Database, system: SystemService, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []
    real = stored.amounts

    async def counting(*arguments: object, **named: object) -> object:
        counts.append(named)
        return await real(*arguments, **named)  # type: ignore[arg-type]  # whatever it was given

    monkeypatch.setattr(stored, "amounts", counting)
    await asyncio.gather(*(system.stored(LOCAL_OPERATOR, days=days) for days in range(1, 9)))
    assert len(counts) == 1

    monkeypatch.setattr(module, "_LEAST_FRESH_SECONDS", 0.0)
    monkeypatch.setattr(module, "_SHARE", 0)
    fresh = SystemService(database, system._store, system._admin, system._workers)
    await fresh.stored(LOCAL_OPERATOR, days=1)
    await fresh.stored(LOCAL_OPERATOR, days=1)
    assert len(counts) == 3


async def test_without_a_database_the_rest_still_shows(
    postgres_url: str, store: LocalStore
) -> None:
    nowhere = Database(postgres_url.replace("@/postgres?", "@/nothing?"), connections=1)
    crew = WorkerService(nowhere)
    system = SystemService(
        nowhere, store, AdminService(nowhere, store, crew, reserved_bytes=0), crew
    )

    found = await system.standing(LOCAL_OPERATOR)
    await nowhere.close()

    assert not found.readiness.ready
    assert found.workers == []
    assert found.disk is not None
    assert 0 < found.disk.free_bytes <= found.disk.total_bytes


async def a_running_job(database: Database, *actors: str) -> UUID:
    """Add a job that runs, claimed by these in turn."""
    job = await JobService(database).enqueue(LOCAL_OPERATOR, job_class="c", queue="q", arguments={})
    async with database.begin() as transaction:
        running = await jobs.change(transaction, job.id, status=JobStatus.RUNNING)
        for actor in actors:
            await job_events.add(transaction, running, EventKind.STARTED, actor)
            await job_events.add(transaction, running, EventKind.SIGNALLED, "somebody")
    return job.id


async def test_workers_show_with_what_they_run(database: Database, system: SystemService) -> None:
    async with database.begin() as transaction:
        await workers.remove_silent(transaction, seconds=0)
        for name in ("worker a.example.org:1", "worker b:2"):
            await workers.beat(transaction, new_id(), name, warning=None)
    for actors in (["worker b:2"], ["worker b:2", "worker a.example.org:1"], ["worker b:2"]):
        await a_running_job(database, *actors)

    found = (await system.standing(LOCAL_OPERATOR)).workers

    assert [(worker.host, worker.running) for worker in found] == [("a.example.org", 1), ("b", 2)]
