"""``GET /events``: what happens to jobs, as server-sent events."""

import time
from datetime import datetime

import httpx
import pytest

from mediatheque.domain.ids import new_id
from mediatheque.domain.jobs import Job
from tests.support.event_stream import EventStream, Sent, event_stream
from tests.support.job_rows import enqueue
from tests.support.medias import check_problem
from tests.support.service import Service


def signal(service: Service, job: Job, *signals: str) -> None:
    """Signal a job."""
    for name in signals:
        answer = service.http.post(f"/jobs/{job.id}/signal", json={"signal": name})
        assert answer.status_code == 200


def after_start(stream: EventStream) -> EventStream:
    """Return a stream from behind its starting point."""
    assert stream.next().data is None
    return stream


def test_a_stream_begins_with_where_the_job_stands(local_service: Service) -> None:
    job = enqueue(local_service)
    with event_stream(local_service, ("job", str(job.id))) as stream:
        start, state = stream.take(2)
    headers = dict(stream.headers)
    assert {name: headers[name] for name in headers if name not in {"date", "x-request-id"}} == {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
        "server": "granian",
        "transfer-encoding": "chunked",
    }
    assert start.id is not None
    assert start == Sent(id=str(int(start.id)))
    assert state == Sent(
        event="state",
        data={
            "job": str(job.id),
            "kind": "state",
            "at": job.updated_at.isoformat().replace("+00:00", "Z"),
            "status": "pending",
            "progress": 0.0,
        },
    )


def test_what_happens_is_told_as_it_happens(local_service: Service) -> None:
    job = enqueue(local_service)
    with event_stream(local_service, ("job", str(job.id))) as stream:
        start, _ = stream.take(2)
        signal(local_service, job, "pause", "resume", "cancel")
        events = stream.take(3)
    numbers = [int(event.id or "") for event in (start, *events)]
    assert numbers == sorted(set(numbers))
    expected = [("paused", "pause", "paused"), ("resumed", "resume", "pending")]
    for event, (kind, asked, status) in zip(
        events, [*expected, ("cancelled", "cancel", "cancelled")], strict=True
    ):
        assert event == Sent(
            id=event.id,
            event=kind,
            data={
                "job": str(job.id),
                "kind": kind,
                "at": event.data["at"],
                "actor": "local",
                "detail": {"signal": asked},
                "status": status,
                "progress": 0.0,
            },
        )
        assert datetime.fromisoformat(event.data["at"]).tzinfo is not None


def test_a_job_that_runs_is_told_of_from_beginning_to_end(local_service: Service) -> None:
    with event_stream(local_service) as stream:
        after_start(stream)
        job = enqueue(local_service, "janitor", queue="maintenance")
        told: list[Sent] = []
        while not told or told[-1].event != "completed":
            event = stream.next()
            if event.data["job"] == str(job.id) and event.event != "progress":
                told.append(event)
    assert [event.event for event in told] == ["enqueued", "started", "completed"]
    assert told[1].data["detail"] == {"epoch": 1}
    assert told[1].data["actor"].startswith("worker ")
    assert [event.data["status"] for event in told] == ["pending", "running", "completed"]
    assert [event.data["progress"] for event in told] == [0.0, 0.0, 1.0]


def test_the_history_is_told_exactly_as_it_was_when_it_happened(local_service: Service) -> None:
    job = enqueue(local_service)
    with event_stream(local_service, ("job", str(job.id))) as stream:
        start, _ = stream.take(2)
        signal(local_service, job, "pause", "resume", "cancel", "retry")
        events = stream.take(4)
    for position, seen in enumerate([start, *events]):
        assert seen.id is not None
        for ways in ({"last_event_id": seen.id}, {"after": seen.id}):
            parameters = [("job", str(job.id)), *((n, v) for n, v in ways.items() if n == "after")]
            with event_stream(
                local_service, *parameters, last_event_id=ways.get("last_event_id")
            ) as again:
                signal_again = again.take(1 + len(events) - position)
            assert signal_again == [Sent(id=seen.id), *events[position:]]


def test_the_header_comes_before_the_parameter(local_service: Service) -> None:
    job = enqueue(local_service)
    signal(local_service, job, "pause")
    with event_stream(local_service, ("job", str(job.id)), ("after", "0")) as stream:
        _, enqueued, paused = stream.take(3)
    assert (enqueued.event, paused.event) == ("enqueued", "paused")
    with event_stream(
        local_service, ("job", str(job.id)), ("after", "0"), last_event_id=enqueued.id
    ) as stream:
        assert stream.take(2) == [Sent(id=enqueued.id), paused]


def test_only_the_jobs_named_are_told_of(local_service: Service) -> None:
    first, second, other = (enqueue(local_service) for _ in range(3))
    named = [("job", str(first.id)), ("job", str(second.id)), ("job", str(first.id))]
    with event_stream(local_service, *named) as stream:
        states = after_start(stream).take(2)
        for job in (other, second, first):
            signal(local_service, job, "cancel")
        events = stream.take(2)
    assert {state.data["job"] for state in states} == {str(first.id), str(second.id)}
    assert [event.data["job"] for event in events] == [str(second.id), str(first.id)]


def test_deleting_a_live_job_is_told_as_its_end(local_service: Service) -> None:
    job = enqueue(local_service)
    with event_stream(local_service, ("job", str(job.id))) as stream:
        after_start(stream).next()
        local_service.http.delete(f"/jobs/{job.id}")
        event = stream.next()
    assert (event.event, event.data["status"]) == ("cancelled", "cancelled")


@pytest.mark.parametrize("job_id", ["x", "01a1fd33-f952-75d9-b62d-bbb913599ced", "", "a\0b"])
def test_a_job_that_is_not_there_is_not_found(local_service: Service, job_id: str) -> None:
    job = enqueue(local_service)
    for named in ([job_id], [str(job.id), job_id]):
        answer = local_service.http.get("/events", params=[("job", name) for name in named])
        check_problem(answer, 404, pointer=None, says="no job")


@pytest.mark.parametrize(
    ("query", "header", "pointer"),
    [
        ("after=x", None, "/after"),
        ("after=-1", None, "/after"),
        ("after=", None, "/after"),
        ("after=" + "9" * 30, None, "/after"),
        ("after=1&after=2", None, "/after"),
        ("jobs=1", None, "/jobs"),
        ("job[]=1", None, "/job"),
        ("", "x", "/Last-Event-ID"),
        ("", "1.5", "/Last-Event-ID"),
    ],
)
def test_what_makes_no_sense_is_refused_naming_it(
    local_service: Service, query: str, header: str | None, pointer: str
) -> None:
    headers = {} if header is None else {"Last-Event-ID": header}
    answer = local_service.http.get(f"/events?{query}", headers=headers)
    check_problem(answer, 422, pointer=pointer)


def test_a_stream_ends_for_the_service_when_the_client_leaves(local_service: Service) -> None:
    request_id = f"leaving-{new_id()}"
    with httpx.stream(
        "GET",
        f"{local_service.url}/events",
        headers={"X-Request-Id": request_id},
        trust_env=False,
    ) as response:
        next(response.iter_lines())
    deadline = time.monotonic() + 3
    while request_id not in local_service.log.read_text():
        assert time.monotonic() < deadline, "the stream goes on for nobody"
        time.sleep(0.05)
