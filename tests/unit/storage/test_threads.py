"""A pool of threads that never does what it has refused to do."""

import asyncio
import threading

import pytest

from mediatheque.domain.errors import UnavailableError
from mediatheque.storage.threads import Threads, in_thread, keep_word_by_default
from tests.support.threads import OccupiedThreads, no_more_threads, occupied, refuse_threads

__all__ = ["no_more_threads", "occupied"]


def test_what_is_submitted_is_done_with_its_arguments() -> None:
    with Threads(2) as threads:
        assert threads.submit(divmod, 7, 2).result() == (3, 1)
        assert threads.submit(int, "11", base=2).result() == 3


def test_what_fails_says_how_and_where() -> None:
    with Threads(1) as threads:
        failed = threads.submit(int, "no number").exception()

    assert isinstance(failed, ValueError)
    assert failed.__traceback__ is not None


def test_what_is_cancelled_before_a_thread_took_it_up_is_never_done() -> None:
    go_on, done = threading.Event(), threading.Event()
    with Threads(1) as threads:
        threads.submit(go_on.wait)
        assert threads.submit(done.set).cancel()
        go_on.set()

    assert not done.is_set()


def test_what_is_refused_is_never_done(occupied: OccupiedThreads, no_more_threads: None) -> None:
    done = threading.Event()

    with pytest.raises(UnavailableError, match="can't start new thread"):
        occupied.submit(done.set)
    occupied.set_free()
    occupied.submit(int).result()  # comes after whatever was left in its queue

    assert not done.is_set()


def test_what_a_thread_has_begun_that_became_free_is_not_refused(
    occupied: OccupiedThreads, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    def refuse(thread: threading.Thread) -> None:
        occupied.set_free()
        assert begun.wait(10)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    ended = occupied.submit(begun.set)

    assert ended.result(10) is None


def test_a_pool_that_is_closed_refuses() -> None:
    threads = Threads(1)
    threads.shutdown()

    with pytest.raises(UnavailableError, match="after shutdown"):
        threads.submit(int)


async def test_what_asyncio_is_refused_is_never_done(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_word_by_default()
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def occupy() -> None:
        begun.set()
        go_on.wait()

    occupied = asyncio.create_task(asyncio.to_thread(occupy))
    while not begun.is_set():
        await asyncio.sleep(0.001)

    with monkeypatch.context() as patch:
        refuse_threads(patch)
        try:
            with pytest.raises(UnavailableError, match="can't start new thread"):
                await asyncio.to_thread(done.set)
        finally:
            go_on.set()
            await occupied
        await until_a_thread_is_free()  # which does whatever was left in the queue before

    assert not done.is_set()


async def until_a_thread_is_free() -> None:
    """Wait until something is done. One that has just ended its work may not say so yet."""
    while True:
        try:
            await asyncio.to_thread(int)
        except UnavailableError:
            await asyncio.sleep(0.001)
        else:
            return


async def test_a_cancelled_call_returns_when_its_thread_has_ended() -> None:
    with Threads(1) as threads:
        go_on, ended = threading.Event(), threading.Event()

        def work() -> None:
            go_on.wait()
            ended.set()

        task = asyncio.create_task(in_thread(threads, work))
        await asyncio.sleep(0.05)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0.02)
        assert not task.done()

        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()


async def test_a_call_that_is_cancelled_before_a_thread_took_it_up_is_never_made() -> None:
    with Threads(1) as threads:
        go_on = threading.Event()
        calls: list[str] = []
        threads.submit(go_on.wait)
        task = asyncio.create_task(in_thread(threads, lambda: calls.append("made")))
        await asyncio.sleep(0.05)

        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()

    assert calls == []


async def test_what_a_cancelled_thread_raises_is_not_reported_later() -> None:
    with Threads(1) as threads:
        go_on = threading.Event()

        def work() -> None:
            go_on.wait()
            raise ValueError

        task = asyncio.create_task(in_thread(threads, work))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.sleep(0.02)
        go_on.set()

        with pytest.raises(asyncio.CancelledError):
            await task
