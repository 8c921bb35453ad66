"""Schedules of syncs: each due one starts once, whoever looks, unless its bucket is busy."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from mediatheque.catalog import syncs
from mediatheque.catalog.database import Database
from mediatheque.domain.access import LOCAL_OPERATOR, Principal
from mediatheque.domain.errors import ForbiddenError, InvalidError, NotFoundError
from mediatheque.domain.syncs import SyncOptions, SyncSchedule
from mediatheque.services.sync_requests import SyncRequest, sealing_context
from mediatheque.services.sync_schedules import SyncScheduleService
from mediatheque.services.syncs import SyncService
from mediatheque.storage.endpoints import Endpoints
from mediatheque.storage.s3_keys import S3Keys
from mediatheque.storage.sealing import Sealer
from tests.support.database import execute, fetch

ALICE = Principal("alice", "member")
BOB = Principal("bob", "member")
STORE = "http://127.0.0.1:9000"
SEALER = Sealer(b"s" * 32)
LOOPBACK = Endpoints((), loopback=True)
HOURLY = "17 * * * *"


@pytest.fixture
def service(database: Database) -> SyncScheduleService:
    return SyncScheduleService(database, LOOPBACK, SEALER)


@pytest.fixture
def syncing(database: Database) -> SyncService:
    return SyncService(database, LOOPBACK, SEALER)


async def create(
    service: SyncScheduleService, cron: str = HOURLY, who: Principal = LOCAL_OPERATOR, **values: Any
) -> SyncSchedule:
    return await service.create(who, cron, SyncRequest(**values))


async def make_due(url: str, *, hours: int = 5) -> None:
    """Let the time of every schedule have come some hours ago."""
    await execute(
        url, "UPDATE sync_schedules SET next_at = now() - $1::interval", timedelta(hours=hours)
    )


async def test_a_schedule_is_kept_with_its_next_time(service: SyncScheduleService) -> None:
    options = SyncOptions(verify=True, wait=2.0, backup_prefix="old")
    before = datetime.now(UTC)
    created = await create(service, source="a/b", dest="mirror", options=options)

    assert (created.source, created.bucket, created.location) == ("a/b", "mirror", "")
    assert (created.options, created.cron) == (options, HOURLY)
    assert before < created.next_at <= before + timedelta(hours=1, seconds=5)
    assert (created.next_at.minute, created.next_at.second) == (17, 0)
    another = await create(service, "@daily", storage_url="http://localhost:9000")
    assert (another.location, another.next_at.hour) == (STORE, 0)
    assert await service.list(LOCAL_OPERATOR) == [created, another]


@pytest.mark.parametrize(
    "cron", ["", "never", "* * * *", "* * * * * *", "61 * * * *", "0 0 30 2 *", "\0 * * * *"]
)
async def test_what_is_no_cron_expression_is_refused(
    service: SyncScheduleService, cron: str
) -> None:
    with pytest.raises(InvalidError, match="cron") as refused:
        await create(service, cron)
    assert refused.value.field == "cron"
    assert await service.list(LOCAL_OPERATOR) == []


async def test_what_a_sync_would_be_refused_for_refuses_a_schedule(
    service: SyncScheduleService,
) -> None:
    with pytest.raises(InvalidError, match="dest must be"):
        await create(service, dest="No_Bucket")
    with pytest.raises(ForbiddenError, match="MEDIATHEQUE_SYNC_ENDPOINTS"):
        await create(service, storage_url="https://s3.example.com")
    with pytest.raises(InvalidError, match="no dry_run"):
        await create(service, options=SyncOptions(dry_run=True))
    with pytest.raises(InvalidError, match="no watch"):
        await create(service, options=SyncOptions(watch=True))
    assert await service.list(LOCAL_OPERATOR) == []


async def test_only_what_is_due_starts_and_missed_times_count_as_one(
    service: SyncScheduleService, syncing: SyncService, database_url: str
) -> None:
    due = await create(service, who=ALICE, source="a", dest="mirror", options=SyncOptions(wait=1.0))
    await service.start_due()
    assert await syncing.runnings(LOCAL_OPERATOR) == []
    await make_due(database_url)
    later = await create(service, dest="later")

    await service.start_due()
    await service.start_due()

    (started,) = await syncing.runnings(LOCAL_OPERATOR)
    assert await syncing.runnings(ALICE) == [started]
    assert (started.source, started.bucket) == ("a", "mirror")
    assert started.options == SyncOptions(wait=1.0, scheduled=True)
    now = datetime.now(UTC)
    first, second = await service.list(LOCAL_OPERATOR)
    assert first.number == due.number
    assert now < first.next_at <= now + timedelta(hours=1)
    assert second == later


async def test_workers_that_look_at_the_same_moment_start_each_once(
    service: SyncScheduleService, syncing: SyncService, database_url: str
) -> None:
    for number in range(6):
        await create(service, dest=f"mirror-{number}")
    await make_due(database_url)

    await asyncio.gather(*(service.start_due() for _ in range(4)))

    started = await syncing.runnings(LOCAL_OPERATOR)
    assert sorted(sync.bucket for sync in started) == [f"mirror-{number}" for number in range(6)]
    jobs = await fetch(database_url, "SELECT count(*) AS n FROM jobs")
    assert jobs[0]["n"] == 6


async def test_a_busy_bucket_is_left_until_the_next_time_and_the_log_says_so(
    service: SyncScheduleService, syncing: SyncService, database_url: str
) -> None:
    created = await create(service, dest="mirror")
    other = await create(service, dest="other")
    busy = await syncing.start(LOCAL_OPERATOR, SyncRequest(dest="mirror"))
    await make_due(database_url)

    with capture_logs() as logs:
        await service.start_due()

    running = await syncing.runnings(LOCAL_OPERATOR)
    assert [sync.bucket for sync in running] == ["mirror", "other"]
    assert running[0].number == busy.number
    assert all(one.next_at > datetime.now(UTC) for one in await service.list(LOCAL_OPERATOR))
    (refused,) = [line for line in logs if line["log_level"] == "warning"]
    assert (refused["event"], refused["schedule"], refused["bucket"], refused["job"]) == (
        "scheduled sync not started",
        created.number,
        "mirror",
        str(busy.id),
    )
    (begun,) = [line for line in logs if line["log_level"] == "info"]
    assert (begun["schedule"], begun["sync"]) == (other.number, running[1].number)


async def test_a_store_that_is_not_allowed_any_more_is_left_alone(
    service: SyncScheduleService, syncing: SyncService, database: Database, database_url: str
) -> None:
    await create(service, storage_url=STORE)
    await make_due(database_url)
    stricter = SyncScheduleService(database, Endpoints((), loopback=False), SEALER)

    with capture_logs() as logs:
        await stricter.start_due()

    assert await syncing.runnings(LOCAL_OPERATOR) == []
    assert "MEDIATHEQUE_SYNC_ENDPOINTS" in logs[0]["reason"]
    (kept,) = await service.list(LOCAL_OPERATOR)
    assert kept.next_at > datetime.now(UTC)


async def test_keys_are_kept_sealed_for_every_sync_of_a_schedule(
    service: SyncScheduleService, syncing: SyncService, database: Database, database_url: str
) -> None:
    keys = S3Keys("access-canary", "secret-canary")
    await create(service, dest="mirror", storage_url=STORE, keys=keys)
    for table in ("sync_schedules", "sync_buckets"):
        for row in await fetch(database_url, f"SELECT t::text AS row FROM {table} t"):
            assert "canary" not in row["row"]

    for _ in range(2):
        await make_due(database_url)
        await service.start_due()
        (started,) = await syncing.runnings(LOCAL_OPERATOR)
        assert started.options.keyed
        async with database.read() as connection:
            sealed = await syncs.credentials(connection, started.id)
        assert sealed is not None
        assert SEALER.open(sealed, sealing_context(STORE, "mirror")) == keys
        await syncing.cancel(LOCAL_OPERATOR, started.number)


async def test_a_removed_schedule_starts_nothing_more(
    service: SyncScheduleService, syncing: SyncService, database_url: str
) -> None:
    created = await create(service)
    await make_due(database_url)
    await service.remove(LOCAL_OPERATOR, created.number)
    await service.start_due()
    assert await syncing.runnings(LOCAL_OPERATOR) == []
    for number in (created.number, 0, -1, 2**63, 10**50):
        with pytest.raises(NotFoundError, match="There is no"):
            await service.remove(LOCAL_OPERATOR, number)


async def test_only_the_owner_and_operators_reach_a_schedule(service: SyncScheduleService) -> None:
    created = await create(service, who=ALICE)
    assert await service.list(BOB) == []
    assert await service.list(ALICE) == await service.list(LOCAL_OPERATOR) == [created]
    with pytest.raises(NotFoundError):
        await service.remove(BOB, created.number)
    await service.remove(ALICE, created.number)
    assert await service.list(LOCAL_OPERATOR) == []
