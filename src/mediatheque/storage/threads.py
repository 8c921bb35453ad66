"""Threads for what blocks: reading, writing and asking a store."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from mediatheque.domain.errors import UnavailableError

P = ParamSpec("P")
T = TypeVar("T")


class Threads(ThreadPoolExecutor):
    """A pool of threads that never does what it has refused to do.

    The standard library's queues first and starts a thread then: where the operating system has
    none it raises, and does the work later all the same, behind the back of a caller who may have
    closed the descriptor meanwhile, which is another file's by then.
    """

    def submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have ``work`` done by one of the threads.

        Raises UnavailableError when there is none and none can be started; then nothing is done.
        """
        ended: Future[T] = Future()

        def run() -> None:
            if ended.set_running_or_notify_cancel():
                try:
                    result = work(*args, **kwargs)
                except BaseException as error:  # noqa: BLE001 - for who waits
                    ended.set_exception(error)
                else:
                    ended.set_result(result)

        try:
            super().submit(run)
        except RuntimeError as error:
            if ended.cancel():  # else a thread that became free has it
                raise UnavailableError(
                    f"No thread can be had for this: {error}. Try again later, or let the service "
                    "have more processes."
                ) from error
        return ended


def keep_word_by_default() -> None:
    """Have ``asyncio.to_thread`` use such a pool on the running event loop."""
    asyncio.get_running_loop().set_default_executor(Threads(thread_name_prefix="asyncio"))


async def in_thread(threads: Threads, work: Callable[[], T]) -> T:
    """Run ``work`` in one of ``threads``. Returns, even when cancelled, only when it has ended.

    The caller closes the source afterwards, and its descriptor may then be another file's.
    """
    job = threads.submit(work)
    ended = asyncio.wrap_future(job)
    try:
        return await asyncio.shield(ended)
    except asyncio.CancelledError:
        job.cancel()  # helps when no thread has taken it up
        while not ended.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([ended])
        if not ended.cancelled():
            ended.exception()
        raise


@contextlib.asynccontextmanager
async def opened_in_thread(
    threads: Threads, path: Path, flags: int, mode: int = 0o600
) -> AsyncIterator[int]:
    """Open a file in one of ``threads`` for the block, in which threads use its descriptor.

    Raises what ``os.open`` raises.
    """
    descriptors: list[int] = []
    try:
        # Kept where it is found even when whoever waits for it is cancelled.
        await in_thread(threads, lambda: descriptors.append(os.open(path, flags, mode)))
        yield descriptors[0]
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
