"""A PostgreSQL of the operator's own goes away and comes back."""

import errno
import subprocess
import threading
from pathlib import Path

import psutil
import pytest

from mediatheque.catalog import embedded
from mediatheque.catalog.embedded import EmbeddedPostgres
from tests.faults.clients import announce, confirm, content_of, listed_files, put, upload
from tests.faults.remains import files_in, query, wait_until
from tests.faults.victim import running

CONTENT = content_of("database down", 300_000)


def test_everything_but_health_is_503_while_the_database_is_away(tmp_path: Path) -> None:
    """The embedded server plays the operator's: it is not the service that runs it here."""
    own = EmbeddedPostgres(tmp_path / "own")
    own.start()
    back = EmbeddedPostgres(tmp_path / "own")
    settings = {"MEDIATHEQUE_DATABASE_URL": own.url, "MEDIATHEQUE_WORKERS": "1"}
    try:
        with running(tmp_path / "data", settings) as service:
            http = service.http
            assert not (service.data_dir / "postgres").exists()
            assert upload(http, "before", CONTENT).status_code == 200
            ticket = announce(http, "pending", len(CONTENT))
            assert put(http, ticket, CONTENT).status_code == 200

            own.stop()

            media = upload(http, "during", CONTENT)
            assert media.status_code == 503
            assert media.json()["errors"][0]["status"] == "503"
            assert "database" in media.json()["errors"][0]["detail"]
            assert "Retry-After" in media.headers
            for file in (confirm(http, ticket), put(http, ticket, CONTENT), http.get("/api/file")):
                assert file.status_code == 503
                assert list(file.json()) == ["error"]
            ready = http.get("/ready")
            assert ready.status_code == 503
            assert "database" in ready.json()["checks"]["database"]
            assert ready.json()["checks"]["store"] == "ok"
            assert http.get("/health").status_code == 200

            back.start()

            wait_until(lambda: http.get("/ready").status_code == 200)
            assert confirm(http, ticket).status_code == 200
            assert upload(http, "during", CONTENT).status_code == 200
            for link in listed_files(http).values():
                assert http.get(link).content == CONTENT
            used = {row[0] for row in query(back.url, "SELECT object_key FROM medias")}
            assert len(used) == 3
            assert files_in(service.data_dir / "objects") == used
    finally:
        own.stop()
        back.stop()


@pytest.mark.parametrize(
    ("slow", "remains"),
    [
        ("a session", "pre-existing shared memory block"),
        ("the server itself", 'lock file "postmaster.pid" already exists'),
    ],
)
def test_a_start_waits_for_what_a_killed_server_has_left(
    tmp_path: Path, slow: str, remains: str
) -> None:
    killed, started = EmbeddedPostgres(tmp_path), EmbeddedPostgres(tmp_path)
    killed.start()
    assert killed._server is not None
    assert killed._lock is not None
    server = psutil.Process(killed._server.pid)
    server = next(p for p in [server, *server.children()] if p.name() == "postgres")
    left = server.children()[0] if slow == "a session" else server
    left.suspend()  # it does not notice at once that it is to end
    killed._stopping.set()
    if left != server:
        server.kill()
        killed._server.wait(10)
    killed._lock.close()
    noticing = threading.Timer(1.5, left.kill)
    noticing.start()
    try:
        started.start()
        assert query(started.url, "SELECT 1") == [(1,)]
    finally:
        noticing.join()
        started.stop()
    assert remains in (tmp_path / "postgres" / "log").read_text()


def test_a_server_comes_back_when_there_was_no_memory_for_it_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = EmbeddedPostgres(tmp_path)
    server.start()
    launch = server._files.launch
    refused: list[str] = []

    def refuse_once() -> subprocess.Popen[bytes]:
        if not refused:
            refused.append("once")
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        return launch()

    monkeypatch.setattr(embedded, "_RETRY_SECONDS", 0.1)
    monkeypatch.setattr(server._files, "launch", refuse_once)
    try:
        assert server._server is not None
        first = psutil.Process(server._server.pid)
        first.kill()
        wait_until(lambda: bool(refused) and server._files.answers())
        assert server._server.pid != first.pid
    finally:
        server.stop()
