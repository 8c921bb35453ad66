"""A service that tests hurt: killed in the middle of things, started where it cannot be well."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from tests.support.forking import NAME
from tests.support.service import Service

_START_SECONDS = 60
_END_SECONDS = 60


class Victim(Service):
    """``wrapper`` comes before its command line; it runs as soon as ``/health`` answers.

    One with a wrapper is a first one, too.
    """

    def __init__(
        self,
        data_dir: Path,
        settings: Mapping[str, str] | None = None,
        *,
        first: bool = False,
        wrapper: Sequence[str] = (),
    ) -> None:
        # One web process, where nothing else is said: each takes a while to start.
        variables = {"MEDIATHEQUE_WORKERS": "1", **(settings or {})}
        super().__init__(data_dir, variables, first=first or bool(wrapper))
        self.wrapper = wrapper

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
        return process.name() == NAME and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # also one that ended and that nobody has waited for yet
        return False


@contextmanager
def running(
    data_dir: Path,
    settings: Mapping[str, str] | None = None,
    *,
    first: bool = False,
    wrapper: Sequence[str] = (),
) -> Iterator[Victim]:
    """Run a service for the length of a block."""
    victim = Victim(data_dir, settings, first=first, wrapper=wrapper)
    try:
        yield victim.start()
    finally:
        victim.close()
