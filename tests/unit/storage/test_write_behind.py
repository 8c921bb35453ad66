"""Bytes that a thread writes while more of them arrive."""

import asyncio
import errno
import random
import threading
from collections.abc import Iterator

import pytest

from mediatheque.domain.errors import UnavailableError
from mediatheque.storage.threads import Threads
from mediatheque.storage.write_behind import Batch, WriteBehind, WriteBudget
from tests.support.threads import OccupiedThreads, no_more_threads, occupied

__all__ = ["no_more_threads", "occupied"]

MIB = 1 << 20
PIECE = b"x" * (512 << 10)


@pytest.fixture
def threads() -> Iterator[Threads]:
    with Threads(4) as pool:
        yield pool


class Disk:
    """Takes batches in a thread; ``gate`` keeps it from going on, ``broken`` from succeeding."""

    def __init__(self) -> None:
        self.taken: list[Batch] = []
        self.finished: list[Batch] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.broken = False
        self._alone = threading.Lock()

    def write(self, batch: Batch) -> None:
        assert self._alone.acquire(blocking=False), "two threads at once"
        self.entered.set()
        assert self.gate.wait(10)
        self._alone.release()
        if self.broken:
            raise OSError(errno.EIO, "Input/output error")
        self.taken.append(batch)

    def last(self, batch: Batch) -> None:
        self.write(batch)
        self.finished.append(batch)

    @property
    def content(self) -> bytes:
        return b"".join(piece for batch in self.taken for piece in batch)


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.gate.set()  # a test that fails must not leave a thread behind


def behind(disk: Disk, threads: Threads, *, budget: int = 64 * MIB) -> WriteBehind:
    writing = WriteBudget(budget)
    writing.writers = 1
    return WriteBehind(disk.write, threads=threads, budget=writing)


async def keep_busy(disk: Disk, writer: WriteBehind) -> None:
    """Have the thread begin with a piece, and not end with it."""
    disk.gate.clear()
    await writer.write(PIECE)
    assert await asyncio.to_thread(disk.entered.wait, 10)


