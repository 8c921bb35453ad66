"""Databases that are there already, for services whose first start is not what is tested."""

import asyncio
import atexit
import functools
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mediatheque.catalog.embedded import EmbeddedPostgres
from mediatheque.catalog.schema import migrate
from mediatheque.engine import queue
from tests.support.database import execute

_UNUSED = ("template1", "template0")


def put_database(data_dir: Path) -> None:
    """Give a data directory that has none an embedded database with all of its tables.

    To make one takes a second of a processor, to copy one a tenth of that.
    """
    database = data_dir / "postgres"
    if database.exists():
        return
    data_dir.mkdir(mode=0o700, exist_ok=True)
    database.mkdir(mode=0o700)
    subprocess.run(["cp", "-a", _prepared(), database / "data"], check=True)


@functools.cache
def _prepared() -> Path:
    """Return the files of a database that was stopped; they end with this process."""
    home = Path(tempfile.mkdtemp(prefix="mediatheque-prepared-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    server = EmbeddedPostgres(home)
    server.start()
    try:
        with ThreadPoolExecutor(1) as thread:  # who asks may be in an event loop
            thread.submit(lambda: asyncio.run(_prepare(server.url))).result()
    finally:
        server.stop()
    data = home / "postgres" / "data"
    for log in (data / "pg_wal").iterdir():
        if log.is_file() and shutil.which("fallocate"):  # nearly all of it is zeros: not copied
            subprocess.run(["fallocate", "--dig-holes", log], check=False)
    return data


async def _prepare(url: str) -> None:
    await migrate(url, queue.install)
    for name in _UNUSED:  # a service makes no databases, and two thirds of the files are theirs
        await execute(url, f"ALTER DATABASE {name} IS_TEMPLATE false")
        await execute(url, f"DROP DATABASE {name}")
