"""An event loop in a thread of its own, and the verbs of a noun that run there."""

import asyncio
import functools
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import CancelledError
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
Noun = TypeVar("Noun")

_END: Any = object()


class Portal:
    """Runs coroutines for threads that have no event loop, or one that must not wait."""

    def __init__(self) -> None:
        self.closed = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what ``work`` returns; cancel it when this thread is interrupted.

        Raises RuntimeError when the portal is closed, before or meanwhile.
        """
        if self.closed:
            work.close()
            raise RuntimeError("This client is closed.")
        try:
            return self._run(work)
        except CancelledError:
            raise RuntimeError("This client was closed meanwhile.") from None

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """Cancel what other threads wait for, do ``last``, and end the loop and its thread."""
        self.closed = True
        self._run(_cancel_all())
        self._run(last)
        self._run(self._loop.shutdown_asyncgens())
        self._run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise


class Blocking(Generic[Noun]):
    """The blocking face of an asynchronous noun; its verbs come from ``waits`` and ``yields``."""

    def __init__(self, noun: Noun, portal: Portal) -> None:
        self.noun = noun
        self.portal = portal


def waits(
    verb: Callable[Concatenate[Noun, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Blocking[Noun], P], T]:
    """Return a verb that waits for the result of an asynchronous one."""

    @functools.wraps(verb)
    def wait(face: Blocking[Noun], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return face.portal.run(verb(face.noun, *args, **kwargs))

    return wait


def yields(
    verb: Callable[Concatenate[Noun, P], AsyncIterator[T]],
) -> Callable[Concatenate[Blocking[Noun], P], Iterator[T]]:
    """Return a verb that yields what an asynchronous one does, as it comes."""

    @functools.wraps(verb)
    def iterate(face: Blocking[Noun], /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        items = verb(face.noun, *args, **kwargs)
        try:
            while (item := face.portal.run(_next(items))) is not _END:
                yield item
        finally:
            if isinstance(items, AsyncGenerator) and not face.portal.closed:
                face.portal.run(_close(items))

    return iterate


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _next(items: AsyncIterator[T]) -> T:
    return await anext(items, _END)


async def _close(items: AsyncGenerator[Any, None]) -> None:
    await items.aclose()
