"""Asking for syncs: one at a time for a bucket, keys sealed until the end, waiting, cancelling."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mediatheque.catalog import sync_operations, syncs
from mediatheque.catalog.database import Database
from mediatheque.domain.access import LOCAL_OPERATOR, Principal
from mediatheque.domain.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    MediathequeError,
    NotFoundError,
)
from mediatheque.domain.jobs import JobStatus, Signal
from mediatheque.domain.syncs import Action, Operation, OperationState, Phase, Sync, SyncOptions
from mediatheque.services.jobs import JobService
from mediatheque.services.sync_requests import SyncRequest, sealing_context
from mediatheque.services.syncs import QUEUE, SyncService
from mediatheque.storage.endpoints import Endpoints
from mediatheque.storage.s3_keys import S3Keys
from mediatheque.storage.sealing import Sealer
from tests.support.database import execute, fetch
from tests.support.syncs import SyncStage

ALICE = Principal("alice", "member")
BOB = Principal("bob", "member")
STORE = "http://127.0.0.1:9000"
CANARY = "c4n4ry+of/n0body"
SEALER = Sealer(b"s" * 32)


@pytest.fixture
def service(database: Database) -> SyncService:
    return SyncService(database, Endpoints((), loopback=True), SEALER)


def a_request(**values: Any) -> SyncRequest:
    return SyncRequest(**({"dest": "mirror"} | values))


async def end(url: str, sync: Sync, status: JobStatus = JobStatus.COMPLETED) -> None:
    """End a sync as the worker that runs its job does."""
    await execute(
        url, "UPDATE jobs SET status = $2, finished_at = now() WHERE id = $1", sync.id, status
    )


async def count(url: str) -> int:
    """Return how many rows a sync could have left behind."""
    rows = await fetch(
        url, "SELECT (SELECT count(*) FROM jobs) + (SELECT count(*) FROM pgqueuer) AS n"
    )
    return int(rows[0]["n"])


async def test_a_sync_starts_as_a_job_in_its_queue(
    service: SyncService, database: Database
) -> None:
    options = SyncOptions(wait=1.5, verify=True, backup_prefix="/old/", region="eu-west-1")
    started = await service.start(
        LOCAL_OPERATOR,
        a_request(source="./a//b/", storage_url="http://LOCALHOST:9000/", options=options),
    )

    assert (started.location, started.bucket, started.source) == (STORE, "mirror", "a/b")
    assert started.options == replace(options, backup_prefix="old")
    assert (started.status, started.phase, started.plan) == ("running", Phase.PLANNING, None)
    assert await service.find(LOCAL_OPERATOR, started.number) == started
    job = await JobService(database).find(LOCAL_OPERATOR, str(started.id))
    assert (job.job_class, job.queue, job.status) == ("sync", QUEUE, JobStatus.PENDING)
    assert job.unicity == f"sync:{STORE}/mirror"
    assert job.arguments == {
        "source": "a/b",
        "dest": "mirror",
        "storage_url": STORE,
        "dry_run": False,
    }


async def test_a_bucket_has_one_sync_at_a_time(service: SyncService, database_url: str) -> None:
    first = await service.start(LOCAL_OPERATOR, a_request())
    rows = await count(database_url)

    with pytest.raises(ConflictError, match=rf"already \(id {first.number}\)"):
        await service.start(LOCAL_OPERATOR, a_request(source="elsewhere"))

    assert await count(database_url) == rows
    others = [
        await service.start(LOCAL_OPERATOR, a_request(dest="other")),
        await service.start(LOCAL_OPERATOR, a_request(storage_url=STORE)),
        await service.start(LOCAL_OPERATOR, a_request(options=SyncOptions(dry_run=True))),
        await service.start(LOCAL_OPERATOR, a_request(options=SyncOptions(dry_run=True))),
    ]
    assert await service.runnings(LOCAL_OPERATOR) == [first, *others]
    await end(database_url, first, JobStatus.ERRORED)
    again = await service.start(LOCAL_OPERATOR, a_request())
    assert again.bucket_id == first.bucket_id
    assert again.number > first.number


async def test_of_many_at_once_one_starts(service: SyncService) -> None:
    results = await asyncio.gather(
        *(service.start(LOCAL_OPERATOR, a_request()) for _ in range(8)), return_exceptions=True
    )
    started = [result for result in results if isinstance(result, Sync)]
    assert len(started) == 1
    refused = [result for result in results if isinstance(result, ConflictError)]
    assert len(refused) == 7
    assert all(f"(id {started[0].number})" in error.detail for error in refused)


async def test_a_bucket_with_a_very_long_place_has_one_sync_at_a_time_too(
    database: Database,
) -> None:
    host = ".".join(["a" * 60] * 4)
    service = SyncService(database, Endpoints([f"https://{host}"], loopback=False), SEALER)
    request = a_request(storage_url=f"https://{host}", dest="b" * 63)
    await service.start(LOCAL_OPERATOR, request)
    with pytest.raises(ConflictError, match="already"):
        await service.start(LOCAL_OPERATOR, request)


BAD: dict[str, dict[str, Any]] = {
    "dest": {"dest": "No_Bucket"},
    "source": {"source": "a/../../b"},
    "source ": {"source": "/etc"},
    "storage_url": {"storage_url": "ftp://127.0.0.1"},
    "wait": {"options": SyncOptions(wait=60.5)},
    "wait ": {"options": SyncOptions(wait=float("nan"))},
    "region": {"options": SyncOptions(region="eu west")},
    "backup_prefix": {"options": SyncOptions(backup_prefix="a/../b")},
    "watch": {"options": SyncOptions(watch=True, dry_run=True)},
    "access_key": {"storage_url": STORE, "keys": S3Keys("a b", CANARY)},
    "secret_key": {"storage_url": STORE, "keys": S3Keys("a", f"{CANARY}\n")},
    "secret_key ": {"storage_url": STORE, "keys": S3Keys("a", CANARY * 100)},
    "access_key ": {"keys": S3Keys("a", CANARY)},
}


@pytest.mark.parametrize("name", BAD)
async def test_what_is_wrong_is_refused_before_anything_is_written(
    service: SyncService, database_url: str, name: str
) -> None:
    rows = await count(database_url)
    with pytest.raises(InvalidError) as refused:
        await service.start(LOCAL_OPERATOR, a_request(**BAD[name]))
    assert refused.value.field == name.strip()
    assert name.strip() in refused.value.detail
    assert CANARY not in refused.value.detail
    assert await count(database_url) == rows


async def test_a_store_that_is_not_allowed_is_refused(service: SyncService) -> None:
    with pytest.raises(ForbiddenError, match="MEDIATHEQUE_SYNC_ENDPOINTS"):
        await service.start(LOCAL_OPERATOR, a_request(storage_url="https://s3.example.com"))


async def test_a_store_that_is_allowed_no_more_when_the_sync_runs_is_not_spoken_to(
    database: Database, tmp_path: Path
) -> None:
    stage = SyncStage(database, tmp_path, lambda: pytest.fail("opened"))
    once = SyncService(database, Endpoints(["https://s3.example.com"], loopback=False), SEALER)
    started = await once.start(LOCAL_OPERATOR, a_request(storage_url="https://s3.example.com"))

    ended = await stage.run(started)

    assert ended.job_status is JobStatus.ERRORED
    assert "MEDIATHEQUE_SYNC_ENDPOINTS" in (ended.error or "")


@pytest.mark.parametrize(
    "status", [JobStatus.COMPLETED, JobStatus.ERRORED, JobStatus.CANCELLED, None]
)
async def test_keys_are_sealed_in_the_row_and_wiped_at_the_end(
    service: SyncService, database: Database, database_url: str, status: JobStatus | None
) -> None:
    keys = S3Keys("access-canary", CANARY)
    started = await service.start(LOCAL_OPERATOR, a_request(storage_url=STORE, keys=keys))

    assert started.options.keyed
    async with database.read() as connection:
        sealed = await syncs.credentials(connection, started.id)
    assert sealed is not None
    assert SEALER.open(sealed, sealing_context(STORE, "mirror")) == keys
    with pytest.raises(MediathequeError):
        SEALER.open(sealed, sealing_context("http://127.0.0.2", "mirror"))
    for table in ("jobs", "syncs", "job_events", "pgqueuer", "sync_buckets"):
        for row in await fetch(database_url, f"SELECT t::text AS row FROM {table} t"):
            assert "canary" not in row["row"]
            assert CANARY not in row["row"]
            assert CANARY.encode().hex() not in row["row"]

    if status is None:
        await service.cancel(LOCAL_OPERATOR, started.number)
    else:
        await end(database_url, started, status)
    async with database.read() as connection:
        assert await syncs.credentials(connection, started.id) is None


async def test_waiting_ends_with_the_sync_or_with_the_time(
    service: SyncService, database_url: str
) -> None:
    started = await service.start(LOCAL_OPERATOR, a_request())
    clock = asyncio.get_running_loop().time

    began = clock()
    assert (await service.wait_for(LOCAL_OPERATOR, started.number, 0)).status == "running"
    assert clock() - began < 0.2
    assert (await service.wait_for(LOCAL_OPERATOR, started.number, 0.3)).status == "running"
    assert 0.3 <= clock() - began < 1
    waiting = asyncio.create_task(service.wait_for(LOCAL_OPERATOR, started.number, 20))
    await asyncio.sleep(0.05)
    await end(database_url, started)
    began = clock()
    assert (await waiting).status == "success"
    assert clock() - began < 1


async def test_a_sync_that_waits_is_cancelled_at_once(service: SyncService) -> None:
    started = await service.start(LOCAL_OPERATOR, a_request())
    cancelled = await service.cancel(LOCAL_OPERATOR, started.number)
    assert cancelled.status == "cancelled"
    assert cancelled.finished_at is not None
    assert await service.runnings(LOCAL_OPERATOR) == []
    assert await service.cancel(LOCAL_OPERATOR, started.number) == cancelled


async def test_a_running_sync_is_asked_to_end_and_waited_for(
    service: SyncService, database: Database, database_url: str
) -> None:
    started = await service.start(LOCAL_OPERATOR, a_request())
    await execute(database_url, "UPDATE jobs SET status = 'running' WHERE id = $1", started.id)

    async def work() -> None:
        """Do what a worker does that hears of the signal."""
        jobs = JobService(database)
        while (await jobs.find(LOCAL_OPERATOR, str(started.id))).signal is not Signal.CANCEL:
            await asyncio.sleep(0.01)
        await end(database_url, started, JobStatus.CANCELLED)

    worker = asyncio.create_task(work())
    assert (await service.cancel(LOCAL_OPERATOR, started.number)).status == "cancelled"
    await worker


async def test_a_cancellation_does_not_wait_for_long(
    service: SyncService, database_url: str
) -> None:
    started = await service.start(LOCAL_OPERATOR, a_request())
    await execute(database_url, "UPDATE jobs SET status = 'running' WHERE id = $1", started.id)
    began = asyncio.get_running_loop().time()
    assert (await service.cancel(LOCAL_OPERATOR, started.number)).status == "running"
    assert 1.9 < asyncio.get_running_loop().time() - began < 5


@pytest.mark.parametrize("status", [JobStatus.COMPLETED, JobStatus.ERRORED, JobStatus.CANCELLED])
async def test_cancelling_an_ended_sync_changes_nothing(
    service: SyncService, database_url: str, status: JobStatus
) -> None:
    started = await service.start(LOCAL_OPERATOR, a_request())
    await end(database_url, started, status)
    ended = await service.find(LOCAL_OPERATOR, started.number)
    assert await service.cancel(LOCAL_OPERATOR, started.number) == ended


@pytest.mark.parametrize("number", [0, -1, 2**31, 2**63 - 1, 2**63, -(2**63), 10**40, 10**4299])
async def test_a_number_that_no_sync_has_is_not_found(service: SyncService, number: int) -> None:
    for ask in (service.find, service.cancel):
        with pytest.raises(NotFoundError, match="There is no sync") as unknown:
            await ask(LOCAL_OPERATOR, number)
        assert len(unknown.value.detail) < 100


async def test_operations_come_in_pages_in_the_order_of_work(
    service: SyncService, database: Database
) -> None:
    started = await service.start(LOCAL_OPERATOR, a_request())
    planned = [
        Operation(action=action, position=position, key=b"k%d" % position, path=b"", size=1)
        for action in (Action.UPLOAD, Action.UPDATE, Action.DELETE)
        for position in range(3)
    ]
    async with database.begin() as transaction:
        await syncs.change(transaction, started.id, phase=Phase.UPLOADING)
        await sync_operations.add(transaction, started.id, list(reversed(planned)))
        done = (1, 1, OperationState.DONE, None)
        await sync_operations.save(transaction, started.id, [done])

    found: list[Operation] = []
    more = True
    while more:
        after = (found[-1].rank, found[-1].position) if found else None
        page = await service.operations(LOCAL_OPERATOR, started.number, after=after, limit=4)
        found += page.operations
        more = page.more
    assert len(found) == 9
    assert [(each.action, each.position) for each in found] == [
        (each.action, each.position) for each in planned
    ]
    page = await service.operations(
        LOCAL_OPERATOR, started.number, action=Action.UPLOAD, state=OperationState.DONE, limit=5
    )
    assert ([each.position for each in page.operations], page.more) == ([1], False)


async def test_the_history_comes_in_pages_newest_first(
    service: SyncService, database_url: str
) -> None:
    first = await service.start(ALICE, a_request())
    await end(database_url, first, JobStatus.COMPLETED)
    second = await service.start(ALICE, a_request(options=SyncOptions(dry_run=True)))
    await service.start(BOB, a_request())

    page = await service.history(ALICE, after=None, limit=1)
    assert ([one.number for one in page.syncs], page.more) == ([second.number], True)
    page = await service.history(ALICE, after=second.number, limit=1)
    assert ([one.number for one in page.syncs], page.more) == ([first.number], False)
    assert page.syncs[0].status == "success"


Asked = Callable[[SyncService, Principal, Sync], Awaitable[Any]]
SCOPED: dict[str, Asked] = {
    "find": lambda s, who, sync: s.find(who, sync.number),
    "wait_for": lambda s, who, sync: s.wait_for(who, sync.number, 0),
    "operations": lambda s, who, sync: s.operations(who, sync.number, limit=1),
    "cancel": lambda s, who, sync: s.cancel(who, sync.number),
}


@pytest.mark.parametrize("name", SCOPED)
async def test_only_the_owner_and_operators_reach_a_sync(service: SyncService, name: str) -> None:
    started = await service.start(ALICE, a_request())
    assert await service.runnings(BOB) == []
    assert await service.runnings(ALICE) == [started]
    with pytest.raises(NotFoundError):
        await SCOPED[name](service, BOB, started)
    for principal in (ALICE, LOCAL_OPERATOR):
        assert await SCOPED[name](service, principal, started)
