"""What programs that only copy do not do: catalog every file, and go on where they were killed."""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench import library, relay, server, store
from tests.bench.client import connection
from tests.bench.outcome import BenchError, Figure, Outcome
from tests.bench.plan import Plan
from tests.bench.probe import cpu_seconds
from tests.bench.source import MIB, random_files

_PREFIX = "many"
_SUBJECT = "Transfers, Mediatheque only"
_FILES, _FILE_SIZE = 10_000, 1 << 10
_EARLY, _LATE = (1000, 2000), (9000, 10_000)
"""Files that are compared. The first thousand also pays for finding all of them."""
_NOISE = 1.5
"""The late files count as being as cheap as the early ones up to this factor."""
_FIRST_PROGRESS_SECONDS = 1.0
_KILL_AT = 0.9
_MOST_SENT_AGAIN_PERCENT = 12.0
_LOOK_SECONDS = 0.05
_PATIENCE_SECONDS = 600


def run(plan: Plan) -> list[Outcome]:
    """Measure transfers of very many files, and ones whose processes are all killed."""
    directory = plan.directory / "transfers-alone"
    sources = directory / "sources"
    with store.running(directory / "store") as bucket:
        with (
            random_files(sources / "many", _FILES, _FILE_SIZE) as many,
            server.running(directory / "service", bucket.settings(_PREFIX, sources)) as service,
        ):
            walks = [_watch(service, bucket, many) for _ in range(plan.rounds)]
        with random_files(sources / "one", 1, plan.size) as [one]:
            again = [_resume(bucket, one, directory / str(turn)) for turn in range(plan.rounds)]
    return [
        _figure(f"{_FILES:,} files of 1 KiB", "s", [walk[-1].seconds for walk in walks]),
        _figure(
            "From the start to the first progress that is told",
            "s",
            [_first_progress(walk) for walk in walks],
            at_most=_FIRST_PROGRESS_SECONDS,
        ),
        _figure(
            "Database, CPU per file",
            "ms",
            [1000 * walk[-1].database_cpu_seconds / _FILES for walk in walks],
        ),
        _figure(
            "Database, CPU of the tenth thousand over that of the second",
            "times",
            [_late_over_early(walk, cpu=True) for walk in walks],
            at_most=_NOISE,
        ),
        _figure(
            "Time, tenth thousand over second",
            "times",
            [_late_over_early(walk, cpu=False) for walk in walks],
            at_most=_NOISE,
        ),
        _figure(
            f"{plan.size // MIB} MiB, everything killed at {_KILL_AT:.0%}: sent again",
            "% of the bytes",
            again,
            at_most=_MOST_SENT_AGAIN_PERCENT,
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Look:
    """What was seen of a transfer: when, how many files were complete, what the database used."""

    seconds: float
    complete: int
    database_cpu_seconds: float


def _watch(service: server.Service, bucket: store.Bucket, files: list[Path]) -> list[_Look]:
    """Transfer files and look on until all are complete; check what the store got."""
    before = bucket.keys(f"{_PREFIX}/originals")
    cpu_before = cpu_seconds(service.database_processes())
    with connection(service.address) as client:
        transfer_id = library.start_transfer(client, files[0].parent)
        started = time.perf_counter()
        walk = [_Look(0, 0, 0)]
        while walk[-1].complete < len(files):
            time.sleep(_LOOK_SECONDS)
            complete = library.transfer(client, transfer_id)["files"]["complete"]
            cpu = cpu_seconds(service.database_processes()) - cpu_before
            walk.append(_Look(time.perf_counter() - started, complete, cpu))
            if walk[-1].seconds > _PATIENCE_SECONDS:
                raise BenchError(f"{complete} of {len(files)} files are complete, no more come")
        library.wait_for_transfer(client, transfer_id)
    bucket.check(bucket.keys(f"{_PREFIX}/originals") - before, files)
    return walk


def _first_progress(walk: Sequence[_Look]) -> float:
    return next(look.seconds for look in walk if look.complete)


def _late_over_early(walk: Sequence[_Look], *, cpu: bool) -> float:
    """Return how much more time, or processor time of the database, late files took."""

    def taken(files: tuple[int, int]) -> float:
        first, last = (_at(walk, count, cpu=cpu) for count in files)
        return last - first

    return taken(_LATE) / taken(_EARLY)


def _at(walk: Sequence[_Look], count: int, *, cpu: bool) -> float:
    """Return the seconds, of the clock or the database, until so many files were complete."""
    earlier, later = next(
        (one, other) for one, other in itertools.pairwise(walk) if other.complete >= count
    )
    share = (count - earlier.complete) / (later.complete - earlier.complete)
    if cpu:
        used = later.database_cpu_seconds - earlier.database_cpu_seconds
        return earlier.database_cpu_seconds + share * used
    return earlier.seconds + share * (later.seconds - earlier.seconds)


def _resume(bucket: store.Bucket, source: Path, directory: Path) -> float:
    """Kill everything late in a transfer, start it again; return the percentage sent again."""
    prefix = f"resumed-{directory.name}"
    size = source.stat().st_size
    with relay.running(bucket.server.endpoint) as between:
        settings = bucket.settings(prefix, source.parent, endpoint=between.endpoint)
        with server.running(directory, settings) as service:
            with connection(service.address) as client:
                transfer_id = library.start_transfer(client, source)
            deadline = time.monotonic() + _PATIENCE_SECONDS
            while between.sent_bytes < _KILL_AT * size:
                if time.monotonic() > deadline:
                    raise BenchError(f"only {between.sent_bytes} of {size} bytes were sent")
                time.sleep(0.001)
            service.kill()
            if between.sent_bytes >= size:
                raise BenchError("everything had been sent before the processes were killed")
        with (
            server.running(directory, settings, again=True) as service,
            connection(service.address) as client,
        ):
            library.wait_for_transfer(client, transfer_id)
    keys = bucket.keys(f"{prefix}/originals")
    bucket.check(keys, [source])
    bucket.remove(keys)
    return 100 * (between.sent_bytes - size) / size


def _figure(
    what: str, unit: str, values: Sequence[float], *, at_most: float | None = None
) -> Figure:
    return Figure(_SUBJECT, what, unit, tuple(values), at_most)
