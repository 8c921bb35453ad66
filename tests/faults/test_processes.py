"""One process of the service is killed; the others put it right, or end with it."""

import time
from collections.abc import Iterator

import httpx
import psutil
import pytest

from tests.faults.clients import announce, confirm, content_of, put, upload
from tests.faults.remains import AT_ONCE, is_clean, let_age, run_janitor, wait_until
from tests.faults.victim import Victim, running

CONTENT = content_of("processes", 300_000)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    """One service for all of these tests: it must recover from each."""
    settings = {"MEDIATHEQUE_WORKERS": "2"}
    with running(tmp_path_factory.mktemp("processes") / "data", settings) as started:
        yield started


@pytest.fixture
def victim(service: Victim) -> Victim:
    """The service, well again after what the test before has done to it, failed or not."""
    assert service.process is not None
    if service.process.poll() is not None:
        service.start()
    wait_until(lambda: answers(service, "/ready"))
    return service


def answers(service: Victim, path: str = "/health") -> bool:
    """Tell whether a new connection gets a good answer."""
    try:
        with httpx.Client(base_url=service.url, timeout=10, trust_env=False) as http:
            return http.get(path).status_code == 200
    except httpx.TransportError:
        return False


def test_a_killed_web_process_is_replaced_while_the_service_goes_on(victim: Victim) -> None:
    assert upload(victim.http, "before", CONTENT).status_code == 200
    wait_until(lambda: len(victim.web_processes()) == 2)
    killed, survivor = victim.web_processes()

    killed.kill()

    # The kernel may still hand a connection or two to the one that is gone.
    wait_until(lambda: answers(victim), seconds=5)
    wait_until(
        lambda: len(victim.web_processes()) == 2 and killed not in victim.web_processes(),
    )
    assert survivor.is_running()
    wait_until(lambda: all(answers(victim, "/ready") for _ in range(10)))
    with httpx.Client(base_url=victim.url, timeout=30, trust_env=False) as http:
        assert http.get("/medias/files/before").content == CONTENT
        assert upload(http, "after", CONTENT).status_code == 200


def test_a_web_process_that_was_killed_before_it_could_count_spoils_no_others(
    victim: Victim,
) -> None:
    empty = victim.data_dir / "run" / "metrics" / "counter_1.db"
    empty.touch()
    try:
        assert "mediatheque_http_requests_total" in victim.http.get("/metrics").text
        assert answers(victim, "/system/throughput")
        killed = victim.web_processes()[0]
        killed.kill()
        wait_until(
            lambda: len(victim.web_processes()) == 2 and killed not in victim.web_processes(),
        )
        wait_until(lambda: all(answers(victim, "/ready") for _ in range(10)))
    finally:
        empty.unlink()


def test_web_processes_that_are_killed_again_and_again_are_replaced(victim: Victim) -> None:
    for _ in range(3):
        wait_until(lambda: len(victim.web_processes()) == 2)
        killed = max(victim.web_processes(), key=lambda process: process.create_time())
        killed.kill()
        wait_until(lambda killed=killed: not killed.is_running())  # type: ignore[misc]

    wait_until(lambda: len(victim.web_processes()) == 2)
    wait_until(lambda: all(answers(victim, "/ready") for _ in range(10)))


def test_a_killed_database_is_unavailable_until_it_is_back_by_itself(victim: Victim) -> None:
    ticket = announce(victim.http, "pending", len(CONTENT))
    assert put(victim.http, ticket, CONTENT).status_code == 200
    assert upload(victim.http, "acknowledged", CONTENT).status_code == 200
    killed = victim.postmaster()

    victim.kill_database()

    refused: dict[str, httpx.Response] = {}
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        medias = upload(victim.http, "lost", CONTENT)
        if medias.status_code == 200:
            break
        refused["medias"] = medias
        refused["files"] = confirm(victim.http, ticket)
        refused["list"] = victim.http.get("/api/file")
        refused["ready"] = victim.http.get("/ready")
        refused["health"] = victim.http.get("/health")
    assert refused, "the database was never away"
    assert refused["medias"].status_code == 503
    assert refused["medias"].headers["Content-Type"] == "application/vnd.api+json"
    (error,) = refused["medias"].json()["errors"]
    assert error["status"] == "503"
    assert "database" in error["detail"]
    assert refused["health"].status_code == 200
    assert {refused[name].status_code for name in ("files", "list", "ready")} <= {200, 503}

    wait_until(lambda: answers(victim, "/ready"))
    assert victim.postmaster() != killed
    assert confirm(victim.http, ticket).status_code == 200
    assert victim.http.get("/medias/files/acknowledged").content == CONTENT
    # An upload that had begun when the database went could not be taken back.
    let_age(victim)
    run_janitor(victim, **AT_ONCE)
    assert is_clean(victim)


def test_everything_ends_with_a_killed_supervisor_and_starts_again(victim: Victim) -> None:
    assert upload(victim.http, "kept", CONTENT).status_code == 200
    supervisor, *others = victim.processes()
    assert {one.name() for one in others} >= {"postgres"}

    supervisor.kill()

    _, left = psutil.wait_procs(others, timeout=20)
    assert left == []
    assert victim.process is not None
    victim.process.wait()
    victim.start()  # on the same port and data directory
    wait_until(lambda: answers(victim, "/ready"))
    assert victim.http.get("/medias/files/kept").content == CONTENT


def test_a_killed_service_can_be_started_again_at_once(victim: Victim) -> None:
    assert upload(victim.http, "still-kept", CONTENT).status_code == 200
    supervisor = victim.processes()[0]
    supervisor.kill()
    assert victim.process is not None
    victim.process.wait()

    victim.start()  # while what is left of it notices
    wait_until(lambda: answers(victim, "/ready"))
    assert victim.http.get("/medias/files/still-kept").content == CONTENT


def test_web_processes_that_are_still_starting_end_with_a_killed_supervisor(victim: Victim) -> None:
    """One that stayed would hold the port and the data directory for ever."""
    victim.stop()
    process = victim.launch()
    wait_until(lambda: len(victim.web_processes()) == 2)
    supervisor, *others = victim.processes()

    supervisor.kill()

    _, left = psutil.wait_procs(others, timeout=20)
    for one in left:
        one.kill()
    assert left == []
    process.wait()
    victim.start()
    assert upload(victim.http, "again", CONTENT).status_code == 200
