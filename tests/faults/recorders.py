"""Clients of door 1 that record while the service is killed, and remember what it told them."""

import contextlib
import io
import itertools
import random
import threading
import time
from collections.abc import Iterator

import av
import httpx
import psutil

from tests.faults.clients import PIECE_BYTES, content_of
from tests.faults.victim import Victim
from tests.support.door_one import check_added, create, position
from tests.support.films import make_recording
from tests.support.service import Service
from tests.support.wire import Reply, connect, head, read_reply

HUGE_BYTES = 12_000_000
_LARGEST_BYTES = 2_000
_PAUSE_SECONDS = 0.02


def cut(content: bytes, seed: int) -> list[bytes]:
    """Return the content in chunks of odd sizes, some of a single byte."""
    sizes = random.Random(seed)
    places = itertools.accumulate(
        sizes.choice([1, sizes.randint(2, _LARGEST_BYTES)]) for _ in itertools.count()
    )
    ends = [*itertools.takewhile(lambda place: place < len(content), places), len(content)]
    return [content[start:end] for start, end in itertools.pairwise([0, *ends])]


def film_in_three(seed: int) -> tuple[bytes, bytes, bytes]:
    """Return a film in three parts; the huge one in its middle is free space, as MP4 allows."""
    film = make_recording("h264")
    *_, second_fragment = itertools.islice(_ends_of_boxes(film), 4)
    size = (HUGE_BYTES + 8).to_bytes(4, "big")
    huge = size + b"free" + content_of(seed, HUGE_BYTES)
    return film[:second_fragment], huge, film[second_fragment:]


def film_chunks(seed: int) -> list[bytes]:
    """Return a film in odd chunks and a huge one."""
    first, huge, last = film_in_three(seed)
    return [*cut(first, seed), huge, *cut(last, seed)]


def _ends_of_boxes(film: bytes) -> Iterator[int]:
    end = 0
    while end < len(film):
        end += int.from_bytes(film[end : end + 4], "big")
        yield end


def count_frames(film: bytes) -> int:
    """Decode a film; return how many pictures it has."""
    with av.open(io.BytesIO(film), "r") as container:
        return len(list(container.decode(video=0)))


class Recorder:
    """Sends chunks by their number: what was not acknowledged it sends again, without asking."""

    def __init__(self, service: Service, chunks: list[bytes]) -> None:
        self.service = service
        self.chunks = chunks
        self.video_id = create(service)
        self.halfway = threading.Event()  # of a huge chunk that is being sent
        self.next = 0
        self.acknowledged: set[int] = set()
        self.in_doubt: set[int] = set()  # sent to the last byte, or nearly
        self.cut_off = 0

    @property
    def done(self) -> bool:
        """Whether there is nothing more to send."""
        return self.next == len(self.chunks)

    def record(self) -> None:
        """Send what is left, until the service does not answer any more."""
        with httpx.Client(base_url=self.service.url, timeout=60, trust_env=False) as http:
            while not self.done and self._send(http):
                time.sleep(_PAUSE_SECONDS)

    def check_kept(self, answer: httpx.Response) -> None:
        """Check where the service says that it goes on, after a kill, and go on from there."""
        count, size = position(answer)
        kept = self._kept(count, size)
        assert self.acknowledged <= set(kept)
        assert set(kept) <= self.acknowledged | self.in_doubt

    def check_original(self, original: bytes) -> None:
        """Check that the recording has become what was sent."""
        assert original == b"".join(self.chunks)

    def place(self) -> dict[str, str]:
        """Return the headers that say where the next chunk belongs."""
        return {"Chunk-Index": str(self.next)}

    def _kept(self, count: int, size: int) -> list[int]:
        """Return the numbers of the chunks that are there, when there are so many."""
        assert size == sum(map(len, self.chunks[:count]))
        return list(range(count))

    def _cut_off(self) -> None:
        """Decide what comes after a chunk that was not acknowledged."""

    def _send(self, http: httpx.Client) -> bool:
        number, body = self.next, _Body(self.chunks[self.next], self.halfway)
        answer = None
        with contextlib.suppress(httpx.TransportError):
            answer = http.post(
                f"/add_data/{self.video_id}/", content=body.pieces(), headers=self.place()
            )
        if answer is not None and answer.status_code == 200:
            check_added(answer)
            self.acknowledged.add(number)
            self.next += 1
            return True
        # The database may have ended an instant before the rest.
        assert answer is None or answer.status_code == 503, answer.text
        self.cut_off += 1
        if body.sent:
            self.in_doubt.add(number)
        self._cut_off()
        return False