async def test_everything_is_written_once_and_in_order(threads: Threads) -> None:
    chance = random.Random(7)
    for round_ in range(30):
        disk = Disk()
        writer = behind(disk, threads, budget=chance.choice([64, 1]) * MIB // 2)
        sent = b""
        for _ in range(40):
            piece = chance.randbytes(chance.choice([0, 1, 4000, 300_000, 700_000, 1_300_000]))
            sent += piece
            await writer.write(piece)
            if chance.random() < 0.1:
                await writer.finish(disk.last)
                assert disk.content == sent
            if chance.random() < 0.3:
                await asyncio.sleep(0)
        await writer.finish(disk.last)
        assert disk.content == sent, round_
        assert writer.idle


async def test_little_waits_for_more(disk: Disk, threads: Threads) -> None:
    writer = behind(disk, threads)
    await writer.write(b"little")

    assert not disk.entered.wait(0.05)
    assert not writer.idle

    await writer.finish(disk.last)
    assert disk.finished == [[b"little"]]


async def test_the_thread_goes_on_with_what_came_meanwhile(disk: Disk, threads: Threads) -> None:
    writer = behind(disk, threads)
    await keep_busy(disk, writer)
    await writer.write(PIECE)
    await writer.write(PIECE)
    disk.gate.set()
    await writer.finish(disk.last)

    assert [len(batch) for batch in disk.taken] in ([1, 2], [1, 2, 0])


async def test_who_writes_too_fast_waits(disk: Disk, threads: Threads) -> None:
    writer = behind(disk, threads)
    await keep_busy(disk, writer)
    await writer.write(PIECE)
    await writer.write(PIECE)
    fourth = asyncio.create_task(writer.write(PIECE))
    await asyncio.sleep(0.05)

    assert not fourth.done()
    disk.gate.set()
    await fourth
    await writer.finish(disk.last)
    assert len(disk.content) == 4 * len(PIECE)


async def test_among_many_one_waits_for_its_batch(disk: Disk, threads: Threads) -> None:
    writer = behind(disk, threads, budget=100_000)
    await writer.write(b"x" * 99_999)
    assert disk.taken == []

    await writer.write(b"yz")
    assert disk.content == b"x" * 99_999

    await writer.finish(disk.last)
    assert disk.content == b"x" * 99_999 + b"yz"


async def test_more_may_be_written_while_something_is_finished(
    disk: Disk, threads: Threads
) -> None:
    writer = behind(disk, threads)
    disk.gate.clear()
    await writer.write(b"first")
    finishing = asyncio.create_task(writer.finish(disk.last))
    assert await asyncio.to_thread(disk.entered.wait, 10)
    await writer.write(b"second")
    disk.gate.set()
    await finishing

    assert disk.finished == [[b"first"]]
    await writer.finish(disk.last)
    assert disk.finished == [[b"first"], [b"second"]]


async def test_what_has_failed_once_stays_so(disk: Disk, threads: Threads) -> None:
    writer = behind(disk, threads)
    disk.broken = True
    await writer.write(PIECE)
    with pytest.raises(UnavailableError, match="Input/output error"):
        await writer.finish(disk.last)
    disk.broken = False

    with pytest.raises(UnavailableError):
        await writer.finish(disk.last)
    await writer.write(PIECE)
    await writer.write(PIECE)
    with pytest.raises(UnavailableError):
        await writer.write(PIECE)
    assert not writer.idle
    assert disk.taken == []
    await writer.end()


async def test_who_waits_for_room_learns_of_a_failure(disk: Disk, threads: Threads) -> None:
    writer = behind(disk, threads)
    disk.gate.clear()
    disk.broken = True
    await writer.write(PIECE)
    assert await asyncio.to_thread(disk.entered.wait, 10)
    await writer.write(PIECE)
    await writer.write(PIECE)
    waiting = asyncio.create_task(writer.write(PIECE))
    await asyncio.sleep(0.01)
    disk.gate.set()

    with pytest.raises(UnavailableError):
        await waiting
    await writer.end()


async def test_an_end_waits_for_the_thread_and_drops_the_rest(disk: Disk, threads: Threads) -> None:
    writer = behind(disk, threads)
    await keep_busy(disk, writer)
    await writer.write(PIECE)
    finishing = asyncio.create_task(writer.finish(disk.last))
    await asyncio.sleep(0)
    ending = asyncio.create_task(writer.end())
    await asyncio.sleep(0.05)

    assert not ending.done()
    assert finishing.cancelled()
    disk.gate.set()
    await ending
    assert disk.taken == [[PIECE]]
    assert disk.finished == []


async def test_a_cancelled_caller_disturbs_nobody(disk: Disk, threads: Threads) -> None:
    writer = behind(disk, threads)
    disk.gate.clear()
    await writer.write(PIECE)
    for _ in range(2):
        finishing = asyncio.create_task(writer.finish(disk.last))
        await asyncio.sleep(0)
        finishing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await finishing
    disk.gate.set()
    await writer.write(b"more")
    await writer.finish(disk.last)

    assert disk.content == PIECE + b"more"


async def test_what_no_thread_could_begin_is_never_done_behind_ones_back(
    occupied: OccupiedThreads, no_more_threads: None, disk: Disk
) -> None:
    writer = behind(disk, occupied)

    with pytest.raises(UnavailableError, match="can't start new thread"):
        await writer.write(PIECE)
    with pytest.raises(UnavailableError):
        await writer.finish(disk.last)
    await writer.end()
    occupied.set_free()
    occupied.submit(int).result()  # comes after whatever was left in its queue

    assert not disk.entered.is_set()


async def test_who_could_not_begin_can_try_again(
    occupied: OccupiedThreads, no_more_threads: None, disk: Disk
) -> None:
    writer = behind(disk, occupied)
    with pytest.raises(UnavailableError):
        await writer.write(PIECE)
    occupied.set_free()

    await asyncio.wait_for(writer.finish(disk.last), 10)

    assert disk.content == PIECE


async def test_what_a_thread_has_begun_that_became_free_is_waited_for(
    occupied: OccupiedThreads, monkeypatch: pytest.MonkeyPatch, disk: Disk
) -> None:
    disk.gate.clear()

    def refuse(thread: threading.Thread) -> None:
        occupied.set_free()
        assert disk.entered.wait(10)  # what was queued has been begun by the one that there is
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    writer = behind(disk, occupied)
    await writer.write(PIECE)
    ending = asyncio.create_task(writer.end())
    await asyncio.sleep(0.05)
    assert not ending.done()
    disk.gate.set()
    await asyncio.wait_for(ending, 10)

    assert disk.content == PIECE
