"""Merging what is known of a bucket's keys from three sorted streams, fetched while they merge."""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Iterator
from operator import itemgetter
from typing import Generic, Self, TypeVar

from mediatheque.domain.sync_plan import BucketEntry, Remembered, SourceEntry
from mediatheque.storage.threads import Threads

T = TypeVar("T")
Entry = TypeVar("Entry", bound=SourceEntry | BucketEntry | Remembered)

Match = tuple[SourceEntry | None, BucketEntry | None, Remembered | None]
"""What is known of one key in each place; at least one is not None."""

_BATCHES_AHEAD = 2
_key_of = itemgetter(0)


class Stream(Generic[Entry]):
    """Entries ordered by key, each key once, in batches that are fetched ahead.

    An asynchronous context manager: fetching begins and ends with the block.
    """

    def __init__(self, batches: AsyncIterator[list[Entry]]) -> None:
        self._batches = batches
        self._fetched: asyncio.Queue[list[Entry] | Exception | None] = asyncio.Queue(_BATCHES_AHEAD)
        self._batch: list[Entry] = []
        self._next = 0
        self._ended = False

    async def __aenter__(self) -> Self:
        self._fetching = asyncio.create_task(self._fetch())
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._fetching.cancel()
        await asyncio.wait({self._fetching})

    @property
    def last(self) -> bytes | None:
        """The last key of what was fetched and not taken; None at the end of the stream."""
        return self._batch[-1].key if self._next < len(self._batch) else None

    async def fill(self) -> None:
        """Return once there is something to take, or nothing to come. Raises why it broke off."""
        while self.last is None and not self._ended:
            fetched = await self._fetched.get()
            if isinstance(fetched, Exception):
                raise fetched
            self._ended = fetched is None
            self._batch, self._next = fetched or [], 0

    def take(self, bound: bytes) -> list[Entry]:
        """Take the entries up to a key, of those that were fetched."""
        start = self._next
        self._next = bisect_right(self._batch, bound, lo=start, key=_key_of)
        return self._batch[start : self._next]

    async def _fetch(self) -> None:
        try:
            async for batch in self._batches:
                await self._fetched.put(batch)
        except Exception as error:  # noqa: BLE001 - raised by ``fill``
            await self._fetched.put(error)
        else:
            await self._fetched.put(None)


async def next_window(
    source: Stream[SourceEntry], stored: Stream[BucketEntry], remembered: Stream[Remembered]
) -> list[Match]:
    """Return the next keys that at least one of the streams has, each once; none at the end.

    The files come first, in order. Raises what the streams raise.
    """
    lasts = []
    for stream in (source, stored, remembered):
        await stream.fill()
        if stream.last is not None:
            lasts.append(stream.last)
    if not lasts:
        return []
    bound = min(lasts)  # up to here, no stream has anything that was not fetched
    return _join(source.take(bound), stored.take(bound), remembered.take(bound))


async def in_threads(batches: Iterator[T], threads: Threads) -> AsyncIterator[T]:
    """Yield what an iterator that blocks yields, each batch found in a thread.

    When that is cancelled, the thread goes on to the end of its batch, which nobody takes.
    """
    loop = asyncio.get_running_loop()
    while (batch := await loop.run_in_executor(threads, next, batches, None)) is not None:
        yield batch


def _join(
    files: list[SourceEntry], objects: list[BucketEntry], rows: list[Remembered]
) -> list[Match]:
    object_of = {entry[0]: entry for entry in objects}
    row_of = {row[0]: row for row in rows}
    matches: list[Match] = [
        (file, object_of.pop(file[0], None), row_of.pop(file[0], None)) for file in files
    ]
    matches += [(None, entry, row_of.pop(key, None)) for key, entry in object_of.items()]
    matches += [(None, None, row) for row in row_of.values()]
    return matches
