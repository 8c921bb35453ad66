"""Clients of door 1: each makes one recording, chunk after chunk."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from blake3 import blake3

from tests.bench.client import Connection, connection, raw_body
from tests.bench.machine import Address
from tests.bench.outcome import BenchError
from tests.bench.probe import Usage, rss_bytes
from tests.bench.server import Service
from tests.bench.source import Slice

_LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Take:
    """What several recorders at once came to. ``rss_bytes`` of our processes, from time to time."""

    milliseconds: tuple[float, ...]
    megabytes_per_second: float
    rss_bytes: tuple[int, ...]
    usage: Usage

    @property
    def growth(self) -> float:
        """Resident memory in the last third of the time over that in the first third."""
        third = max(1, len(self.rss_bytes) // 3)
        return sum(self.rss_bytes[-third:]) / sum(self.rss_bytes[:third])


class Recorder:
    """A recording of its own, on a connection of its own.

    Its chunks are taken from ``chunks``, again and again, but in no order that others have.
    """

    def __init__(self, client: Connection, chunks: Sequence[Slice], number: int) -> None:
        self.milliseconds: list[float] = []
        self._client = client
        self._chunks = chunks
        self._number = number
        self._sent: list[Slice] = []
        self._video_id = client.post_json("/create/", {})["video_id"]

    def send_until(self, deadline: float) -> None:
        """Send each chunk when the last one was acknowledged."""
        while (started := time.perf_counter()) < deadline:
            self._send(started)

    def send_every_second(self, start: float, seconds: int) -> None:
        """Send a chunk each second from ``start`` on; what makes one late counts for it."""
        for due in range(seconds):
            time.sleep(max(0.0, start + due - time.perf_counter()))
            self._send(start + due)

    def verify(self) -> None:
        """Read the recording back.

        :raises BenchError: it is not every chunk, in order.
        """
        wanted = blake3()
        for chunk in self._sent:
            wanted.update(os.pread(chunk.descriptor, chunk.size, chunk.offset))
        if self._client.digest(f"/video/{self._video_id}/bytes") != wanted.hexdigest():
            raise BenchError(f"recording {self._video_id} has other bytes than were sent")

    @property
    def sent_bytes(self) -> int:
        """Bytes of all chunks that were acknowledged."""
        return sum(chunk.size for chunk in self._sent)

    def _send(self, due: float) -> None:
        chunk = self._chunks[(7 * self._number + len(self._sent)) % len(self._chunks)]
        self._client.send("POST", f"/add_data/{self._video_id}/", raw_body(chunk))
        self.milliseconds.append((time.perf_counter() - due) * 1000)
        self._sent.append(chunk)


def as_fast_as_they_can(
    service: Service, chunks: Sequence[Slice], *, count: int, seconds: int
) -> Take:
    """Let recorders each send its next chunk when the last was acknowledged; check all bytes."""
    with _recorders(service.address, chunks, count) as recorders:
        deadline = time.perf_counter() + seconds
        return _take(service, recorders, lambda recorder, _: recorder.send_until(deadline))


def once_a_second(service: Service, chunks: Sequence[Slice], *, count: int, seconds: int) -> Take:
    """Let recorders each send a chunk a second, as browsers do, evenly spread; check all bytes."""
    with _recorders(service.address, chunks, count) as recorders:
        start = time.perf_counter() + 0.1
        return _take(
            service,
            recorders,
            lambda recorder, number: recorder.send_every_second(start + number / count, seconds),
        )


@contextmanager
def _recorders(
    address: Address, chunks: Sequence[Slice], count: int
) -> Iterator[Sequence[Recorder]]:
    with ExitStack() as opened:
        yield [
            Recorder(opened.enter_context(connection(address)), chunks, number)
            for number in range(count)
        ]


def _take(
    service: Service, recorders: Sequence[Recorder], work: Callable[[Recorder, int], None]
) -> Take:
    together = threading.Barrier(len(recorders))

    def run(recorder: Recorder, number: int) -> None:
        together.wait()
        work(recorder, number)

    processes = service.own_processes()
    probe = service.probe()
    resident: list[int] = []
    with ThreadPoolExecutor(len(recorders)) as threads, probe.watching():
        running = [threads.submit(run, one, number) for number, one in enumerate(recorders)]
        while wait(running, timeout=_LOOK_SECONDS).not_done:
            resident.append(rss_bytes(processes))
    for ended in running:
        ended.result()
    for recorder in recorders:
        recorder.verify()
    sent = sum(recorder.sent_bytes for recorder in recorders)
    return Take(
        milliseconds=tuple(taken for one in recorders for taken in one.milliseconds),
        megabytes_per_second=sent / probe.usage.wall_seconds / 1e6,
        rss_bytes=tuple(resident),
        usage=probe.usage,
    )
