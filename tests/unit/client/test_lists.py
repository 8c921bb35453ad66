"""Lists that come in pages, and the stream of events: what is asked, and when it ends."""

import json
from contextlib import aclosing

import pytest

from mediatheque.client import AsyncClient, NotUnderstoodError
from mediatheque.client.transfers import source_uri
from tests.support.proxy import answer
from tests.support.scripted import BROKEN, json_answer, scripted

JOB = {
    "job_class": "transfer",
    "arguments": {},
    "priority": 0,
    "status": "running",
    "progress": 0.5,
    "retry_count": 0,
    "error": None,
    "unicity": None,
    "scheduled_at": None,
    "created_at": "2026-01-31T12:00:00Z",
    "updated_at": "2026-01-31T12:00:00Z",
    "started_at": None,
    "finished_at": None,
}
TRANSFER = {
    "id": "t",
    "status": "running",
    "sources": ["file:///x"],
    "created_at": "2026-01-31T12:00:00Z",
    "started_at": None,
    "finished_at": None,
    "progress": 0.5,
    "files": {"total": 2, "complete": 1, "failed": 0, "skipped": 0, "pending": 1},
    "bytes": {"total": 10, "complete": 5},
    "scanned": True,
    "rate": None,
    "eta": None,
    "bandwidth": None,
    "error": None,
}


def job_page(*ids: str, after: str | None = None) -> bytes:
    data = [{"type": "media:jobs", "id": name, "attributes": JOB} for name in ids]
    link = after and f"http://elsewhere/jobs?sort=id&page[after]={after}"
    return json_answer(json.dumps({"data": data, "meta": {}, "links": {"next": link}}))


def transfer_page(*ids: str, after: str | None = None) -> bytes:
    link = after and f"http://elsewhere/transfers?limit=2&after={after}"
    found = [{**TRANSFER, "id": name} for name in ids]
    return json_answer(json.dumps({"transfers": found, "next": link}))


def event(number: int | None, kind: str, status: str = "running") -> bytes:
    data = {
        "job": "a",
        "kind": kind,
        "at": "2026-01-31T12:00:00Z",
        "status": status,
        "progress": 0.5,
    }
    name = f"id: {number}\n" if number is not None else ""
    return f"{name}event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


def stream(*events: bytes) -> bytes:
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    return head.encode() + b"".join(events)


async def test_pages_follow_the_cursor_at_the_address_that_was_given() -> None:
    async with (
        scripted(job_page("a", "b", after="c1"), job_page("c")) as server,
        AsyncClient(server.url) as client,
    ):
        found = [job.id async for job in client.jobs.list(filters={"status": ["running", "x"]})]

    assert found == ["a", "b", "c"]
    assert "filter%5Bstatus%5D%5B%5D=running&filter%5Bstatus%5D%5B%5D=x" in server.lines()[0]
    assert server.lines()[0].endswith("page%5Bafter%5D=")
    assert server.lines()[1].endswith("page%5Bafter%5D=c1")


@pytest.mark.parametrize(("limit", "found", "asked"), [(0, "", 0), (2, "ab", 1), (3, "abc", 2)])
async def test_no_page_is_asked_for_that_is_not_needed(limit: int, found: str, asked: int) -> None:
    async with (
        scripted(job_page("a", "b", after="c1"), job_page("c", "d")) as server,
        AsyncClient(server.url) as client,
    ):
        assert "".join([job.id async for job in client.jobs.list(limit=limit)]) == found

    assert len(server.asked) == asked


@pytest.mark.parametrize(("limit", "found"), [(None, "abc"), (0, ""), (2, "ab"), (3, "abc")])
async def test_transfers_are_listed_page_by_page(limit: int | None, found: str) -> None:
    async with (
        scripted(transfer_page("a", "b", after="b"), transfer_page("c")) as server,
        AsyncClient(server.url) as client,
    ):
        listed = client.transfers.list(status=["running", "paused"], limit=limit)
        assert "".join([transfer.id async for transfer in listed]) == found

    assert server.lines()[1:] in ([], ["GET /transfers?limit=2&after=b"])


async def test_an_attribute_that_is_missing_is_told() -> None:
    body = json.dumps({"data": {"type": "media:jobs", "id": "a", "attributes": {}}})
    async with scripted(json_answer(body)) as server, AsyncClient(server.url) as client:
        with pytest.raises(NotUnderstoodError, match="another version"):
            await client.jobs.find("a")


@pytest.mark.parametrize("end", [BROKEN, answer("503 Service Unavailable"), stream()])
async def test_watching_goes_on_after_the_last_event_that_was_seen(end: bytes) -> None:
    start = b"id: 5\n\n"
    first = stream(start, event(None, "state"), event(7, "started"), event(None, "progress"))
    second = stream(event(8, "completed", "completed"))
    async with (
        scripted(first, end, second) as server,
        AsyncClient(server.url) as client,
        aclosing(client.jobs.watch("a", "b")) as events,
    ):
        seen = [await anext(events) for _ in range(4)]

    assert [(e.kind, e.id, e.live) for e in seen] == [
        ("state", None, True),
        ("started", 7, True),
        ("progress", None, True),
        ("completed", 8, False),
    ]
    assert server.lines() == ["GET /events?job=a&job=b"] * 3
    assert [request.headers.get("last-event-id") for request in server.asked] == [None, "7", "7"]


async def test_a_connection_that_breaks_before_any_event_misses_nothing() -> None:
    async with (
        scripted(stream(b"id: 5\n\n"), stream(event(6, "started"))) as server,
        AsyncClient(server.url) as client,
        aclosing(client.jobs.watch()) as events,
    ):
        assert (await anext(events)).id == 6

    assert server.lines() == ["GET /events"] * 2
    assert server.asked[1].headers["last-event-id"] == "5"


async def test_history_can_be_watched_from_an_event_on() -> None:
    async with (
        scripted(stream(event(8, "started"))) as server,
        AsyncClient(server.url) as client,
        aclosing(client.jobs.watch(after=7)) as events,
    ):
        await anext(events)

    assert server.asked[0].headers["last-event-id"] == "7"


def test_a_source_keeps_every_byte_of_its_path() -> None:
    assert source_uri("/a b/\udcff%?.mov") == "file:///a%20b/%FF%25%3F.mov"
    assert source_uri("/a/../b/") == "file:///b"
    assert source_uri("s3://bucket/x") == "s3://bucket/x"
