"""Hearing of changes below a folder."""

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from watchfiles import watch

from mediatheque.storage.threads import Threads

_MOST_FOLDERS = 100_000  # the kernel holds about a KiB for each
_DEBOUNCE_MS = 1600  # changes that follow each other so soon are heard of together
_LOOK_MS = 200  # how often the thread looks whether it shall end
_LOST_SECONDS = 5.0
_DEAF_SECONDS = 60.0

WaitForChange = Callable[[float], Awaitable[None]]
"""Returns when something has changed, when it is time to stop, or after so many seconds."""


@contextlib.asynccontextmanager
async def listening(folder: Path, stop: asyncio.Event) -> AsyncIterator[WaitForChange]:
    """Listen for changes below ``folder`` from the beginning of the block on.

    Offers the way to wait for the first of them, which also ends when ``stop`` is set. What the
    system tells is a hint only: notices get lost, and network file systems send none. Where
    nothing can be heard, waiting ends after a minute at most.
    """
    loop = asyncio.get_running_loop()
    ready, over = asyncio.Event(), threading.Event()
    # A thread of its own, as it may be needed for days.
    threads = Threads(1, thread_name_prefix="watch")
    hearing = loop.run_in_executor(
        threads, _hear, folder, lambda: loop.call_soon_threadsafe(ready.set), over
    )
    beginning = asyncio.create_task(ready.wait())
    stopping = asyncio.create_task(stop.wait())

    async def wait_for_change(seconds: float) -> None:
        await _first(hearing, stopping, seconds=seconds)
        if hearing.done() and (deaf_seconds := hearing.result()) is not None:
            await pause(stop, min(seconds, deaf_seconds))

    try:
        await _first(beginning, hearing, stopping)
        yield wait_for_change
    finally:
        over.set()
        beginning.cancel()
        stopping.cancel()
        threads.shutdown(wait=False)
        await asyncio.gather(hearing, beginning, stopping, return_exceptions=True)


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait ``seconds``, or until ``stop`` is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


async def _first(*futures: asyncio.Future[Any], seconds: float | None = None) -> None:
    await asyncio.wait(futures, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)


def _hear(folder: Path, ready: Callable[[], object], over: threading.Event) -> float | None:
    """Return when something has changed, or how many seconds to wait as nothing can be heard."""
    deaf_seconds = _DEAF_SECONDS
    try:
        folders = list(islice(_folders(folder, over), _MOST_FOLDERS + 1))
        if len(folders) > _MOST_FOLDERS:
            return deaf_seconds
        # Not recursive, because that follows links, even to the root of the system. A folder that
        # is new is a change of the one that it is in.
        for changes in watch(
            *folders,
            watch_filter=None,
            debounce=_DEBOUNCE_MS,
            stop_event=over,
            rust_timeout=_LOOK_MS,
            yield_on_timeout=True,
            recursive=False,
            ignore_permission_denied=True,
        ):
            if changes:
                return None
            deaf_seconds = _LOST_SECONDS
            ready()
    except FileNotFoundError:
        return _LOST_SECONDS
    except (OSError, RuntimeError):
        # At first: more folders than the system watches for one user. Later: a notice that cannot
        # be understood, as of a name that is not UTF-8.
        return deaf_seconds
    return None


def _folders(folder: Path, over: threading.Event) -> Iterator[str]:
    """Yield a folder and all below it, without following links. Raises FileNotFoundError."""
    folder.stat()
    for path, _, _ in os.walk(folder):
        if over.is_set():
            return
        with contextlib.suppress(UnicodeEncodeError):  # such a name cannot be watched
            path.encode()
            yield path
