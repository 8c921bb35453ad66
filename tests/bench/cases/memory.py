"""What our processes hold while a hundred clients upload at once."""

import threading
from concurrent.futures import ThreadPoolExecutor

from tests.bench import library, server
from tests.bench.client import connection
from tests.bench.machine import Address
from tests.bench.outcome import BenchError, Memory, Outcome
from tests.bench.plan import Plan
from tests.bench.probe import OFTEN_SECONDS, rss_bytes
from tests.bench.source import MIB, Slice, random_source

_UPLOADS = 100
_SIZE = 50_000_000
_TARGET_BYTES = 250_000_000


def run(plan: Plan) -> list[Outcome]:
    """Measure the peak of our processes' memory; every upload has bytes of its own."""
    with (
        random_source(plan.directory, _SIZE + _UPLOADS * MIB) as source,
        server.running(plan.directory / "memory") as service,
    ):
        contents = [source.cut(number * MIB, _SIZE) for number in range(_UPLOADS)]
        idle = rss_bytes(service.own_processes())
        probe = service.probe(pss_seconds=OFTEN_SECONDS)
        with ThreadPoolExecutor(_UPLOADS) as clients, probe.watching():
            together = threading.Barrier(_UPLOADS)
            numbers = range(_UPLOADS)
            uploads = [
                clients.submit(_upload, service.address, contents[number], number, together)
                for number in numbers
            ]
            for upload in uploads:
                upload.result()
    what = f"{_UPLOADS} uploads of {_SIZE // 1_000_000} MB at once"
    return [Memory(what, idle, probe.usage, _TARGET_BYTES)]


def _upload(address: Address, content: Slice, number: int, together: threading.Barrier) -> None:
    name = f"parallel-{number:03}.bin"
    with connection(address) as client:
        together.wait()
        reported = library.post_media(client, content, name)
    if reported != content.digest:
        raise BenchError(f"{name}: the service reports the checksum {reported}")
