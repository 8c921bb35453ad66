"""Syncs: what is asked, where the keys go, and what comes back."""

import json

import pytest

from mediatheque.client import AsyncClient, ConflictError, ConnectionLostError
from tests.support.scripted import BROKEN, json_answer, scripted
from tests.support.syncs_said import operation, page, plan, running, says, sync, tally

SCHEDULE = {
    "id": 3,
    "cron": "0 3 * * *",
    "next_at": "2026-02-01T03:00:00Z",
    "source": "",
    "dest": "mybucket",
    "storage_url": None,
    "verify": False,
    "force": False,
    "wait": 0,
    "backup_prefix": None,
    "created_at": "2026-01-31T12:00:00Z",
}


async def test_a_sync_is_started_with_what_was_given_and_nothing_else() -> None:
    answer = says(running(plan=plan(upload=tally(2, 10), delete=tally(1))))
    async with scripted(answer) as server, AsyncClient(server.url) as client:
        started = await client.syncs.start("a folder", dest="b", wait=0.5, verify=True)

    assert server.lines() == ["POST /sync"]
    assert json.loads(server.asked[0].body) == {
        "source": "a folder",
        "dest": "b",
        "wait": 0.5,
        "verify": True,
    }
    assert server.asked[0].headers["prefer"] == "wait=0"
    assert started.live
    assert started.plan is not None
    assert started.plan.operations == 3


async def test_keys_travel_in_the_body_and_are_in_nothing_that_is_shown() -> None:
    async with (
        scripted(says(running(storage_url="http://store:9000")), says(SCHEDULE)) as server,
        AsyncClient(server.url) as client,
    ):
        started = await client.syncs.start(
            storage_url="http://store:9000", access_key="CANARY-a", secret_key="CANARY-s"
        )
        made = await client.syncs.schedule(
            "0 3 * * *",
            storage_url="http://store:9000",
            access_key="CANARY-a",
            secret_key="CANARY-s",
        )

    for request in server.asked:
        assert json.loads(request.body)["secret_key"] == "CANARY-s"
        assert "CANARY" not in request.line + str(request.headers)
    assert "CANARY" not in repr(started) + repr(made)


async def test_an_answer_can_be_waited_for() -> None:
    async with scripted(says(sync())) as server, AsyncClient(server.url) as client:
        ended = await client.syncs.start(dry_run=True, prefer_wait=300)

    assert server.asked[0].headers["prefer"] == "wait=300"
    assert not ended.live


async def test_a_sync_is_never_started_twice() -> None:
    async with scripted(BROKEN) as server, AsyncClient(server.url) as client:
        with pytest.raises(ConnectionLostError):
            await client.syncs.start()

    assert len(server.asked) == 1


async def test_a_second_sync_of_a_bucket_is_a_conflict() -> None:
    busy = json_answer('{"error": "It is being synchronised (id 7)."}', status="409 Conflict")
    async with scripted(busy) as server, AsyncClient(server.url) as client:
        with pytest.raises(ConflictError, match="id 7"):
            await client.syncs.start()


async def test_a_sync_is_found_listed_and_cancelled_by_its_number() -> None:
    async with (
        scripted(says(running()), says([running()]), says(sync(status="cancelled"))) as server,
        AsyncClient(server.url) as client,
    ):
        found = await client.syncs.find(7)
        (listed,) = await client.syncs.running()
        cancelled = await client.syncs.cancel(7)

    assert server.lines() == ["GET /get?id=7", "GET /runnings", "POST /cancel?id=7"]
    assert found == listed
    assert cancelled.status == "cancelled"


async def test_operations_come_page_by_page() -> None:
    first = page(operation("update", "a"), operation("update", "b"), after="2.1")
    async with (
        scripted(first, page(operation("update", "c"))) as server,
        AsyncClient(server.url) as client,
    ):
        listed = client.syncs.operations(7, action="update", state="pending", limit=3)
        assert "".join([found.key async for found in listed]) == "abc"

    assert server.lines() == [
        "GET /sync/operations?id=7&action=update&state=pending&limit=3",
        "GET /sync/operations?id=7&limit=2&after=2.1",
    ]


async def test_schedules_are_made_listed_and_removed() -> None:
    gone = json_answer("", status="204 No Content")
    async with (
        scripted(says(SCHEDULE), says([SCHEDULE]), gone) as server,
        AsyncClient(server.url) as client,
    ):
        made = await client.syncs.schedule("0 3 * * *", "a", force=True)
        assert await client.syncs.schedules() == [made]
        await client.syncs.unschedule(made.id)

    assert server.lines() == [
        "POST /sync/schedules",
        "GET /sync/schedules",
        "DELETE /sync/schedules/3",
    ]
    assert json.loads(server.asked[0].body) == {"cron": "0 3 * * *", "source": "a", "force": True}