class OffsetRecorder(Recorder):
    """Sends chunks by their offset, from where the service says that it goes on."""

    def check_kept(self, answer: httpx.Response) -> None:
        """See ``Recorder.check_kept``."""
        super().check_kept(answer)
        self.next, _ = position(answer)

    def place(self) -> dict[str, str]:
        """See ``Recorder.place``."""
        return {"Upload-Offset": str(sum(map(len, self.chunks[: self.next])))}


class PlainRecorder(Recorder):
    """Only sends: a chunk that was not acknowledged is there or not, and is never sent again."""

    def check_original(self, original: bytes) -> None:
        """See ``Recorder.check_original``."""
        for number, chunk in enumerate(self.chunks):
            if original.startswith(chunk):
                original = original[len(chunk) :]
            else:
                assert number not in self.acknowledged
        assert original == b""

    def place(self) -> dict[str, str]:
        """See ``Recorder.place``."""
        return {}

    def _kept(self, count: int, size: int) -> list[int]:
        # Sizes tell: there are few in doubt.
        doubts = self.in_doubt - self.acknowledged
        for number in range(len(doubts) + 1):
            for some in itertools.combinations(sorted(doubts), number):
                kept = sorted(self.acknowledged.union(some))
                if len(kept) == count and sum(len(self.chunks[one]) for one in kept) == size:
                    return kept
        raise AssertionError(f"{count} chunks of {size} bytes are none that were sent")

    def _cut_off(self) -> None:
        self.next += 1


class OpenChunk:
    """A chunk on a connection of its own, which stops at any byte."""

    def __init__(self, service: Victim, video_id: str, chunk: bytes, number: int) -> None:
        self._service = service
        self._chunk = chunk
        self._sent = 0
        self._connection = connect(service)
        headers = {"Content-Length": str(len(chunk)), "Chunk-Index": str(number)}
        self._connection.sendall(head(service, "POST", f"/add_data/{video_id}/", headers))

    def send(self, size: int | None = None) -> None:
        """Send the next ``size`` bytes, or all that are left."""
        end = len(self._chunk) if size is None else self._sent + size
        self._connection.sendall(self._chunk[self._sent : end])
        self._sent = end

    def web_process(self) -> psutil.Process:
        """Return the process that receives it."""
        ours = self._connection.getsockname()
        for process in self._service.web_processes():
            if any(one.raddr == ours for one in process.net_connections("tcp")):
                return process
        raise AssertionError("no process has accepted the connection yet")

    def reply(self) -> Reply:
        """Return the answer, and hang up."""
        with self._connection:
            return read_reply(self._connection, "POST")


class _Body:
    """A chunk on its way; a huge one comes to a crawl in the middle, the first time it is sent."""

    def __init__(self, chunk: bytes, halfway: threading.Event) -> None:
        self._chunk = chunk
        self._halfway = halfway
        self.sent = False

    def pieces(self) -> Iterator[bytes]:
        """Yield it in pieces."""
        crawls = len(self._chunk) >= HUGE_BYTES and not self._halfway.is_set()
        for start in range(0, len(self._chunk), PIECE_BYTES):
            yield self._chunk[start : start + PIECE_BYTES]
            if crawls and start > len(self._chunk) // 2:
                self._halfway.set()
                time.sleep(_PAUSE_SECONDS)
        self.sent = True
