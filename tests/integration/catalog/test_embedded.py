"""The database that the service brings along."""

import contextlib
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from mediatheque.catalog import embedded
from mediatheque.catalog.embedded import EmbeddedPostgres
from mediatheque.domain.errors import UnavailableError
from tests.support.database import fetch
from tests.support.prepared import put_database


async def test_a_stopped_database_leaves_nothing_outside_of_its_folder(tmp_path: Path) -> None:
    data_dir = tmp_path / ("long-" * 20)
    data_dir.mkdir()
    put_database(data_dir)
    server = EmbeddedPostgres(data_dir)
    socket = Path(server.url.partition("?host=")[2])
    assert not socket.is_relative_to(data_dir)
    server.start()
    try:
        assert await fetch(server.url, "SELECT 1")
    finally:
        server.stop()
    assert not socket.exists()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EmbeddedPostgres:
    """One that is not started, where the kernel does not end it with us."""
    monkeypatch.setattr(embedded, "_dying_with_us", list)
    put_database(tmp_path)
    return EmbeddedPostgres(tmp_path)


def running_servers(data_dir: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if str(data_dir / "postgres" / "data") in (process.info["cmdline"] or [])
    ]


def test_who_is_told_to_stop_while_it_starts_leaves_no_server(
    server: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = subprocess.run

    def told(command: list[Any], **options: Any) -> Any:
        if "pg_isready" in str(command[0]):
            assert running_servers(tmp_path)
            raise SystemExit(0)
        return run(command, **options)

    monkeypatch.setattr(subprocess, "run", told)
    with pytest.raises(SystemExit):
        server.start()
    assert running_servers(tmp_path) == []


def test_a_server_that_was_killed_does_not_come_back_behind_a_stop(
    server: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = set(threading.enumerate())
    server.start()
    [keeper] = set(threading.enumerate()) - before
    launch = server._launch
    about_to, go_on = threading.Event(), threading.Event()

    def slowly() -> None:
        about_to.set()
        go_on.wait(0.5)
        launch()

    monkeypatch.setattr(server, "_launch", slowly)
    monkeypatch.setattr(embedded, "_RETRY_SECONDS", 0)
    running_servers(tmp_path)[0].kill()
    assert about_to.wait(10)
    server.stop()
    go_on.set()
    keeper.join(10)
    assert running_servers(tmp_path) == []


def killed(server: EmbeddedPostgres) -> int:
    """Kill a server that runs, as a crash of the machine would; return its process id."""
    assert server._server is not None
    assert server._lock is not None
    server._stopping.set()
    postmaster = psutil.Process(server._server.pid)
    for process in [postmaster, *postmaster.children(recursive=True)]:
        process.kill()
    server._server.wait()
    server._lock.close()
    return postmaster.pid


@pytest.mark.parametrize("locked", [["data"], ["socket"], ["data", "socket"]])
def test_it_starts_though_another_program_has_the_process_id_of_a_killed_server(
    server: EmbeddedPostgres, tmp_path: Path, locked: list[str]
) -> None:
    locks = {
        "data": tmp_path / "postgres" / "data" / "postmaster.pid",
        "socket": Path(server.url.partition("?host=")[2]) / ".s.PGSQL.5432.lock",
    }
    server.start()
    said = {name: locks[name].read_text() for name in locked}
    dead = killed(server)
    stranger = subprocess.Popen([*embedded._unprivileged(), "sleep", "60"])
    again = EmbeddedPostgres(tmp_path)
    try:
        for name, words in said.items():
            locks[name].write_text(words.replace(str(dead), str(stranger.pid), 1))
        began = time.monotonic()
        again.start()
        assert time.monotonic() - began < embedded._REMAINS_SECONDS / 2
    finally:
        again.stop()
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("folder", ["", "link"])
def test_no_second_server_starts_beside_one_that_has_lost_its_starter(
    server: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    server.start()
    assert server._lock is not None
    server._lock.close()
    monkeypatch.setattr(embedded, "_REMAINS_SECONDS", 1)
    monkeypatch.setattr(embedded, "_RETRY_SECONDS", 0.1)
    again = EmbeddedPostgres(tmp_path / folder)
    # Behind another path it has another address, and does not find that it is there already.
    with (
        pytest.raises(UnavailableError, match=r"still in use|already exists")
        if folder
        else contextlib.nullcontext()
    ):
        again.start()
    time.sleep(0.5)
    assert len(running_servers(tmp_path)) == 1
    killed(server)
    again.stop()
    again = EmbeddedPostgres(tmp_path / folder)
    again.start()
    again.stop()
