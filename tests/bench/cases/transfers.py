"""Files of this machine to an S3 store: door 0 beside programs that only copy."""

import itertools
import os
from collections.abc import Mapping
from pathlib import Path

from tests.bench import library, peers, server, store
from tests.bench.client import connection
from tests.bench.outcome import Bound, Outcome, Race, median_cpu, median_wall
from tests.bench.plan import Plan
from tests.bench.probe import Probe, Usage
from tests.bench.rounds import Contender, take_turns
from tests.bench.source import MIB, random_files

_PREFIX = "ours"
_OURS = "Mediatheque, job worker"
_WHOLE = "Mediatheque, all processes"
_REFERENCE = "s5cmd"
_FILES, _FILE_SIZE = 2000, 64 << 10
_MOST_MEGABYTES = 200.0

Runs = Mapping[str, tuple[Usage, ...]]


def run(plan: Plan) -> list[Outcome]:
    """Everybody sends the same files to the same store, and every object is read back."""
    directory = plan.directory / "transfers"
    sources = directory / "sources"
    with (
        random_files(sources / "one", 1, plan.size) as one,
        random_files(sources / "many", _FILES, _FILE_SIZE) as many,
        store.running(directory / "store") as bucket,
        server.running(directory / "service", bucket.settings(_PREFIX, sources)) as service,
    ):
        ours = _Ours(service, bucket)
        alone = _race(plan, ours, bucket, one, one[0])
        together = _race(plan, ours, bucket, many, many[0].parent)
    return [
        Race(
            f"One file of {plan.size // MIB} MiB",
            alone,
            (
                _cpu_bound(alone, 0.2),
                _wall_bound(alone, "the fastest peer's", list(plan.peers), 1.0),
                Bound(
                    "peak MB",
                    max(usage.peak_unmapped_bytes for usage in alone[_OURS]) / 1e6,
                    _MOST_MEGABYTES,
                ),
            ),
        ),
        Race(
            f"{_FILES} files of {_FILE_SIZE >> 10} KiB",
            together,
            (_cpu_bound(together, 1.5), _wall_bound(together, "s5cmd's", [_REFERENCE], 1.5)),
        ),
    ]


class _Ours:
    """Transfers through door 0. What the worker uses is returned, the rest goes to ``whole``."""

    def __init__(self, service: server.Service, bucket: store.Bucket) -> None:
        self.whole: list[Usage] = []
        self._service = service
        self._bucket = bucket

    def send(self, files: list[Path], named: Path) -> Usage:
        """Transfer what ``named`` names, which are these files; remove a single one again."""
        before = self._bucket.keys(f"{_PREFIX}/originals")
        _settle()
        processes = self._service.worker_processes
        worker, whole = Probe(processes, processes), self._service.probe()
        with connection(self._service.address) as client:
            with whole.watching(), worker.watching():
                library.wait_for_transfer(client, library.start_transfer(client, named))
            self._bucket.check(self._bucket.keys(f"{_PREFIX}/originals") - before, files)
            if len(files) == 1:
                library.remove(client, named.name)
        self.whole.append(whole.usage)
        return worker.usage


def _race(
    plan: Plan, ours: _Ours, bucket: store.Bucket, files: list[Path], named: Path
) -> dict[str, tuple[Usage, ...]]:
    contenders: dict[str, Contender] = {_OURS: lambda: ours.send(files, named)}
    for name, program in plan.peers.items():
        contenders[name] = _peer(name, program, bucket, files, named)
    runs = take_turns(contenders, plan.rounds)
    # The first transfer of ours only warmed up, as did those of the peers.
    whole = tuple(ours.whole[-plan.rounds :])
    return {_OURS: runs.pop(_OURS), _WHOLE: whole, **runs}


def _peer(
    name: str, program: str, bucket: store.Bucket, files: list[Path], named: Path
) -> Contender:
    turns = itertools.count()

    def send() -> Usage:
        prefix = f"{name}/{named.name}/{next(turns)}"
        _settle()
        usage = peers.copy(name, program, named, bucket.server, prefix)
        keys = bucket.keys(prefix)
        bucket.check(keys, files)
        bucket.remove(keys)
        return usage

    return send


def _cpu_bound(runs: Runs, at_most: float) -> Bound:
    peer = runs.get(_REFERENCE)
    ratio = median_cpu(runs[_OURS]) / median_cpu(peer) if peer else None
    return Bound("CPU s of the worker over s5cmd's", ratio, at_most)


def _wall_bound(runs: Runs, whose: str, names: list[str], at_most: float) -> Bound:
    fastest = min((median_wall(runs[name]) for name in names if name in runs), default=None)
    ratio = None if fastest is None else median_wall(runs[_OURS]) / fastest
    return Bound(f"seconds over {whose}", ratio, at_most)


def _settle() -> None:
    """Let nothing be left to write from the turn before."""
    os.sync()
