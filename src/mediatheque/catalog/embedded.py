"""A private PostgreSQL inside the data directory, for those who have none.

Of the commands that use a data directory at the same time the first one runs the server. It is a
child of that one: it stops with it, and on Linux also when that is killed. Then another one of
those that still run starts it again.
"""

import fcntl
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import IO

from mediatheque.catalog.embedded_server import EmbeddedServer
from mediatheque.domain.errors import UnavailableError
from mediatheque.telemetry.logs import get_logger

log = get_logger(__name__)

_START_SECONDS = 600
_REMAINS = ("pre-existing shared memory block", 'lock file "postmaster.pid" already exists')
"""What a server says that finds those of one that was killed and has not ended yet."""

_REMAINS_SECONDS = 30.0
_SILENT_SECONDS = 5.0
_STOP_SECONDS = 60
_RETRY_SECONDS = 1.0


class EmbeddedPostgres:
    """One PostgreSQL server, started at most once per data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._home = data_dir.absolute() / "postgres"
        self._files = EmbeddedServer(self._home)
        self._lock: IO[str] | None = None  # held by who runs the server
        self._server: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._launching = threading.Lock()  # held to start the server again, not the first time

    @property
    def url(self) -> str:
        """Where the server is reached once it runs."""
        return self._files.url

    def start(self) -> None:
        """Have the server run until ``stop``: by this process, or by another one as long as it can.

        Raises UnavailableError with the last lines of its log when it does not come up.
        """
        _forget_other_servers()
        self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._wait_until_ready()
        except BaseException:  # also when we are told to stop
            self.stop()
            raise
        threading.Thread(target=self._keep_running, daemon=True, name="postgres").start()

    def stop(self) -> None:
        """Stop the server if this object runs it; everything committed stays."""
        with self._launching:
            self._stopping.set()
        if self._lock is None:
            return
        if self._server is not None:
            _end(self._server)
            self._server = None
        self._files.clear()
        self._lock.close()
        self._lock = None

    def _wait_until_ready(self) -> None:
        began = time.monotonic()
        told = False
        while (waited := time.monotonic() - began) < _START_SECONDS:
            if self._lock is None and self._may_run_it():
                self._files.create()
                self._server = self._files.launch()
            if self._files.answers():
                return
            if self._server is not None and self._server.poll() is not None:
                # It may take a slow disk some seconds to let go of a server that was killed.
                words = self._files.last_words()
                if waited > _REMAINS_SECONDS or not any(remains in words for remains in _REMAINS):
                    break
                time.sleep(0.2)
                self._server = self._files.launch()
            if self._lock is None and waited > _SILENT_SECONDS and not told:
                log.warning("waiting for the database of another process", url=self.url)
                told = True
            time.sleep(0.05)
        raise UnavailableError(f"The embedded database did not start. {self._files.last_words()}")

    def _may_run_it(self) -> bool:
        """Take the right to run the server; False while another process has it."""
        lock = (self._home / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock
        return True

    def _keep_running(self) -> None:
        """Start the server again that was killed, or that another process runs no more."""
        while not self._stopping.is_set():
            server = self._server
            if server is not None:
                server.wait()
            if self._stopping.wait(_RETRY_SECONDS):
                return
            try:
                with self._launching:
                    if self._stopping.is_set():
                        return
                    if self._lock is not None or self._may_run_it():
                        self._server = self._files.launch()
            except (OSError, UnavailableError) as error:
                # What killed it may last: no memory for a process, no room for its log.
                log.warning("database not started again", error=str(error))


def _forget_other_servers() -> None:
    """Drop what the environment says of other servers, as for the tools of their operators.

    PostgreSQL's programs and its driver heed ``PG*`` in what no argument says.
    """
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]


def _end(server: subprocess.Popen[bytes]) -> None:
    """Stop a server; everything committed stays."""
    server.send_signal(signal.SIGINT)  # fast shutdown: ends sessions, then checkpoints
    try:
        server.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.send_signal(signal.SIGQUIT)
        server.wait()
