"""The job worker that ``mediatheque serve`` runs, beside its web processes."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from multiprocessing.context import ForkProcess
from pathlib import Path

from mediatheque.cli import forks
from mediatheque.cli.worker import run_attached
from mediatheque.config import Settings
from mediatheque.telemetry.logs import get_logger

log = get_logger(__name__)

# Not as long as a database that was killed is waited for: of two forks at the same moment each
# would hold the other's pipes.
_RESTART_SECONDS = 1.2
_KILLED_SECONDS = 1.0

WORKER_NAME = "mtq-worker"
"""What the job worker is called among the processes of a Linux machine."""


@contextlib.contextmanager
def job_worker(settings: Settings) -> Iterator[None]:
    """Keep one job worker running during the block; it hands its jobs back at the end."""
    worker = _KeptWorker(settings)
    try:
        worker.start()
        yield
    finally:
        worker.stop()


class _KeptWorker:
    """A process that runs jobs, and the thread that starts another one when it ends."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: ForkProcess | None = None
        self._stopping = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True, name="worker")

    def start(self) -> None:
        self._fork()
        self._keeper.start()

    def stop(self) -> None:
        self._stopping.set()
        self._terminate()
        if self._keeper.is_alive():
            self._keeper.join(self._settings.shutdown_timeout + _RESTART_SECONDS)
        if self._process is not None:
            self._process.kill()  # one that is too busy to hear would outlive its database
            self._process.join(_KILLED_SECONDS)

    def _fork(self) -> None:
        process = forks.CONTEXT.Process(target=_work, args=(self._settings, os.getpid()))
        try:
            forks.start(process)
        finally:
            if process.pid is not None:  # else there is nothing that could be stopped
                self._process = process

    def _keep(self) -> None:
        while self._process is not None:
            self._process.join()
            if self._stopping.wait(_RESTART_SECONDS):
                return
            code = self._process.exitcode
            log.warning("the job worker ended and is started again", code=code)
            try:
                self._fork()
            except OSError as error:
                log.error("the job worker could not be started", reason=error.strerror)
            if self._stopping.is_set():  # set when there was nothing to stop
                self._terminate()

    def _terminate(self) -> None:
        if self._process is not None:
            self._process.terminate()


def _work(settings: Settings, parent: int) -> None:
    """Be the job worker of the service whose process id is ``parent``."""
    # A Ctrl-C in the terminal is for the supervisor, which stops the worker last.
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    forks.heed_stops()
    # The command line is the supervisor's: by this name operators tell it from the others.
    with contextlib.suppress(OSError):  # not everywhere, and not for everybody
        Path("/proc/self/comm").write_text(WORKER_NAME)
    run_attached(settings, parent)
