"""What all stores share when they send a file."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mediatheque.storage.sending import in_thread


async def test_a_cancelled_call_returns_when_its_thread_has_ended() -> None:
    with ThreadPoolExecutor(1) as threads:
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
    with ThreadPoolExecutor(1) as threads:
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
    with ThreadPoolExecutor(1) as threads:
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
