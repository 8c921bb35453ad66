"""A service that tests hurt: killed in the middle of things, started where it cannot be well."""

import contextlib
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from tests.support.service import COMMAND, Service, environment, is_worker

_START_SECONDS = 60
_END_SECONDS = 60


class Victim(Service):
    """``wrapper`` comes before its command line; it runs as soon as ``/health`` answers."""

    def __init__(
        self,
        data_dir: Path,
        settings: Mapping[str, str] | None = None,
        *,
        wrapper: Sequence[str] = (),
    ) -> None:
        # One web process, where nothing else is said: each takes a second to start.
        super().__init__(data_dir, {"MEDIATHEQUE_WORKERS": "1", **(settings or {})})
        self._wrapper = wrapper

    def launch(self) -> subprocess.Popen[bytes]:
        """Start it without waiting for anything."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self._wrapper, COMMAND, "serve"],
                env=environment(self.data_dir, self.settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self.process

    def start(self) -> "Victim":
        """Start it and wait until it answers, well or not."""
        process = self.launch()
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            assert process.poll() is None, f"the service ended: {self.log.read_text()}"
            try:
                if self.http.get("/health").status_code == 200:
                    return self
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError(f"the service does not answer: {self.log.read_text()}")

    def kill(self) -> None:
        """Kill every process of it with SIGKILL; some may end by themselves meanwhile."""
        assert self.process is not None
        everything = self.processes()
        for process in everything:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(everything, timeout=_END_SECONDS)
        self.process.wait(_END_SECONDS)
        self.process = None

    def web_processes(self) -> list[psutil.Process]:
        """Return the processes that answer requests."""
        return [one for one in self._children() if _serves(one)]

    def postmaster(self) -> psutil.Process:
        """Return the first process of the embedded database."""
        return next(one for one in self._children() if one.name() == "postgres")

    def kill_database(self) -> None:
        """Kill the embedded database; return when none of its processes answers any more."""
        first = self.postmaster()
        others = first.children(recursive=True)
        first.kill()
        deadline = time.monotonic() + _END_SECONDS
        while any(map(_lives, others)):  # until they notice, they answer
            assert time.monotonic() < deadline, others
            time.sleep(0.01)

    def _children(self) -> list[psutil.Process]:
        assert self.process is not None
        return psutil.Process(self.process.pid).children()


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _serves(process: psutil.Process) -> bool:
    try:
        return "serve" in process.cmdline() and not is_worker(process)
    except psutil.NoSuchProcess:  # also one that ended and that nobody has waited for yet
        return False


@contextmanager
def running(
    data_dir: Path, settings: Mapping[str, str] | None = None, *, wrapper: Sequence[str] = ()
) -> Iterator[Victim]:
    """Run a service for the length of a block."""
    victim = Victim(data_dir, settings, wrapper=wrapper)
    try:
        yield victim.start()
    finally:
        victim.close()
