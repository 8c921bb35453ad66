"""What a server's processes use while something is done to them: time, processor, memory."""

import itertools
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

_SAMPLE_SECONDS = 0.05
SELDOM_SECONDS = 1.0
"""Finding children reads all of ``/proc``, and PSS walks the memory of a process, a millisecond or
two of each of ours: what is timed waits for neither more often than this."""
OFTEN_SECONDS = 0.25
"""Where memory is the question, PSS is read as often as this."""
_LIST_EVERY = round(SELDOM_SECONDS / _SAMPLE_SECONDS)

_OWN_PAGES = re.compile(r"^Rss(?:Anon|Shmem):\s+(\d+) kB$", re.MULTILINE)

ListProcesses = Callable[[], Sequence[psutil.Process]]


@dataclass(frozen=True, slots=True)
class Usage:
    """One piece of work: seconds by the clock and on processors, and peaks of memory in bytes.

    ``peak_rss_bytes`` is the sum over processes and counts shared pages once for each of them;
    ``peak_pss_bytes`` counts them once in all (0 where the system does not tell, as on macOS).
    ``peak_unmapped_bytes`` is the resident memory less the pages of mapped files, which the kernel
    can take back at any time (0 where the system does not tell).
    """

    wall_seconds: float
    cpu_seconds: float
    peak_rss_bytes: int
    peak_pss_bytes: int
    peak_unmapped_bytes: int


class Probe:
    """Watches a server from the opening of a ``with`` block to its end; then ``usage`` is there.

    :param counted: lists the processes whose processor time counts.
    :param weighed: lists the processes whose memory counts.
    :param pss_seconds: time between two looks at PSS.
    """

    usage: Usage

    def __init__(
        self,
        counted: ListProcesses,
        weighed: ListProcesses,
        *,
        pss_seconds: float = SELDOM_SECONDS,
    ) -> None:
        self._counted = counted
        self._weighed = weighed
        self._pss_seconds = pss_seconds
        self._extra_cpu_seconds = 0.0

    def add_cpu(self, seconds: float) -> None:
        """Count processor time that the harness spent on the server's behalf."""
        self._extra_cpu_seconds += seconds

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Measure what happens inside the block."""
        peaks = Peaks(self._weighed, pss_seconds=self._pss_seconds)
        peaks.start()
        cpu_before = cpu_seconds(self._counted())
        started = time.perf_counter()
        try:
            yield
        finally:
            wall = time.perf_counter() - started
            cpu = cpu_seconds(self._counted()) - cpu_before
            peaks.stop()
        self.usage = Usage(
            wall, cpu + self._extra_cpu_seconds, peaks.rss, peaks.pss, peaks.unmapped
        )


class Peaks(threading.Thread):
    """Samples memory in the background until stopped; at least once before and once after."""

    def __init__(self, weighed: ListProcesses, *, pss_seconds: float = SELDOM_SECONDS) -> None:
        super().__init__(daemon=True)
        self.rss = 0
        self.pss = 0
        self.unmapped = 0
        self._weighed = weighed
        self._pss_every = round(pss_seconds / _SAMPLE_SECONDS)
        self._processes: Sequence[psutil.Process] = ()
        self._stopping = threading.Event()

    def start(self) -> None:
        """Take the first sample; the others follow in the background."""
        self._list()
        self._weigh()
        self._weigh_shared()
        super().start()

    def run(self) -> None:
        """Sample until stopped."""
        for count in itertools.count(1):
            stopped = self._stopping.wait(_SAMPLE_SECONDS)
            if stopped or count % _LIST_EVERY == 0:
                self._list()
            self._weigh()
            if stopped or count % self._pss_every == 0:
                self._weigh_shared()
            if stopped:
                return

    def stop(self) -> None:
        """Take the last sample and return."""
        self._stopping.set()
        self.join()

    def _list(self) -> None:
        self._processes = self._weighed()

    def _weigh(self) -> None:
        self.rss = max(self.rss, rss_bytes(self._processes))
        self.unmapped = max(self.unmapped, unmapped_bytes(self._processes))

    def _weigh_shared(self) -> None:
        self.pss = max(self.pss, pss_bytes(self._processes))


def family(process: psutil.Process) -> list[psutil.Process]:
    """Return a process and everything that descends from it; nothing when it has ended."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    """Sum user and system time, that of children which have ended included."""
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def rss_bytes(processes: Sequence[psutil.Process]) -> int:
    """Sum the resident memory of processes."""
    total = 0
    for process in processes:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def unmapped_bytes(processes: Sequence[psutil.Process]) -> int:
    """Sum the resident memory of processes without the pages of mapped files (0 but on Linux)."""
    total = 0
    for process in processes:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:  # it has ended, or the system has no such file
            continue
        total += sum(int(kilobytes) << 10 for kilobytes in _OWN_PAGES.findall(status))
    return total


def pss_bytes(processes: Sequence[psutil.Process]) -> int:
    """Sum the proportional memory of processes (Linux; 0 elsewhere)."""
    total = 0
    for process in processes:
        try:
            total += getattr(process.memory_full_info(), "pss", 0)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total
