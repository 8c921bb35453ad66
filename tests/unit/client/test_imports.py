"""What the client and the users' commands bring into memory."""

import pytest

from tests.support.imports import imported


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
