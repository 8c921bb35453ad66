"""The data directory as commands use it: made, held, and with the embedded database running."""

import contextlib
import fcntl
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mediatheque.catalog.embedded import EmbeddedPostgres
from mediatheque.cli.exits import Exit
from mediatheque.config import Settings
from mediatheque.domain.errors import MediathequeError

_ENDING_SECONDS = 2.0
"""What the processes of a service take at most to find that it was killed."""


def make_data_dir(data_dir: Path) -> None:
    """Make sure that the data directory can be written; exit with a sentence when it cannot."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = data_dir / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        sys.exit(
            Exit.DATA_DIR.because(
                f"The data directory {data_dir} cannot be written: {error.strerror}. Set "
                "MEDIATHEQUE_DATA_DIR to a folder of yours."
            )
        )


@contextlib.contextmanager
def only_service(data_dir: Path) -> Iterator[None]:
    """Hold the data directory; exit with a sentence when another service does."""
    with (data_dir / "lock").open("w") as lock:
        if not _acquire(lock):
            sys.exit(
                Exit.DATA_DIR.because(
                    f"Another service already runs on the data directory {data_dir}. Stop it, or "
                    "set MEDIATHEQUE_DATA_DIR to another folder."
                )
            )
        yield


def let_end(data_dir: Path) -> None:
    """Wait a moment for a service on the data directory that was killed, until all of it is gone.

    Returns all the same when one goes on, whoever that concerns.
    """
    deadline = time.monotonic() + _ENDING_SECONDS
    with contextlib.suppress(OSError):  # a folder that cannot be written is complained of later
        while (data_dir / "lock").exists() and service_runs(data_dir):
            if time.monotonic() > deadline:
                return
            time.sleep(0.05)


def service_runs(data_dir: Path) -> bool:
    """Tell whether a service holds the data directory."""
    with (data_dir / "lock").open("w") as lock:
        return not _acquire(lock)


def _acquire(lock: IO[str]) -> bool:
    """Take a lock that ends when its file is closed; False when somebody else has it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def embedded_database(settings: Settings) -> Iterator[None]:
    """Run the embedded database during the block, unless there is another one or it runs."""
    if settings.database_url is not None:
        yield
        return
    postgres = EmbeddedPostgres(settings.data_dir)
    try:
        postgres.start()
    except MediathequeError as error:
        sys.exit(Exit.DATABASE.because(error.detail))
    try:
        yield
    finally:
        postgres.stop()
