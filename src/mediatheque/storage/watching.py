"""Hearing of changes below a folder."""

import asyncio
from pathlib import Path

from watchfiles import awatch

_DEBOUNCE_MS = 1600
"""Changes that follow each other within this time, in milliseconds, are heard of together."""

_MISSING_SECONDS = 5.0


async def wait_for_change(folder: Path, stop: asyncio.Event, *, seconds: float) -> None:
    """Return when something below ``folder`` has changed, ``stop`` is set, or after ``seconds``.

    What the system tells is a hint only: notices get lost, and network file systems send none.
    """
    try:
        async with asyncio.timeout(seconds):
            async for _ in awatch(folder, stop_event=stop, debounce=_DEBOUNCE_MS, recursive=True):
                return
    except TimeoutError:
        return
    except (OSError, RuntimeError):
        # It is not there, or there are more folders than the system watches for one user.
        await pause(stop, min(seconds, _MISSING_SECONDS))


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait ``seconds``, or until ``stop`` is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
