"""Door 3, jobs: show, delete, signal one, signal many."""

import json
import time
from typing import Any

import pytest

from mediatheque.domain.access import LOCAL_OPERATOR
from mediatheque.domain.jobs import EventKind, Job
from tests.support.job_rows import enqueue, sql, with_jobs
from tests.support.medias import JSON_API, check_problem, fresh, problem
from tests.support.service import Service

PREFIXES = ["", "/api/v1/media"]
STATUSES = ["pending", "running", "paused", "completed", "errored", "cancelled"]
AFTERWARDS: dict[str, dict[str, str]] = {
    "cancel": {"pending": "cancelled", "running": "running", "paused": "cancelled"},
    "pause": {"pending": "paused", "running": "running", "paused": "paused"},
    "resume": {"pending": "pending", "running": "running", "paused": "pending"},
    "retry": {"errored": "pending", "cancelled": "pending"},
}
"""What a job's status is after a signal; it is refused in every other one."""


def job_that_is(service: Service, status: str, job_class: str | None = None) -> Job:
    """Return a job in a status, without any worker that runs it."""
    job = enqueue(service, job_class)
    sql(service, "UPDATE jobs SET status = $2 WHERE id = $1", job.id, status)
    return job


def show(service: Service, job: Job) -> dict[str, Any]:
    """Return a job as the list shows it."""
    (record,) = service.http.get("/jobs", params={"filter[id]": str(job.id)}).json()["data"]
    found: dict[str, Any] = record
    return found


def history(service: Service, job: Job) -> list[EventKind]:
    """Return what has happened to a job."""
    events = with_jobs(
        service, lambda jobs: jobs.events(LOCAL_OPERATOR, 0, job_ids=[job.id], limit=100)
    )
    return [event.kind for event in events]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_job_is_shown_as_it_is_listed(local_service: Service, prefix: str) -> None:
    job = enqueue(local_service)
    answer = local_service.http.get(f"{prefix}/jobs/{job.id}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == JSON_API
    assert answer.json() == {"data": show(local_service, job)}
    again = local_service.http.get(f"{prefix}/jobs/{job.id}/")
    assert again.json() == answer.json()


@pytest.mark.parametrize(
    "job_id", ["5", "x", "01a1fd33-f952-75d9-b62d-bbb913599ced", "a%00b", "%F0%9F%8E%AC"]
)
def test_a_job_that_is_not_there_is_not_found(local_service: Service, job_id: str) -> None:
    for path in (f"/jobs/{job_id}", f"/api/v1/media/jobs/{job_id}"):
        check_problem(local_service.http.get(path), 404, pointer=None, says="no job")
        signalled = local_service.http.post(f"{path}/signal", json={"signal": "cancel"})
        check_problem(signalled, 404, pointer=None, says="no job")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("included[]=x", "/included"),
        ("included=x", "/included"),
        ("include=x", "/include"),
        ("fields[media:jobs]=nope", "/fields/media:jobs"),
        ("fields[media:medias]=size", "/fields/media:medias"),
        ("fields=status", "/fields"),
        ("nope=1", "/nope"),
        ("page[size]=1", "/page/size"),
    ],
)
def test_nothing_but_fields_can_be_asked_of_one_job(
    local_service: Service, query: str, pointer: str
) -> None:
    job = enqueue(local_service)
    check_problem(local_service.http.get(f"/jobs/{job.id}?{query}"), 422, pointer=pointer)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("status", STATUSES)
def test_a_job_in_any_status_can_be_deleted_and_deleted_again(
    local_service: Service, prefix: str, status: str
) -> None:
    job = job_that_is(local_service, status)
    for _ in range(2):
        answer = local_service.http.delete(f"{prefix}/jobs/{job.id}")
        assert (answer.status_code, answer.content) == (204, b"")
    assert local_service.http.get(f"/jobs/{job.id}").status_code == 404
    assert history(local_service, job) == []


@pytest.mark.parametrize("job_id", ["5", "01a1fd33-f952-75d9-b62d-bbb913599ced"])
def test_deleting_what_is_not_there_is_fine(local_service: Service, job_id: str) -> None:
    assert local_service.http.delete(f"/jobs/{job_id}").status_code == 204


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("signal", AFTERWARDS)
def test_a_signal_does_what_the_status_allows(
    local_service: Service, signal: str, status: str
) -> None:
    job = job_that_is(local_service, status)
    before = show(local_service, job)

    answer = local_service.http.post(f"/jobs/{job.id}/signal", json={"signal": signal})

    after = AFTERWARDS[signal].get(status)
    if after is None:
        assert answer.status_code == 409
        assert answer.headers["content-type"] == JSON_API
        assert answer.json() == problem(
            409, f"A job that is {status} cannot take the signal {signal}."
        )
        assert show(local_service, job) == before
    else:
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == JSON_API
        assert answer.json() == {"data": show(local_service, job)}
        assert answer.json()["data"]["attributes"]["status"] == after


def test_a_running_job_is_asked_and_asked_only_once(local_service: Service) -> None:
    job = job_that_is(local_service, "running")
    for signal in ("pause", "pause", "cancel", "pause"):
        local_service.http.post(f"/jobs/{job.id}/signal", json={"signal": signal})
    assert history(local_service, job) == ["enqueued", "signalled", "signalled"]


