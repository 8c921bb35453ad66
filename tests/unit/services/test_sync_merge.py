"""Merging the three streams of a sync, batch by batch."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import pairwise
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediatheque.domain.errors import UnavailableError
from mediatheque.domain.sync_plan import BucketEntry, Remembered, SourceEntry
from mediatheque.services.sync_merge import Match, Stream, next_window

T = TypeVar("T")

_KEYS = st.sets(st.binary(min_size=1, max_size=2))
_CUTS = st.lists(st.integers(min_value=0, max_value=5), max_size=20)


def a_file(key: bytes) -> SourceEntry:
    return SourceEntry(key, key, 3, 1, 2, 4)


def an_object(key: bytes) -> BucketEntry:
    return BucketEntry(key, 3, "etag")


def a_row(key: bytes) -> Remembered:
    return Remembered(key, 3, "etag", 1, 2, 4, "0" * 64, uploaded=True)


async def cut(entries: Sequence[T], sizes: Sequence[int]) -> AsyncIterator[list[T]]:
    """Yield entries in batches of these sizes, some of them empty, then the rest."""
    start = 0
    for size in sizes:
        await asyncio.sleep(0)
        yield list(entries[start : start + size])
        start += size
    yield list(entries[start:])


async def merged(
    files: AsyncIterator[list[SourceEntry]],
    objects: AsyncIterator[list[BucketEntry]],
    rows: AsyncIterator[list[Remembered]],
) -> list[list[Match]]:
    windows = []
    async with Stream(files) as source, Stream(objects) as stored, Stream(rows) as remembered:
        while window := await next_window(source, stored, remembered):
            windows.append(window)
    return windows


def key_of(match: Match) -> bytes:
    return next(each.key for each in match if each is not None)


@given(
    keys=st.tuples(_KEYS, _KEYS, _KEYS),
    cuts=st.tuples(_CUTS, _CUTS, _CUTS),
)
def test_every_key_comes_once_with_all_that_is_known_of_it(
    keys: tuple[set[bytes], set[bytes], set[bytes]],
    cuts: tuple[list[int], list[int], list[int]],
) -> None:
    files, objects, rows = ({key: key for key in each} for each in keys)
    windows = asyncio.run(
        merged(
            cut([a_file(key) for key in sorted(files)], cuts[0]),
            cut([an_object(key) for key in sorted(objects)], cuts[1]),
            cut([a_row(key) for key in sorted(rows)], cuts[2]),
        )
    )
    matches = [match for window in windows for match in window]

    assert sorted(matches, key=key_of) == [
        (
            a_file(key) if key in files else None,
            an_object(key) if key in objects else None,
            a_row(key) if key in rows else None,
        )
        for key in sorted(files | objects | rows)
    ]
    assert [match[0].key for match in matches if match[0]] == sorted(files)
    assert [match[1].key for match in matches if match[1] and not match[0]] == sorted(
        objects.keys() - files.keys()
    )
    for earlier, later in pairwise(windows):
        assert max(map(key_of, earlier)) < min(map(key_of, later))


async def test_what_breaks_a_stream_breaks_the_merge_after_what_came_before() -> None:
    async def broken() -> AsyncIterator[list[BucketEntry]]:
        yield [an_object(b"a")]
        raise UnavailableError("The store does not answer.")

    nothing: list[Remembered] = []
    async with (
        Stream(cut([a_file(b"b")], ())) as source,
        Stream(broken()) as stored,
        Stream(cut(nothing, ())) as remembered,
    ):
        assert await next_window(source, stored, remembered) == [(None, an_object(b"a"), None)]
        with pytest.raises(UnavailableError):
            await next_window(source, stored, remembered)


async def test_a_stream_is_fetched_a_little_ahead_and_no_more_after_its_block() -> None:
    fetched = 0

    async def endless() -> AsyncIterator[list[SourceEntry]]:
        nonlocal fetched
        while True:
            await asyncio.sleep(0)
            fetched += 1
            yield [a_file(b"%09d" % fetched)]

    async with Stream(endless()) as stream:
        await stream.fill()
        for _ in range(50):
            await asyncio.sleep(0)
        ahead = fetched
    for _ in range(50):
        await asyncio.sleep(0)

    assert 1 < ahead <= 5
    assert fetched == ahead


async def test_memory_does_not_grow_with_the_number_of_entries() -> None:
    def keys(step: int, size: int) -> Iterator[list[bytes]]:
        for start in range(0, 150_000, size):
            yield [b"folder/%09d" % number for number in range(start, start + size, step)]

    async def files() -> AsyncIterator[list[SourceEntry]]:
        for batch in keys(1, 1000):
            yield [a_file(key) for key in batch]

    async def objects() -> AsyncIterator[list[BucketEntry]]:
        for batch in keys(2, 1000):
            yield [an_object(key) for key in batch]

    async def rows() -> AsyncIterator[list[Remembered]]:
        for batch in keys(3, 6000):
            yield [a_row(key) for key in batch]

    count = 0
    tracemalloc.start()
    try:
        async with (
            Stream(files()) as source,
            Stream(objects()) as stored,
            Stream(rows()) as remembered,
        ):
            while window := await next_window(source, stored, remembered):
                count += len(window)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert count == 150_000
    assert peak < 8 << 20
