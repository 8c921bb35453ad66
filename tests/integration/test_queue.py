"""The queue's worker and driver, with something simpler than jobs behind them."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from mediatheque.catalog.connections import connection_arguments
from mediatheque.catalog.database import Database
from mediatheque.catalog.notices import Notices
from mediatheque.domain.errors import InvalidError
from mediatheque.engine import driver as module
from mediatheque.engine import queue
from mediatheque.engine.driver import Merged, QueueDriver
from mediatheque.engine.worker import Handled, QueueLimits, QueueWorker, check_schedule, next_time
from tests.support.database import execute, fetch


@pytest.fixture
async def driver(database: Database, database_url: str) -> AsyncIterator[QueueDriver]:
    notices = Notices(database_url)
    opened = QueueDriver(connection_arguments(database_url), notices.subscribe)
    listening = asyncio.create_task(notices.run())
    yield opened
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await opened.close()


async def test_an_entry_that_was_picked_again_outlives_who_had_it_before(
    driver: QueueDriver, database_url: str
) -> None:
    began: list[int] = []
    may_end, failed = asyncio.Event(), asyncio.Event()

    async def handle(_job_id: UUID, queue_id: int) -> Handled:
        began.append(queue_id)
        if len(began) == 1:
            await may_end.wait()
        return Handled.DONE

    worker = QueueWorker(
        driver, {"q": QueueLimits(2)}, handle, lease=3, poll=0.2, on_failure=failed.set
    )
    running = asyncio.create_task(worker.run())
    connection = await asyncpg.connect(database_url)
    entry = await queue.enqueue(connection, queue="q", job_id=UUID(int=1))
    await connection.close()
    async with asyncio.timeout(20):
        while not began:
            await asyncio.sleep(0.02)
        # Another worker took the entry over and died; this one finds it stale and takes it back.
        await execute(
            database_url,
            "UPDATE pgqueuer SET queue_manager_id = gen_random_uuid(), updated = now(), "
            "heartbeat = now() - interval '1 hour'",
        )
        again = "SELECT 1 FROM pgqueuer WHERE heartbeat > now() - interval '1 minute'"
        while not await fetch(database_url, again):
            await asyncio.sleep(0.02)

        may_end.set()
        while len(began) < 2:
            await asyncio.sleep(0.02)
    worker.stop()
    await running

    assert began == [entry, entry]
    assert not failed.is_set()
    assert await fetch(database_url, "SELECT 1 FROM pgqueuer") == []


async def test_a_worker_that_can_take_nothing_any_more_says_so_before_its_jobs_have_ended(
    driver: QueueDriver, database_url: str
) -> None:
    began, failed = asyncio.Event(), asyncio.Event()

    async def handle(_job_id: UUID, _queue_id: int) -> Handled:
        began.set()
        await failed.wait()
        return Handled.DONE

    queues = {"q": QueueLimits(2)}
    worker = QueueWorker(driver, queues, handle, lease=3, poll=0.2, on_failure=failed.set)
    running = asyncio.create_task(worker.run())
    connection = await asyncpg.connect(database_url)
    await queue.enqueue(connection, queue="q", job_id=UUID(int=1))
    await connection.close()
    await asyncio.wait_for(began.wait(), 10)
    await execute(database_url, "ALTER TABLE pgqueuer RENAME COLUMN queue_manager_id TO elsewhere")
    try:
        await asyncio.wait_for(failed.wait(), 10)
        with pytest.raises(ExceptionGroup, match="TaskGroup"):
            await asyncio.wait_for(running, 20)
    finally:
        await execute(
            database_url, "ALTER TABLE pgqueuer RENAME COLUMN elsewhere TO queue_manager_id"
        )
        await execute(database_url, "DELETE FROM pgqueuer")


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param("RAISE EXCEPTION 'met' USING ERRCODE = 'deadlock_detected'", id="a deadlock"),
        pytest.param(
            "RAISE EXCEPTION 'standby' USING ERRCODE = 'read_only_sql_transaction'", id="a standby"
        ),
        pytest.param("PERFORM pg_sleep(60)", id="no answer"),
    ],
)
async def test_a_statement_that_was_in_the_way_or_has_no_answer_is_sent_again(
    driver: QueueDriver, database_url: str, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    monkeypatch.setattr(module, "_STATEMENT_SECONDS", 1)
    await execute(database_url, "CREATE SEQUENCE IF NOT EXISTS tries")
    await execute(database_url, "ALTER SEQUENCE tries RESTART")

    async with asyncio.timeout(20):
        await driver.execute(f"DO $$ BEGIN IF nextval('tries') = 1 THEN {trouble}; END IF; END $$")

    assert [row["last_value"] for row in await fetch(database_url, "SELECT * FROM tries")] == [2]


@pytest.mark.parametrize("expression", ["61 * * * *", "0 0 30 2 *", "* * *", "never"])
def test_a_schedule_without_any_time_to_come_is_refused(expression: str) -> None:
    with pytest.raises(InvalidError, match="cron expression"):
        check_schedule(expression)


def test_the_next_time_is_the_first_one_after() -> None:
    at = datetime(2026, 2, 28, 3, 17, tzinfo=UTC)
    assert next_time("17 3 * * *", at - timedelta(seconds=1)) == at
    assert next_time("17 3 * * *", at) == at + timedelta(days=1)
    assert next_time("@yearly", at) == datetime(2027, 1, 1, tzinfo=UTC)


def test_the_queue_is_what_it_is_whatever_the_librarys_own_variables_say() -> None:
    program = "from mediatheque.engine.queue import SETTINGS; print(SETTINGS.model_dump_json())"
    said = [
        subprocess.run(
            [sys.executable, "-c", program], env=variables, capture_output=True, check=True
        ).stdout
        for variables in (
            {},
            {
                "PGQUEUER_DURABILITY": "volatile",
                "PGQUEUER_SCHEDULES_TABLE": "other",
                "PGQUEUER_TRIGGER": "other",
                "PGQUEUER_WIDEN_ID": "false",
                "PGQUEUER_PREFIX": "other_",
            },
        )
    ]

    assert said[0] == said[1]


async def test_a_flood_of_changes_is_told_as_a_few_and_the_last_is_never_lost() -> None:
    heard: list[dict[str, Any]] = []
    tell = Merged(lambda text: heard.append(json.loads(text)))

    for number in range(1000):
        tell(f'{{"type": "table_changed_event", "number": {number}}}')
        tell(f'{{"type": "health_check_event", "number": {number}}}')
    await asyncio.sleep(0.1)
    tell('{"type": "table_changed_event", "number": 1000}')

    changes = [one["number"] for one in heard if one["type"] == "table_changed_event"]
    assert changes == [0, 999, 1000]
    assert len(heard) == 1000 + len(changes)
