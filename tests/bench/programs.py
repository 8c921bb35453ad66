"""Programs that are measured from their start to their end."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from tests.bench.outcome import BenchError
from tests.bench.probe import Peaks, Usage, family


def measure(
    name: str, command: Sequence[str | Path], environment: Mapping[str, str] | None = None
) -> Usage:
    """Run a program, in an environment of its own when asked; return what it used.

    :raises BenchError: it fails; says what it wrote.
    """
    started = time.perf_counter()
    process = psutil.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    peaks = Peaks(lambda: family(process))
    peaks.start()
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    peaks.stop()
    if status:
        raise BenchError(f"{name} ended with status {status}: {said[-3000:]!r}")
    cpu = used.ru_utime + used.ru_stime
    return Usage(wall, cpu, peaks.rss, peaks.pss, peaks.unmapped)
