"""What the client and the users' commands bring into memory."""

import subprocess
import sys

import pytest


def imported(module: str) -> set[str]:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def test_the_client_imports_nothing_else_of_the_package() -> None:
    ours = {name for name in imported("mediatheque.client") if name.startswith("mediatheque")}

    assert {name for name in ours if not name.startswith("mediatheque.client")} == {"mediatheque"}


@pytest.mark.parametrize(
    "verb", ["get", "jobs", "ls", "process", "record", "schedules", "sync", "transfer", "upload"]
)
def test_users_commands_know_neither_the_database_nor_the_store(verb: str) -> None:
    modules = imported(f"mediatheque.cli.{verb}")

    assert "httpx" in modules
    assert not modules & {"sqlalchemy", "asyncpg", "obstore", "boto3", "litestar"}
