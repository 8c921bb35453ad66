"""What cannot start says why: one sentence, an exit code that is documented, no traceback."""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediatheque.catalog.embedded import EmbeddedPostgres
from mediatheque.cli.exits import Exit
from tests.faults.remains import query, run_command
from tests.support.prepared import put_database
from tests.support.seaweedfs import SeaweedFS
from tests.support.service import Service, free_port, s3_settings

PASSWORD = "correct-horse-battery"


def check_refusal(done: subprocess.CompletedProcess[str], code: Exit, *words: str) -> None:
    """Assert that a command ended with this code and one sentence that holds these words."""
    assert done.returncode == code, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("mediatheque: ")
    assert lines[0].endswith(".")
    for word in words:
        assert word in lines[0]
    assert done.stdout == ""


def refuse(data_dir: Path, code: Exit, *words: str, **settings: str) -> None:
    """Assert that a service with these settings does not start, and why."""
    settings = {"MEDIATHEQUE_PORT": str(free_port())} | settings
    check_refusal(run_command(data_dir, "serve", settings=settings), code, *words)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MEDIATHEQUE_PORT", "many"),
        ("MEDIATHEQUE_PORT", "70000"),
        ("MEDIATHEQUE_WORKERS", "0"),
        ("MEDIATHEQUE_DURABILITY", "some"),
        ("MEDIATHEQUE_SECRET_KEY", "short"),
        ("MEDIATHEQUE_CONFIG", "/nowhere/mediatheque.toml"),
        ("MEDIATHEQUE_STORAGE_URL", "ftp://somewhere"),
        ("MEDIATHEQUE_DATABASE_URL", "mysql://localhost/media"),
        ("MEDIATHEQUE_DATABASE_URL", "not a url"),
        ("MEDIATHEQUE_DATABASE_URL", "postgresql://127.0.0.1:99999/media"),
        ("MEDIATHEQUE_DATABASE_URL", "postgresql://127.0.0.1/media?connect_timeout=5"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(tmp_path: Path, variable: str, value: str) -> None:
    put_database(tmp_path / "data")  # the store is asked for when there is one
    named = value if variable == "MEDIATHEQUE_CONFIG" else variable
    refuse(tmp_path / "data", Exit.SETTINGS, named, **{variable: value})


def test_a_data_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    in_its_place = tmp_path / "file"
    in_its_place.write_text("in its place")
    for data_dir in (in_its_place, in_its_place / "data", Path("/proc/data")):
        refuse(data_dir, Exit.DATA_DIR, str(data_dir), "MEDIATHEQUE_DATA_DIR")


@pytest.mark.parametrize("left", ["", "short"])
def test_a_damaged_secret_is_not_used(tmp_path: Path, left: str) -> None:
    put_database(tmp_path / "data")
    secret = tmp_path / "data" / "secret"
    secret.write_text(left)
    refuse(tmp_path / "data", Exit.DATA_DIR, str(secret), "damaged")
    assert secret.read_text() == left


def test_a_data_directory_is_for_one_service(local_service: Service) -> None:
    refuse(local_service.data_dir, Exit.DATA_DIR, "Another service", str(local_service.data_dir))
    assert local_service.http.get("/ready").status_code == 200


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refuse(tmp_path / "data", Exit.ADDRESS, port, "MEDIATHEQUE_PORT", MEDIATHEQUE_PORT=port)


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("0.0.0.0", "no authentication"),
        ("::", "no authentication"),
        ("host.invalid", "host.invalid"),
        (f"{70 * 'x'}.invalid", "not known here"),
    ],
)
def test_addresses_that_are_not_loopback_are_refused(
    tmp_path: Path, host: str, reason: str
) -> None:
    refuse(tmp_path / "data", Exit.ADDRESS, reason, MEDIATHEQUE_HOST=host)
    assert not (tmp_path / "data").exists()


def test_a_database_that_does_not_answer_is_a_sentence_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql://media:{PASSWORD}@127.0.0.1:{free_port()}/media"
    settings = {"MEDIATHEQUE_DATABASE_URL": url}
    done = run_command(tmp_path / "data", "prepare", settings=settings)
    check_refusal(done, Exit.DATABASE, "database")
    assert PASSWORD not in done.stderr


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A database of the operator's that wants a password."""
    home = tmp_path_factory.mktemp("guarded")
    server = EmbeddedPostgres(home)
    server.start()
    try:
        query(server.url, f"ALTER ROLE mediatheque PASSWORD '{PASSWORD}'")
        (home / "postgres" / "data" / "pg_hba.conf").write_text("local all all scram-sha-256\n")
        query(server.url, "SELECT pg_reload_conf()")
        yield server
    finally:
        server.stop()


def with_password(server: EmbeddedPostgres, password: str) -> dict[str, str]:
    """Return the settings that open a database with this password."""
    return {"MEDIATHEQUE_DATABASE_URL": server.url.replace("@", f":{password}@", 1)}


def test_a_wrong_password_is_refused_and_never_printed(
    tmp_path: Path, guarded: EmbeddedPostgres
) -> None:
    right = run_command(tmp_path / "data", "prepare", settings=with_password(guarded, PASSWORD))
    assert right.returncode == 0, right.stderr
    wrong = run_command(tmp_path / "data", "prepare", settings=with_password(guarded, "wr0ng-one"))
    check_refusal(wrong, Exit.DATABASE, "database")
    assert "wr0ng-one" not in wrong.stderr


def test_a_schema_from_a_newer_version_is_left_alone(
    tmp_path: Path, guarded: EmbeddedPostgres
) -> None:
    settings = with_password(guarded, PASSWORD)
    url = settings["MEDIATHEQUE_DATABASE_URL"]
    assert run_command(tmp_path / "data", "prepare", settings=settings).returncode == 0
    before = query(url, "SELECT version_num FROM alembic_version")[0][0]
    query(url, "UPDATE alembic_version SET version_num = '9999'")
    try:
        refuse(tmp_path / "data", Exit.DATABASE, "9999", "newer", **settings)
        assert query(url, "SELECT version_num FROM alembic_version")[0][0] == "9999"
    finally:
        query(url, f"UPDATE alembic_version SET version_num = '{before}'")


def test_a_store_that_does_not_answer_or_refuses_is_named(
    tmp_path: Path, seaweedfs: SeaweedFS
) -> None:
    put_database(tmp_path / "data")
    settings = s3_settings(seaweedfs, "faults-start")
    closed = f"http://127.0.0.1:{free_port()}"
    for wrong, word in (
        ({"MEDIATHEQUE_S3_ENDPOINT": closed}, closed),
        ({"MEDIATHEQUE_STORAGE_URL": "s3://no-such-bucket/prefix"}, "no-such-bucket"),
        ({"AWS_SECRET_ACCESS_KEY": "wr0ng-secret"}, "AWS_SECRET_ACCESS_KEY"),
    ):
        done = run_command(tmp_path / "data", "prepare", settings={**settings, **wrong})
        check_refusal(done, Exit.STORE, word)
        assert seaweedfs.secret_key not in done.stderr
        assert "wr0ng-secret" not in done.stderr


def test_a_storage_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in its place")
    folder = tmp_path / "file" / "store"
    put_database(tmp_path / "data")
    done = run_command(
        tmp_path / "data", "prepare", settings={"MEDIATHEQUE_STORAGE_URL": folder.as_uri()}
    )
    check_refusal(done, Exit.STORE, os.fspath(folder))
