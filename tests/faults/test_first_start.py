"""First starts where something is unusual: two at once, long paths, private folders."""

import contextlib
import json
import os
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from mediatheque.cli.descriptors import raise_limit
from mediatheque.cli.exits import Exit
from tests.faults.clients import content_of, upload
from tests.faults.remains import wait_until
from tests.faults.victim import Victim, running
from tests.support.service import COMMAND, environment

CONTENT = content_of("first start", 10_000)


def is_ready(service: Victim) -> bool:
    """Tell whether a service that somebody else started answers."""
    try:
        return service.http.get("/ready").status_code == 200
    except httpx.TransportError:
        return False


def test_of_two_first_starts_at_once_one_serves_and_one_says_why_not(tmp_path: Path) -> None:
    one, other = Victim(tmp_path / "data", first=True), Victim(tmp_path / "data", first=True)
    try:
        processes = {
            victim: subprocess.Popen(
                [COMMAND, "serve"],
                env=environment(victim.data_dir, victim.settings),
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            for victim in (one, other)
        }
        first_lines: dict[Victim, bytes] = {}
        for victim, process in processes.items():
            victim.process = process
            assert process.stderr is not None
            with process.stderr as lines:
                first_lines[victim] = lines.readline()
        winner, loser = sorted((one, other), key=first_lines.__getitem__, reverse=True)
        assert json.loads(first_lines[winner])["event"] == "serving"
        assert first_lines[loser].startswith(b"mediatheque: Another service already runs")
        assert processes[loser].wait(30) == Exit.DATA_DIR
        loser.process = None
        wait_until(lambda: is_ready(winner))
        assert upload(winner.http, "media", CONTENT).status_code == 200
    finally:
        one.close()
        other.close()


def test_a_data_directory_with_a_path_too_long_for_sockets_works(tmp_path: Path) -> None:
    data_dir = tmp_path / ("long" * 15) / ("path" * 15) / "data"
    assert len(str(data_dir)) > 120
    data_dir.parent.mkdir(parents=True)
    with running(data_dir, first=True) as service:
        assert service.http.get("/ready").json()["checks"]["database"] == "ok"
        assert upload(service.http, "media", CONTENT).status_code == 200
        service.kill()
        service.start()
        assert service.http.get("/medias/files/media").content == CONTENT


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's database runs as another user")
def test_a_data_directory_inside_a_private_folder_of_root_works(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    with running(private / "data", first=True) as service:
        assert service.http.get("/ready").json()["checks"]["database"] == "ok"
        assert upload(service.http, "media", CONTENT).status_code == 200
        assert service.postmaster().uids().real != 0
        service.kill()
        service.start()
        assert service.http.get("/medias/files/media").content == CONTENT
    # Nobody's permissions were widened for the database's sake.
    assert private.stat().st_mode & 0o777 == 0o700
    assert (private / "data").stat().st_mode & 0o777 == 0o700
    assert (private / "data" / "postgres").stat().st_mode & 0o777 == 0o700


def test_what_lies_in_the_working_directory_is_not_taken_for_ours(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").touch()
    for name in ("mediatheque", "litestar", "alembic"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not ours')")
    service = Victim(tmp_path / "data", wrapper=["env", "-C", str(tmp_path)])

    try:
        service.start()
        assert service.stop() == 0
    finally:
        service.close()


def test_more_clients_are_served_than_a_shell_lets_programs_have_files(tmp_path: Path) -> None:
    raise_limit()  # of ours
    few = ["prlimit", "--nofile=100:4000"]
    with running(tmp_path / "data", wrapper=few) as service, contextlib.ExitStack() as opened:
        for _ in range(1500):
            client = opened.enter_context(
                socket.create_connection(("127.0.0.1", service.port), timeout=10)
            )
            client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 200"
