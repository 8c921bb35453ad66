"""What commands print, and how they end when they cannot work: as real processes, and in ours.

A process takes a second to import everything. What only differs in a value runs in ours.
"""

import socket
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediatheque.catalog.schema import migrate
from mediatheque.engine import queue
from tests.integration.cli.conftest import Run
from tests.support.database import execute
from tests.support.service import COMMAND, environment, free_port


def run(
    data_dir: Path, *arguments: str, settings: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *arguments],
        env=environment(data_dir, settings or {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def check_refusal(done: subprocess.CompletedProcess[str], code: int, says: str) -> None:
    """Check that a command ended with this code and one sentence, without a traceback."""
    assert done.returncode == code, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("mediatheque: ")
    assert says in last
    assert "Traceback" not in done.stderr


def test_config_prints_the_settings_in_effect_as_toml(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text('workers = 3\nsecret_key = "' + "s" * 40 + '"\n')
    done = run(
        tmp_path / "data",
        "config",
        settings={
            "MEDIATHEQUE_CONFIG": str(file),
            "MEDIATHEQUE_PORT": "5001",
            "MEDIATHEQUE_DATABASE_URL": "postgresql://me:hidden@host/db",
            "MEDIATHEQUE_PROT": "1",
        },
    )

    assert done.returncode == 0
    printed = tomllib.loads(done.stdout)
    assert (printed["workers"], printed["port"]) == (3, 5001)
    assert printed["data_dir"] == str(tmp_path / "data")
    assert printed["secret_key"] == "********"
    assert "hidden" not in done.stdout
    assert "s" * 40 not in done.stdout
    assert "# MEDIATHEQUE_PROT is set, but there is no such setting" in done.stdout
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("command", ["config", "prepare", "serve", "janitor"])
def test_a_wrong_setting_stops_every_command(tmp_path: Path, run_here: Run, command: str) -> None:
    start = run if command == "serve" else run_here
    done = start(tmp_path / "data", command, settings={"MEDIATHEQUE_PORT": "70000"})

    check_refusal(done, 2, "MEDIATHEQUE_PORT is not usable")


@pytest.mark.parametrize("arguments", [["nothing"], ["serve", "--port", "x"], ["config", "x"]])
def test_a_wrong_argument_is_a_wrong_setting(
    tmp_path: Path, run_here: Run, arguments: list[str]
) -> None:
    done = run_here(tmp_path / "data", *arguments)

    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("url", ["mysql://host/db", "nonsense"])
def test_a_database_of_another_kind_is_a_wrong_setting(
    tmp_path: Path, run_here: Run, url: str
) -> None:
    done = run_here(tmp_path / "data", "prepare", settings={"MEDIATHEQUE_DATABASE_URL": url})

    check_refusal(done, 2, "MEDIATHEQUE_DATABASE_URL")


@pytest.mark.parametrize("command", ["prepare", "serve", "janitor"])
def test_a_data_directory_that_is_a_file_cannot_be_used(
    tmp_path: Path, run_here: Run, command: str
) -> None:
    (tmp_path / "data").touch()
    start = run if command == "serve" else run_here
    done = start(tmp_path / "data", command, settings={"MEDIATHEQUE_PORT": str(free_port())})

    check_refusal(done, 3, f"{tmp_path / 'data'} cannot be written")


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield int(listening.getsockname()[1])


def test_a_taken_port_is_told_before_anything_is_made(tmp_path: Path, taken_port: int) -> None:
    done = run(tmp_path / "data", "serve", "--port", str(taken_port))

    check_refusal(done, 4, f"Cannot listen on 127.0.0.1:{taken_port}")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("host", "says"),
    [("0.0.0.0", "Refusing"), ("::", "Refusing"), ("no-such-name.invalid", "not known")],
)
def test_only_loopback_addresses_are_served_without_authentication(
    tmp_path: Path, host: str, says: str
) -> None:
    done = run(tmp_path / "data", "serve", "--host", host, "--port", str(free_port()))

    check_refusal(done, 4, says)


def test_a_database_that_does_not_answer_is_told(tmp_path: Path, run_here: Run) -> None:
    done = run_here(
        tmp_path / "data",
        "prepare",
        settings={"MEDIATHEQUE_DATABASE_URL": f"postgresql://me:pw@127.0.0.1:{free_port()}/x"},
    )

    check_refusal(done, 5, "The database does not answer")
    assert "pw" not in done.stderr


async def test_a_newer_schema_is_refused(tmp_path: Path, empty_database_url: str) -> None:
    settings = {"MEDIATHEQUE_DATABASE_URL": empty_database_url}
    await migrate(empty_database_url, queue.install)
    await execute(empty_database_url, "UPDATE alembic_version SET version_num = '9999'")

    done = run(tmp_path / "data", "prepare", settings=settings)

    check_refusal(done, 5, "newer than this version")


def test_a_store_that_does_not_answer_is_told(
    tmp_path: Path, run_here: Run, empty_database_url: str
) -> None:
    (tmp_path / "file").touch()
    done = run_here(
        tmp_path / "data",
        "prepare",
        settings={
            "MEDIATHEQUE_DATABASE_URL": empty_database_url,
            "MEDIATHEQUE_STORAGE_URL": (tmp_path / "file").as_uri(),
        },
    )

    check_refusal(done, 6, "cannot be written")


async def test_the_janitor_says_what_it_removed(tmp_path: Path, empty_database_url: str) -> None:
    done = run(
        tmp_path / "data", "janitor", settings={"MEDIATHEQUE_DATABASE_URL": empty_database_url}
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "removed 0 expired uploads, 0 objects without a media, 0 unfinished writes\n"
    )
    secret = tmp_path / "data" / "secret"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert len(secret.read_text()) >= 32
