"""A folder mirrored into a bucket: door 2 beside programs that do the same."""

import itertools
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.bench import peers, server, store
from tests.bench.client import connection
from tests.bench.outcome import BenchError, Bound, Figure, Outcome, Race, median_wall
from tests.bench.plan import Plan
from tests.bench.probe import Probe, Usage
from tests.bench.rounds import Contender, take_turns
from tests.bench.source import tree

_OURS = "Mediatheque, job worker"
_REFERENCE = "s5cmd"
_PEERS = (_REFERENCE, "rclone")
_SMALL, _LARGE = 10_000, 100_000
_FILE_SIZE = 8 << 10
_PER_FOLDER = 1000
_MOST_GROWTH = 1.15
"""The worker's peak with 100,000 files over that with 10,000: flat, but for noise."""

Runs = Mapping[str, tuple[Usage, ...]]


def run(plan: Plan) -> list[Outcome]:
    """Everybody mirrors the same folders into buckets of their own on the same store."""
    directory = plan.directory / "sync"
    uploads = directory / "uploads"
    small = tree(uploads / "small", _SMALL, _FILE_SIZE, per_folder=_PER_FOLDER)
    large = tree(uploads / "large", _LARGE, _FILE_SIZE, per_folder=_PER_FOLDER)
    with (
        store.running(directory / "store") as bucket,
        server.running(
            directory / "service",
            {"MEDIATHEQUE_UPLOADS_ROOT": str(uploads), **bucket.server.environment},
        ) as service,
    ):
        mirrors = _Mirrors(plan, bucket, service)
        first = mirrors.first(small)
        again = mirrors.unchanged(small)
        again_large = mirrors.unchanged(large)
    shutil.rmtree(uploads)
    return [
        Race(f"First sync of {_SMALL:,} files of 8 KiB", first, (_bound(first, 1.5),)),
        Race(f"Sync of {_SMALL:,} files, nothing changed", again, (_bound(again, 1.0),)),
        Race(
            f"Sync of {_LARGE:,} files, nothing changed", again_large, (_bound(again_large, 1.0),)
        ),
        Figure(
            "Syncs, Mediatheque only",
            f"peak of the worker with {_LARGE:,} files over that with {_SMALL:,}",
            "x",
            (_peak(again_large) / _peak(again),),
            at_most=_MOST_GROWTH,
        ),
    ]


class _Mirrors:
    """The same folder into a bucket, by ourselves and by each peer."""

    def __init__(self, plan: Plan, bucket: store.Bucket, service: server.Service) -> None:
        self._plan = plan
        self._bucket = bucket
        self._service = service
        self._turns = itertools.count()

    def first(self, folder: Path) -> Runs:
        """Mirror into an empty bucket; every object is read back, and the bucket removed."""

        def once(name: str) -> Contender:
            def work() -> Usage:
                target = self._new_bucket(name)
                usage = self._mirror(name, folder, target)
                self._bucket.check_mirror(target, folder)
                self._bucket.remove_bucket(target)
                return usage

            return work

        return self._take_turns(once)

    def unchanged(self, folder: Path) -> Runs:
        """Mirror again what is mirrored already."""

        def again(name: str) -> Contender:
            target = self._new_bucket(name)
            self._mirror(name, folder, target)
            self._bucket.check_mirror(target, folder)
            return lambda: self._mirror(name, folder, target)

        return self._take_turns(again)

    def _take_turns(self, contender: Callable[[str], Contender]) -> Runs:
        names = [_OURS, *(name for name in _PEERS if name in self._plan.peers)]
        return take_turns({name: contender(name) for name in names}, self._plan.rounds)

    def _new_bucket(self, name: str) -> str:
        """Return a name; the bucket is made for programs that do not make it themselves."""
        bucket = f"mirror-{next(self._turns)}"
        if name == _REFERENCE:
            self._bucket.server.client().create_bucket(Bucket=bucket)
        return bucket

    def _mirror(self, name: str, folder: Path, bucket: str) -> Usage:
        os.sync()  # let nothing be left to write from the turn before
        if name != _OURS:
            return peers.sync(name, self._plan.peers[name], folder, self._bucket.server, bucket)
        processes = self._service.worker_processes
        worker = Probe(processes, processes)
        wanted = {
            "source": folder.name,
            "dest": bucket,
            "storage_url": self._bucket.server.endpoint,
        }
        # One for each: the turns of the others take longer than the service keeps an idle one.
        with connection(self._service.address) as client, worker.watching():
            ended = client.post_json("/sync", wanted, {"Prefer": "wait=300"})
        if ended["status"] != "success":
            raise BenchError(f"the sync ended as {ended['status']}: {ended['error']}")
        return worker.usage


def _bound(runs: Runs, at_most: float) -> Bound:
    peer = runs.get(_REFERENCE)
    ratio = median_wall(runs[_OURS]) / median_wall(peer) if peer else None
    return Bound("seconds over s5cmd's", ratio, at_most)


def _peak(runs: Runs) -> float:
    return max(usage.peak_unmapped_bytes for usage in runs[_OURS])
