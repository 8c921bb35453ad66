"""Sending to a client for as long as it is there."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar

T = TypeVar("T")
Receive = Callable[[], Awaitable[Mapping[str, Any]]]


async def while_connected(receive: Receive, sending: Coroutine[Any, Any, T]) -> T | None:
    """Run ``sending`` to its end, or cancel it as soon as the client goes away.

    Returns what it returns; None when it was cancelled.

    The server takes what is sent to a client that is gone without complaint, so that a reader
    would go on to the end of the object for nobody.
    """
    work = asyncio.create_task(sending)
    gone = asyncio.create_task(_disconnection(receive))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        work.cancel()
        gone.cancel()
        await asyncio.wait({work, gone})
    return None if work.cancelled() else work.result()


async def _disconnection(receive: Receive) -> None:
    """Return when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
