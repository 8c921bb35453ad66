"""The service's own job worker, when it is killed or the service is stopped."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.service import Service, is_worker, running


def test_the_service_is_ready_only_while_a_job_worker_runs_and_starts_a_killed_one_again(
    tmp_path: Path,
) -> None:
    with running(tmp_path / "data") as service:
        first = worker_of(service)

        first.send_signal(signal.SIGSTOP)
        jobs = wait_for_jobs(service, lambda state: state != "ok", seconds=30)
        assert jobs == "No job worker runs: jobs wait. Start `mediatheque worker`."
        assert service.http.get("/ready").status_code == 503
        first.kill()
        assert wait_for_jobs(service, lambda state: state == "ok", seconds=15) == "ok"

        second = worker_of(service)
        assert second.pid != first.pid
        assert service.stop() == 0
        assert not second.is_running()


def test_a_worker_of_a_service_that_was_killed_ends_by_itself(tmp_path: Path) -> None:
    with running(tmp_path / "data") as service:
        worker = worker_of(service)
        assert service.process is not None

        service.process.kill()

        psutil.wait_procs([worker], timeout=10)
        assert not worker.is_running()


def test_nobody_waits_for_a_worker_when_the_client_is_gone(tmp_path: Path) -> None:
    file = tmp_path / "files" / "a.txt"
    file.parent.mkdir()
    file.write_bytes(b"abc")
    roots = {"MEDIATHEQUE_SOURCE_ROOTS": str(file.parent)}
    with running(tmp_path / "data", roots) as service:
        worker = worker_of(service)
        worker.send_signal(signal.SIGSTOP)
        with pytest.raises(httpx.ReadTimeout):
            service.http.post(
                "/transfer_media_segment", json={"media_files": [file.as_uri()]}, timeout=1
            )
        deadline = time.monotonic() + 5
        while '"client_gone": true' not in service.log.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        worker.send_signal(signal.SIGCONT)


def worker_of(service: Service) -> psutil.Process:
    return next(filter(is_worker, service.processes()))


def wait_for_jobs(service: Service, until: Callable[[str], bool], *, seconds: float) -> str:
    deadline = time.monotonic() + seconds
    while not until(state := service.http.get("/ready").json()["checks"]["jobs"]):
        assert time.monotonic() < deadline, state
        time.sleep(0.1)
    return str(state)
