"""Looking into films: probes with and without the sandbox, and the remux of a long one."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from mediatheque.domain.processing import Step
from mediatheque.processing import steps
from mediatheque.processing.pool import ProcessingPool
from mediatheque.processing.tasks import Processed, Task
from tests.bench import films, programs
from tests.bench.outcome import BenchError, Figure, Outcome
from tests.bench.plan import Plan
from tests.bench.probe import Probe, Usage, family
from tests.bench.rounds import Contender, compare

_SUBJECT = "Processing"
_MAX_PIXELS = 50_000_000
_MEMORY = 1 << 30
_FILM_SECONDS = 12
_WARM_UP, _PROBES = 5, 50
_MOST_ALONE, _MOST_SANDBOXED = 10.0, 50.0
_LONG_BYTES = 600_000_000
_MOST_RATIO = 2.0
_MOST_MEGABYTES = 200.0
_PROBE = Task(kind="video", steps=(Step.PROBE,), max_pixels=_MAX_PIXELS)
_REMUX = Task(kind="video", steps=(Step.PROBE, Step.REMUX), max_pixels=_MAX_PIXELS)


def run(plan: Plan) -> list[Outcome]:
    """Probe a film here and in the sandbox; remux a long one in the sandbox, beside ffmpeg."""
    directory = plan.directory / "processing"
    directory.mkdir()
    film = films.camera(_FILM_SECONDS)
    short, long = directory / "short.webm", directory / "long.webm"
    short.write_bytes(film)
    with _sandbox(directory / "made") as sandbox:
        probes = _probes(sandbox, short)
        films.write_long(long, film, _FILM_SECONDS, _LONG_BYTES)
        return [*probes, *_remux(plan, sandbox, long)]


class _Sandbox:
    """Sandboxed processes, as a job worker has them. They write to ``folder``."""

    def __init__(self, runner: asyncio.Runner, pool: ProcessingPool, folder: Path) -> None:
        self.folder = folder
        self._runner = runner
        self._pool = pool

    def process(self, task: Task, source: Path) -> Processed:
        """Do a task in a process of its own."""
        return self._runner.run(self._pool.process(task, source, self.folder))

    def probe(self) -> Probe:
        """Return a probe: the time of all processes, the memory of those that process a file."""
        server = _forkserver()
        return Probe(lambda: family(server), server.children)


@contextmanager
def _sandbox(folder: Path) -> Iterator[_Sandbox]:
    folder.mkdir()
    with asyncio.Runner() as runner:
        pool = ProcessingPool(at_once=1, memory=_MEMORY)
        try:
            yield _Sandbox(runner, pool, folder)
        finally:
            runner.run(pool.close())


def _forkserver() -> psutil.Process:
    [server] = [
        child
        for child in psutil.Process().children()
        if "mediatheque.processing.forkserver" in child.cmdline()
    ]
    return server


def _probes(sandbox: _Sandbox, film: Path) -> list[Figure]:
    steps.warm_up()
    folder = str(sandbox.folder)
    what = f"Probe of {_FILM_SECONDS} s of film, {film.stat().st_size / 1e6:.1f} MB"
    return [
        Figure(
            _SUBJECT,
            f"{what}, in the process",
            "ms",
            _time_probes(lambda: steps.process(str(film), folder, _PROBE, lambda _: None)),
            at_most=_MOST_ALONE,
        ),
        Figure(
            _SUBJECT,
            f"{what}, in a sandboxed process",
            "ms",
            _time_probes(lambda: sandbox.process(_PROBE, film)),
            at_most=_MOST_SANDBOXED,
        ),
    ]


def _time_probes(probe: Callable[[], Processed]) -> tuple[float, ...]:
    """Return the milliseconds of each probe once all is warm.

    :raises BenchError: one has found another duration.
    """
    taken = []
    for _ in range(_WARM_UP + _PROBES):
        started = time.perf_counter()
        found = probe().meta["duration"]
        taken.append((time.perf_counter() - started) * 1000)
        if abs(found - _FILM_SECONDS) > 0.1:
            raise BenchError(f"a film of {_FILM_SECONDS} s is said to take {found} s")
    return tuple(taken[_WARM_UP:])


def _remux(plan: Plan, sandbox: _Sandbox, film: Path) -> list[Outcome]:
    seconds = films.duration(film)

    def checked(work: Callable[[Path], Usage]) -> Contender:
        made = sandbox.folder / "processed.webm"

        def turn() -> Usage:
            os.sync()  # let nothing be left to write from the turn before
            usage = work(made)
            films.check_playable(made, seconds)
            made.unlink()
            return usage

        return turn

    def ours(_: Path) -> Usage:
        probe = sandbox.probe()
        with probe.watching():
            processed = sandbox.process(_REMUX, film)
        if processed.failures or processed.meta.get("warnings"):
            raise BenchError(f"the remux is not whole: {processed}")
        return probe.usage

    def peer(made: Path) -> Usage:
        said = ("-nostdin", "-v", "error")
        copy = ("-i", film, "-c", "copy", "-cues_to_front", "1", made)
        assert plan.ffmpeg is not None
        return programs.measure("ffmpeg", [plan.ffmpeg, *said, *copy])

    comparison = compare(
        f"Remux of a WebM of {film.stat().st_size // 1_000_000} MB, sandboxed",
        checked(ours),
        None if plan.ffmpeg is None else checked(peer),
        peer_name="ffmpeg -c copy",
        rounds=plan.rounds,
        target_ratio=_MOST_RATIO,
    )
    return [
        comparison,
        Figure(
            _SUBJECT,
            "Peak RSS of the process that remuxes it",
            "MB",
            tuple(usage.peak_rss_bytes / 1e6 for usage in comparison.ours),
            at_most=_MOST_MEGABYTES,
        ),
    ]
