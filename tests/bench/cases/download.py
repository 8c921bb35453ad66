"""One big download, whole and from its middle on, beside nginx's sendfile."""

from collections.abc import Callable
from contextlib import ExitStack

from tests.bench import library, nginx, server
from tests.bench.client import connection
from tests.bench.machine import Address
from tests.bench.outcome import BenchError, Outcome
from tests.bench.plan import Plan
from tests.bench.probe import Probe, Usage
from tests.bench.rounds import Contender, compare
from tests.bench.source import Slice, random_source

_TARGET_RATIO = 2.0
_NAME = "download.bin"


def run(plan: Plan) -> list[Outcome]:
    """Each server sends the file that it took by an upload of its own."""
    directory = plan.directory / "download"
    with ExitStack() as opened:
        source = opened.enter_context(random_source(plan.directory, plan.size))
        content = source.cut(0, plan.size)
        service = opened.enter_context(server.running(directory / "service"))
        with connection(service.address) as client:
            library.post_media(client, content, _NAME)
        peer = None
        if plan.nginx is not None:
            peer = opened.enter_context(nginx.running(plan.nginx, directory / "nginx"))
            peer.put(content, _NAME, fsync=True)
        outcomes: list[Outcome] = []
        middle = plan.size // 2
        for what, part in (
            (f"Download {plan.size >> 20} MiB", content),
            (
                f"Download the second half of {plan.size >> 20} MiB (Range)",
                source.cut(middle, plan.size - middle),
            ),
        ):
            outcomes.append(
                compare(
                    what,
                    _fetch(service.address, service.probe, library.media_path(_NAME), part),
                    None if peer is None else _fetch(peer.address, peer.probe, f"/{_NAME}", part),
                    peer_name="nginx sendfile",
                    rounds=plan.rounds,
                    target_ratio=_TARGET_RATIO,
                )
            )
            with connection(service.address) as client:
                served = client.digest(library.media_path(_NAME), part.offset)
            if served != part.digest:
                raise BenchError(f"{what}: the service served other bytes than it was sent")
    return outcomes


def _fetch(
    address: Address, make_probe: Callable[[], Probe], target: str, part: Slice
) -> Contender:
    def fetch() -> Usage:
        probe = make_probe()
        with connection(address) as client, probe.watching():
            received = client.discard(target, part.offset)
        if received != part.size:
            raise BenchError(f"{target}: {received} bytes came instead of {part.size}")
        return probe.usage

    return fetch