def test_a_retry_is_refused_while_another_live_job_has_the_same_key(local_service: Service) -> None:
    key = fresh()
    first = enqueue(local_service, unicity=key)
    local_service.http.post(f"/jobs/{first.id}/signal", json={"signal": "cancel"})
    second = enqueue(local_service, unicity=key)
    answer = local_service.http.post(f"/jobs/{first.id}/signal", json={"signal": "retry"})
    assert answer.status_code == 409
    assert answer.json() == problem(409, f"The job {second.id} does the same work and is pending.")


def test_a_real_job_runs_to_its_end_and_can_be_run_again(local_service: Service) -> None:
    job = enqueue(local_service, "janitor", queue="maintenance")
    for _ in range(2):
        deadline = time.monotonic() + 30
        while show(local_service, job)["attributes"]["status"] != "completed":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        attributes = show(local_service, job)["attributes"]
        assert attributes["progress"] == 1.0
        assert attributes["created_at"] <= attributes["started_at"] <= attributes["finished_at"]
        sql(local_service, "UPDATE jobs SET status = 'errored' WHERE id = $1", job.id)
        local_service.http.post(f"/jobs/{job.id}/signal", json={"signal": "retry"})


BAD_BODIES: list[tuple[bytes, str | None]] = [
    (b"", None),
    (b"{", None),
    (b"\xff", None),
    (b"[]", None),
    (b'"cancel"', None),
    (b"{}", "/signal"),
    (b'{"signal": "stop"}', "/signal"),
    (b'{"signal": "CANCEL"}', "/signal"),
    (b'{"signal": ["cancel"]}', "/signal"),
    (b'{"signal": {"a": 1}}', "/signal"),
    (b'{"signal": null}', "/signal"),
    (b'{"signal": "cancel", "force": true}', "/force"),
    (b"[" * 100_000, None),
]


@pytest.mark.parametrize(("body", "pointer"), BAD_BODIES)
def test_a_body_that_is_no_signal_is_refused(
    local_service: Service, body: bytes, pointer: str | None
) -> None:
    job = enqueue(local_service)
    for path in (f"/jobs/{job.id}/signal", f"/jobs/signal?filter[id]={job.id}"):
        answer = local_service.http.post(path, content=body)
        check_problem(answer, 422, pointer=pointer)
    assert show(local_service, job)["attributes"]["status"] == "pending"


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_signal_reaches_every_job_that_passes_the_filters(
    local_service: Service, prefix: str
) -> None:
    job_class = fresh()
    jobs = {status: job_that_is(local_service, status, job_class) for status in STATUSES}
    other = enqueue(local_service)

    answer = local_service.http.post(
        f"{prefix}/jobs/signal",
        params={"filter[job_class]": job_class},
        json={"signal": "cancel"},
    )

    assert answer.status_code == 200
    assert answer.headers["content-type"] == JSON_API
    assert answer.json() == {"meta": {"signalled": 3, "refused": 3}}
    assert {s: show(local_service, job)["attributes"]["status"] for s, job in jobs.items()} == {
        status: AFTERWARDS["cancel"].get(status, status) for status in STATUSES
    }
    assert show(local_service, other)["attributes"]["status"] == "pending"


def test_filters_of_a_signal_mean_what_they_mean_in_the_list(local_service: Service) -> None:
    job_class = fresh()
    jobs = [enqueue(local_service, job_class, priority=priority) for priority in range(4)]
    query = [
        ("filter[job_class__in]", f"{job_class},x"),
        ("filter[priority__gte]", "1"),
        ("filter[id][]", str(jobs[0].id)),
        ("filter[id][]", str(jobs[1].id)),
    ]
    answer = local_service.http.post("/jobs/signal", params=[*query], json={"signal": "pause"})
    assert answer.json() == {"meta": {"signalled": 1, "refused": 0}}
    assert show(local_service, jobs[1])["attributes"]["status"] == "paused"


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("", "/filter"),
        ("filter[nope]=1", "/filter/nope"),
        ("filter[priority]=x", "/filter/priority"),
        ("filter[id]=5&sort=id", "/sort"),
        ("filter[id]=5&page[size]=5", "/page/size"),
        ("filter[id]=5&count=true", "/count"),
        ("filter[id]=5&fields[media:jobs]=id", "/fields/media:jobs"),
    ],
)
def test_a_signal_for_many_takes_filters_and_nothing_else(
    local_service: Service, query: str, pointer: str
) -> None:
    answer = local_service.http.post(f"/jobs/signal?{query}", json={"signal": "cancel"})
    check_problem(answer, 422, pointer=pointer)


@pytest.mark.parametrize("path", ["/jobs/signal?filter[id]=5", "/jobs/5/signal", "/jobs/5"])
def test_pages_of_other_origins_signal_and_delete_nothing(
    local_service: Service, path: str
) -> None:
    method = "POST" if "signal" in path else "DELETE"
    answer = local_service.http.request(
        method,
        path,
        content=json.dumps({"signal": "cancel"}),
        headers={"Origin": "https://evil.example.net"},
    )
    check_problem(answer, 403, pointer=None, says="MEDIATHEQUE_CORS_ORIGINS")
