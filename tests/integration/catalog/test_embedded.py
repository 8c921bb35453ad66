"""The database that the service brings along."""

import asyncio
import contextlib
import fcntl
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import structlog

from mediatheque.catalog import embedded, embedded_server
from mediatheque.catalog.database import Database
from mediatheque.catalog.embedded import EmbeddedPostgres
from mediatheque.domain.errors import UnavailableError
from tests.support.database import fetch
from tests.support.objects import eventually
from tests.support.prepared import put_database


async def test_a_stopped_database_leaves_nothing_outside_of_its_folder(tmp_path: Path) -> None:
    data_dir = tmp_path / ("long-" * 20)
    data_dir.mkdir()
    put_database(data_dir)
    server = EmbeddedPostgres(data_dir)
    socket = server._files._socket
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
    monkeypatch.setattr(embedded_server, "_dying_with_us", list)
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
    launch = server._files.launch
    about_to, go_on = threading.Event(), threading.Event()

    def slowly() -> subprocess.Popen[bytes]:
        about_to.set()
        go_on.wait(0.5)
        return launch()

    monkeypatch.setattr(server._files, "launch", slowly)
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
        "socket": server._files._socket / ".s.PGSQL.5432.lock",
    }
    server.start()
    said = {name: locks[name].read_text() for name in locked}
    dead = killed(server)
    stranger = subprocess.Popen([*embedded_server._unprivileged(), "sleep", "60"])
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


async def check(server: EmbeddedPostgres) -> None:
    """Reach it as the service does."""
    database = Database(server.url, connections=1)
    try:
        await database.check()
    finally:
        await database.close()


async def test_who_found_it_running_runs_it_when_its_starter_has_stopped(
    server: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_RETRY_SECONDS", 0.1)
    other = EmbeddedPostgres(tmp_path)
    server.start()
    other.start()
    try:
        assert len(running_servers(tmp_path)) == 1
        server.stop()
        assert eventually(other._files.answers)
        await check(other)
        assert len(running_servers(tmp_path)) == 1
    finally:
        server.stop()
        other.stop()
    assert running_servers(tmp_path) == []


async def test_who_waits_for_another_process_that_runs_none_runs_it_itself(
    server: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_SILENT_SECONDS", 0.1)
    with structlog.testing.capture_logs() as logged:
        with (tmp_path / "postgres" / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            starting = asyncio.create_task(asyncio.to_thread(server.start))
            await asyncio.sleep(0.5)
            assert not starting.done()
        await asyncio.wait_for(starting, 10)
    server.stop()
    assert [line["event"] for line in logged] == ["waiting for the database of another process"]


async def test_what_the_environment_says_of_other_servers_is_of_no_concern(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "PGSSLMODE": "require",
        "PGSERVICE": "elsewhere",
        "PGPORT": "6000",
        "PGTARGETSESSIONATTRS": "standby",
        "PGHOST": "db.example",
        "PGUSER": "somebody",
    }.items():
        monkeypatch.setenv(name, value)
    server.start()
    try:
        await check(server)
    finally:
        server.stop()


@pytest.mark.parametrize("name", ["R&D", "a+b", "100%41", "a b", "a,b", 'a"b', "ä", "a\nb", "#?"])
async def test_the_data_directory_may_have_any_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    put_database(tmp_path / name)
    server = EmbeddedPostgres(tmp_path / name)
    server.start()
    try:
        await check(server)
    finally:
        server.stop()


@pytest.mark.parametrize("left", [b"", bytes(100), b"-1\n/data\n"])
def test_it_starts_after_a_crash_in_the_middle_of_its_lock_file(
    server: EmbeddedPostgres, tmp_path: Path, left: bytes
) -> None:
    server.start()
    killed(server)
    (tmp_path / "postgres" / "data" / "postmaster.pid").write_bytes(left)
    again = EmbeddedPostgres(tmp_path)
    again.start()
    again.stop()


def test_why_it_could_not_be_made_is_told_and_not_what_was_tidied_up() -> None:
    words = (
        "creating configuration files ... ok\n"
        'initdb: error: could not write to file "pg_wal": No space left on device\n'
        'initdb: removing contents of data directory "/data/postgres/unfinished"\n'
    )
    assert embedded_server._reason(words).endswith("No space left on device")
