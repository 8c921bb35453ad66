"""SIGTERM: what is in flight finishes, within a bound."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.faults.clients import RawUpload, content_of, listed_medias, upload
from tests.faults.remains import AT_ONCE, is_clean, let_age, rows, run_janitor, stored, wait_until
from tests.faults.victim import Victim, running
from tests.support.door_uploads import (
    begin,
    check_added,
    check_bytes,
    check_offset,
    create,
    look,
    patch,
)
from tests.support.service import COMMAND, Process, environment
from tests.support.wire import read_reply

STOP_SECONDS = 40
SOON_SECONDS = 10
CONTENT = content_of("stop", 24_000_000)
HALF = len(CONTENT) // 2


def terminate(service: Victim) -> Process:
    """Ask the service to stop, and return when it accepts no more connections."""
    process, service.process = service.process, None
    assert process is not None
    process.send_signal(signal.SIGTERM)

    def refuses() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", service.port)) != 0

    wait_until(refuses)
    return process


def acknowledged(service: Victim, path: str) -> int:
    """Return how many bytes of an upload are; to ask the service would end the request."""
    [row] = rows(service, f"SELECT size FROM intakes WHERE id = '{path.rpartition('/')[2]}'")
    return int(row["size"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_at_once_when_a_terminal_tells_all_of_its_processes(
    tmp_path: Path, number: signal.Signals
) -> None:
    with running(tmp_path / "data", {"MEDIATHEQUE_SHUTDOWN_TIMEOUT": "30"}) as service:
        process, service.process = service.process, None
        assert process is not None

        os.killpg(process.pid, number)

        assert process.wait(SOON_SECONDS) == 0


def test_requests_in_flight_finish_before_it_ends_with_0(tmp_path: Path) -> None:
    with running(tmp_path / "data", {"MEDIATHEQUE_SHUTDOWN_TIMEOUT": "30"}) as service:
        assert upload(service.http, "large", CONTENT).status_code == 200
        uploading = RawUpload(service, "slow", CONTENT)
        uploading.send(10_000_000)
        wait_until(lambda: any(name.startswith(".incoming") for name in stored(service)))
        with service.http.stream("GET", "/medias/files/large") as download:
            pieces = download.iter_raw(1 << 20)
            received = next(pieces)

            process = terminate(service)

            time.sleep(0.5)
            assert process.poll() is None
            received += b"".join(pieces)
        uploading.send()
        assert uploading.status() == 200
        uploading.leave()
        assert received == CONTENT
        assert process.wait(STOP_SECONDS) == 0

        service.start()
        assert listed_medias(service.http) == {"large", "slow"}
        assert service.http.get("/medias/files/slow").content == CONTENT


def test_a_client_that_never_finishes_does_not_hold_the_stop_for_ever(tmp_path: Path) -> None:
    with running(tmp_path / "data", {"MEDIATHEQUE_SHUTDOWN_TIMEOUT": "2"}) as service:
        stalled = RawUpload(service, "stalled", CONTENT)
        stalled.send(5_000_000)
        wait_until(lambda: any(name.startswith(".incoming") for name in stored(service)))

        process = terminate(service)

        assert process.wait(STOP_SECONDS) == 0
        stalled.leave()
        service.start()
        assert listed_medias(service.http) == set()
        let_age(service)
        run_janitor(service, **AT_ONCE)
        assert is_clean(service)


@pytest.mark.parametrize("flows", [False, True], ids=["stalled", "flowing"])
def test_an_upload_that_can_go_on_elsewhere_does_not_hold_the_stop(
    tmp_path: Path, flows: bool
) -> None:
    sent = HALF
    with running(tmp_path / "data", {"MEDIATHEQUE_SHUTDOWN_TIMEOUT": "30"}) as service:
        path = create(service, len(CONTENT))
        with begin(service, path, CONTENT[:HALF], len(CONTENT)) as uploading:
            wait_until(lambda: acknowledged(service, path) == sent)
            process = terminate(service)
            began = time.monotonic()
            while flows and not select.select([uploading], [], [], 0)[0]:
                uploading.sendall(CONTENT[sent : sent + 1000])
                sent += 1000
                time.sleep(0.05)
            answer = read_reply(uploading, "PATCH")
            assert process.wait(STOP_SECONDS) == 0  # the client need not close the connection
            assert time.monotonic() - began < SOON_SECONDS
        assert answer.status == 503, answer
        assert b"being stopped" in answer.body
        told = int(answer.headers["upload-offset"])
        assert HALF <= told <= sent

        service.start()
        check_offset(look(service, path), told, length=len(CONTENT))
        check_added(patch(service, path, CONTENT[told:], told), len(CONTENT))
        check_bytes(service, path, CONTENT)


def test_idle_connections_do_not_hold_the_stop(tmp_path: Path) -> None:
    with running(tmp_path / "data", {"MEDIATHEQUE_SHUTDOWN_TIMEOUT": "30"}) as service:
        with ThreadPoolExecutor(8) as threads:
            statuses = threads.map(lambda _: service.http.get("/health").status_code, range(8))
        assert set(statuses) == {200}
        began = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - began < 15


def test_to_be_told_again_and_again_to_stop_changes_nothing(tmp_path: Path) -> None:
    with running(tmp_path / "data") as service:
        process = terminate(service)
        while process.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it ended just now
                process.send_signal(signal.SIGTERM)
            time.sleep(0.001)
        assert process.returncode == 0


@pytest.mark.parametrize("moment", [b"", b'"event": "serving"'], ids=["preparing", "serving"])
def test_a_service_that_is_still_starting_stops_at_once(tmp_path: Path, moment: bytes) -> None:
    service = Victim(tmp_path / "data", {"MEDIATHEQUE_SHUTDOWN_TIMEOUT": "30"})
    process = subprocess.Popen(
        [COMMAND, "serve"],
        env=environment(service.data_dir, service.settings),
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stderr is not None
    try:
        if moment:
            while moment not in process.stderr.readline():
                assert process.poll() is None
            time.sleep(0.2)
        else:
            wait_until((service.data_dir / "postgres" / "lock").exists)
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert process.wait(STOP_SECONDS) == 0
        assert time.monotonic() - began < 15
        assert b"Traceback" not in process.stderr.read()
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    with pytest.raises(httpx.TransportError):
        service.http.get("/health")
    service.close()


def test_a_store_that_never_answers_does_not_hold_the_stop(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = {
            "MEDIATHEQUE_STORAGE_URL": "s3://bucket/prefix",
            "MEDIATHEQUE_S3_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }
        service = Victim(tmp_path / "data", settings)
        process = service.launch()
        try:
            silent.settimeout(60)
            asking, _ = silent.accept()
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
            asking.settimeout(15)
            while asking.recv(1 << 16):  # until nobody is left who asks
                pass
            asking.close()
        finally:
            process.kill()
            process.wait()
            service.process = None
            service.close()
    assert service.log.read_text() == ""
