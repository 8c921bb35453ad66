"""Resumable uploads: tus beside @tus/server, a hundred at once, and straight through to S3."""

import itertools
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tests.bench import library, peers, server, store, tus
from tests.bench.client import connection
from tests.bench.machine import Address
from tests.bench.outcome import BenchError, Comparison, Memory, Outcome
from tests.bench.plan import Plan
from tests.bench.probe import OFTEN_SECONDS, Usage, rss_bytes
from tests.bench.rounds import Contender, compare
from tests.bench.source import MIB, Slice, file_digest, random_files, random_source

_NAME = "resumable.bin"
_PATCHES = (16 * MIB, MIB)
_RATIOS = {"full": 0.8, "relaxed": 0.4}
_S3_RATIO = 1.3

_AT_ONCE = 100
_SIZE = 50_000_000
_MOST_BYTES = 250_000_000


def run(plan: Plan) -> list[Outcome]:
    """Measure uploads to the local store one by one and together, then to S3."""
    outcomes: list[Outcome] = []
    with random_source(plan.directory, plan.size) as source:
        content = source.cut(0, plan.size)
        for durability in _RATIOS:
            outcomes += _beside_tus_server(plan, content, durability)
    return [*outcomes, _at_once(plan), _to_s3(plan)]


def _beside_tus_server(plan: Plan, content: Slice, durability: str) -> Iterator[Comparison]:
    settings = {} if durability == "full" else {"MEDIATHEQUE_DURABILITY": durability}
    directory = plan.directory / f"resumable-{durability}"
    with ExitStack() as opened:
        service = opened.enter_context(server.running(directory / "service", settings))
        peer = opened.enter_context(tus.running(directory / "peer"))
        for patch in _PATCHES:
            yield compare(
                f"Resumable upload {content.size // MIB} MiB, PATCHes of {patch // MIB} MiB"
                + (", as shipped" if durability == "full" else ", relaxed durability"),
                _ours(service, content, patch),
                _theirs(peer, content, patch),
                peer_name=tus.NAME,
                rounds=plan.rounds,
                target_ratio=_RATIOS[durability],
            )


def _ours(service: server.Service, content: Slice, patch: int) -> Contender:
    def send() -> Usage:
        probe = service.probe()
        with connection(service.address) as client:
            os.sync()
            library.remove(client, _NAME)
            with probe.watching():
                target = tus.upload(client, content, _NAME, patch=patch)
            if client.digest(target) != content.digest:
                raise BenchError(f"{target} came back with other bytes than were sent")
        return probe.usage

    return send


def _theirs(peer: tus.TusServer, content: Slice, patch: int) -> Contender:
    def send() -> Usage:
        os.sync()
        peer.clear()
        return peer.upload(content, _NAME, patch=patch)

    return send


def _at_once(plan: Plan) -> Memory:
    """Measure the peak of our processes' memory; every upload has bytes of its own."""
    with (
        random_source(plan.directory, _SIZE + _AT_ONCE * MIB) as source,
        server.running(plan.directory / "resumable-together") as service,
    ):
        contents = [source.cut(number * MIB, _SIZE) for number in range(_AT_ONCE)]
        together = threading.Barrier(_AT_ONCE)

        def send(number: int) -> str:
            return _with_others(service.address, contents[number], f"{number:03}.bin", together)

        idle = rss_bytes(service.own_processes())
        probe = service.probe(pss_seconds=OFTEN_SECONDS)
        with ThreadPoolExecutor(_AT_ONCE) as clients, probe.watching():
            targets = list(clients.map(send, range(_AT_ONCE)))
        with connection(service.address) as client:
            for target, content in zip(targets, contents, strict=True):
                if client.digest(target) != content.digest:
                    raise BenchError(f"{target} came back with other bytes than were sent")
    what = f"{_AT_ONCE} resumable uploads of {_SIZE // 1_000_000} MB at once"
    return Memory(what, idle, probe.usage, _MOST_BYTES)


def _with_others(address: Address, content: Slice, name: str, together: threading.Barrier) -> str:
    with connection(address) as client:
        together.wait()
        return tus.upload(client, content, name, patch=_PATCHES[0])


def _to_s3(plan: Plan) -> Comparison:
    """Send a file in one PATCH, as clients do unless told otherwise, beside a copy by s5cmd."""
    directory = plan.directory / "resumable-s3"
    with (
        random_files(directory / "source", 1, plan.size) as [path],
        store.running(directory / "store") as bucket,
        server.running(directory / "service", bucket.settings("ours", path.parent)) as service,
        path.open("rb") as file,
    ):
        content = Slice(file.fileno(), 0, plan.size, file_digest(path))
        program = plan.peers.get("s5cmd")
        return compare(
            f"Resumable upload {plan.size // MIB} MiB, one PATCH, to S3",
            _through(service, content, path, bucket),
            None if program is None else _copying(program, path, bucket),
            peer_name="s5cmd cp",
            rounds=plan.rounds,
            target_ratio=_S3_RATIO,
        )


def _through(
    service: server.Service, content: Slice, path: Path, bucket: store.Bucket
) -> Contender:
    def send() -> Usage:
        probe = service.probe()
        os.sync()
        with connection(service.address) as client:
            with probe.watching():
                tus.upload(client, content, path.name, patch=content.size)
            bucket.check(bucket.keys("ours/originals"), [path])
            library.remove(client, path.name)
        return probe.usage

    return send


def _copying(program: str, path: Path, bucket: store.Bucket) -> Contender:
    turns = itertools.count()

    def send() -> Usage:
        prefix = f"s5cmd/{next(turns)}"
        os.sync()
        usage = peers.copy("s5cmd", program, path, bucket.server, prefix)
        keys = bucket.keys(prefix)
        bucket.check(keys, [path])
        bucket.remove(keys)
        return usage

    return send
