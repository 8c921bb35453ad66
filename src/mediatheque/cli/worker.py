"""``mediatheque worker``: one more process that runs jobs."""

import asyncio
import os
import subprocess
import sys

from mediatheque.cli.data_dir import embedded_database, make_data_dir
from mediatheque.cli.descriptors import raise_limit
from mediatheque.cli.exits import Exit
from mediatheque.config import Settings, read_settings
from mediatheque.domain.errors import InvalidError
from mediatheque.telemetry.logs import configure_logs


def worker() -> None:
    """Run jobs until stopped, beside those that the service runs itself.

    Any number of workers may run, on any machine that reaches the same database and store.
    """
    settings = read_settings(os.environ)
    configure_logs(settings.log_format, settings.log_level)
    make_data_dir(settings.data_dir)
    raise_limit()
    with embedded_database(settings):
        done = subprocess.run([sys.executable, "-P", "-m", "mediatheque", "prepare"], check=False)
        if done.returncode != 0:
            sys.exit(done.returncode)
        _run(settings, parent=None)


def run_attached(settings: Settings, parent: int) -> None:
    """Run jobs for the service of this process id, which has prepared everything, and end with it.

    In a process of its own that was forked from that one.
    """
    _run(settings, parent=parent)


def _run(settings: Settings, *, parent: int | None) -> None:
    # What a worker needs is large: a command that fails early shall not wait for it.
    from mediatheque.runtime import end_with_parent  # noqa: PLC0415
    from mediatheque.worker import run_worker  # noqa: PLC0415

    async def run() -> None:
        watching = asyncio.create_task(end_with_parent(parent)) if parent is not None else None
        await run_worker(settings)
        if watching is not None:
            watching.cancel()

    try:
        asyncio.run(run())
    except InvalidError as error:
        sys.exit(Exit.SETTINGS.because(error.detail))
