"""Looking at what is behind a service, without the code that serves it, and cleaning it."""

import asyncio
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from mediatheque.catalog.embedded import EmbeddedPostgres
from mediatheque.storage.keys import CATALOG_ID
from tests.support.forking import run_forked
from tests.support.seaweedfs import SeaweedFS
from tests.support.service import Service, environment

_PATIENCE_SECONDS = 30
_COMMAND_SECONDS = 60


def query(url: str, statement: str) -> list[Any]:
    """Run one statement on a database and return its rows."""

    async def run() -> list[Any]:
        connection = await asyncpg.connect(url)
        try:
            rows: list[Any] = await connection.fetch(statement)
            return rows
        finally:
            await connection.close()

    return asyncio.run(run())


def rows(service: Service, statement: str) -> list[Any]:
    """Run one statement on the embedded database of a running service."""
    return query(EmbeddedPostgres(service.data_dir).url, statement)


@contextmanager
def locked(service: Service, statement: str) -> Iterator[None]:
    """Hold what a statement locks in the embedded database for the block."""
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(EmbeddedPostgres(service.data_dir).url))
        try:
            runner.run(connection.execute("BEGIN"))
            runner.run(connection.execute(statement))
            yield
        finally:
            runner.run(connection.close())


def is_waiting(service: Service, statement: str) -> bool:
    """Tell whether a session waits for a lock with a statement that begins like this."""
    query = "SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    return any(row["query"].startswith(statement) for row in rows(service, query))


def upload_rows(service: Service) -> int:
    """Return how many uploads are under way."""
    return int(rows(service, "SELECT count(*) FROM uploads")[0][0])


def files_in(folder: Path) -> set[str]:
    """Return the files below a storage folder, as keys, without what names the store's catalog."""
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return files - {CATALOG_ID}


def objects_in(server: SeaweedFS, prefix: str) -> set[str]:
    """Return the objects below a prefix in an S3 store, without what names its catalog."""
    found = server.client().list_objects_v2(Bucket=server.bucket, Prefix=f"{prefix}/")
    keys = {item["Key"].removeprefix(f"{prefix}/") for item in found.get("Contents", [])}
    return keys - {CATALOG_ID}


def stored(service: Service) -> set[str]:
    """Return all files in the local store, whatever they are."""
    return files_in(service.data_dir / "objects")


def in_use(service: Service) -> set[str]:
    """Return the keys of the objects that medias refer to."""
    return {row[0] for row in rows(service, "SELECT object_key FROM medias")}


def is_clean(service: Service) -> bool:
    """Tell whether there is nothing but medias and their objects."""
    return upload_rows(service) == 0 and stored(service) == in_use(service)


def wait_until(condition: Callable[[], bool], *, seconds: float = _PATIENCE_SECONDS) -> None:
    """Return as soon as a condition holds; fail when it does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {seconds} s: {condition}"
        time.sleep(0.05)


def run_command(
    data_dir: Path, *arguments: str, settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one command of Mediatheque to its end."""
    variables = environment(data_dir, settings or {})
    return run_forked(*arguments, variables=variables, timeout=_COMMAND_SECONDS)


def run_janitor(service: Service, **settings: str) -> tuple[int, int, int]:
    """Run a round beside the service; return how many uploads, objects and writes it removed."""
    done = run_command(service.data_dir, "janitor", settings={**service.settings, **settings})
    assert done.returncode == 0, done.stderr
    uploads, objects, unfinished = map(int, re.findall(r"\d+", done.stdout))
    return uploads, objects, unfinished


AT_ONCE = {"MEDIATHEQUE_ORPHAN_AGE": "1", "MEDIATHEQUE_UPLOAD_EXPIRY": "1"}
"""Settings with which the janitor takes everything that is older than a second."""


def let_age(service: Service) -> None:
    """Make every upload under way expire now, and everything in the store older than a second."""
    rows(service, "UPDATE uploads SET expires_at = now()")
    time.sleep(1.1)
