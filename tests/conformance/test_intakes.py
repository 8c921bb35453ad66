"""What every store must do with bytes that arrive in pieces: ``mediatheque.storage.intakes``."""

import asyncio
import contextlib
import hashlib
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
from blake3 import blake3

from mediatheque.domain.errors import ConflictError
from mediatheque.domain.intakes import Intake
from mediatheque.storage.segments import MOST_TAILS
from mediatheque.storage.stores import Store
from tests.support.intakes import acknowledged, append, crc_of, new_intake, recorded
from tests.support.stores import get, keys, open_kind, put

KIB = 1 << 10
MIB = 1 << 20
# More than two full segments, and no multiple of anything.
LARGE = random.Random(1).randbytes(17 * MIB + 12_345)
KEY = "originals/1/a"
# Chunks that make: no object, one tail, some, a full one from tails, full ones before a tail.
SCHEDULES = {
    "nothing": [],
    "one": [10],
    "small": [1, 255 * KIB, 256 * KIB, 257 * KIB],
    "tails that make a full segment": [3 * MIB, 3 * MIB, 3 * MIB],
    "exactly full": [8 * MIB],
    "tails before a large chunk": [100 * KIB, 100 * KIB, 9 * MIB],
    "large": [len(LARGE)],
}
BY_SCHEDULE = pytest.mark.parametrize("sizes", SCHEDULES.values(), ids=SCHEDULES.keys())
REMOTE = pytest.mark.parametrize("store", ["memory", "s3"], indirect=True)


@pytest.fixture(params=["local", "memory", "s3"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Store]:
    opened = open_kind(request.param, request, tmp_path, monkeypatch)
    yield opened
    await opened.close()


def cut(content: bytes, sizes: list[int]) -> list[bytes]:
    """Cut chunks of the given sizes off some content."""
    ends = [sum(sizes[:count]) for count in range(len(sizes) + 1)]
    return [content[start:end] for start, end in pairwise(ends)]


async def append_all(store: Store, sizes: list[int]) -> Intake:
    """Append chunks of the given sizes, each by a request of its own."""
    intake = new_intake()
    for chunk in cut(LARGE, sizes):
        intake = await append(store, intake, chunk)
    return intake


async def check_joined(store: Store, intake: Intake, content: bytes) -> None:
    """Join, and check that exactly ``content`` is the object."""
    info = await store.join(intake, KEY, content_type="video/webm")

    assert intake.size == info.size == len(content)
    assert intake.crc64nvme == crc_of(content)
    assert info.key == KEY
    assert info.crc64nvme in {None, intake.crc64nvme}
    assert await get(store, KEY) == content


@BY_SCHEDULE
async def test_chunks_are_readable_before_they_are_joined_and_one_object_afterwards(
    store: Store, sizes: list[int]
) -> None:
    intake = await append_all(store, sizes)
    content = LARGE[: sum(sizes)]

    assert await acknowledged(store, intake) == content
    assert sum(segment.size for segment in intake.segments) == intake.size
    await check_joined(store, intake, content)


async def test_one_appender_may_flush_often(store: Store) -> None:
    intake = new_intake()
    appender = store.appender(intake)
    for chunk in cut(LARGE, [10, 0, 9 * MIB, 300 * KIB]):
        await appender.write(chunk[:7])
        await appender.write(chunk[7:])
        intake = recorded(intake, await appender.flush())
        assert await acknowledged(store, intake) == LARGE[: intake.size]
    await appender.close()

    await check_joined(store, intake, LARGE[: 10 + 9 * MIB + 300 * KIB])


@pytest.mark.parametrize("pieces", [[], [b""]])
async def test_a_flush_without_bytes_changes_nothing(store: Store, pieces: list[bytes]) -> None:
    intake = await append(store, new_intake(), b"abc")

    assert await append(store, intake, *pieces) == intake
    assert (await append(store, new_intake(), *pieces)).segments == ()


@pytest.mark.parametrize("size", [100, 9 * MIB])
async def test_digests_are_fed_every_byte(store: Store, size: int) -> None:
    intake = await append(store, new_intake(), b"before")
    digests = (hashlib.sha256(), blake3())
    appender = store.appender(intake, digests=digests)
    for start in range(0, size, 100_000):
        await appender.write(LARGE[start : min(start + 100_000, size)])
    await appender.flush()

    assert digests[0].digest() == hashlib.sha256(LARGE[:size]).digest()
    assert digests[1].digest() == blake3(LARGE[:size]).digest()
    await appender.close()


@pytest.mark.parametrize("size", [100, 9 * MIB])
async def test_what_was_not_flushed_is_discarded(store: Store, size: int) -> None:
    intake = await append(store, new_intake(), b"before")
    objects = await keys(store)
    appender = store.appender(intake)
    await appender.write(LARGE[:size])

    await appender.close()
    await appender.close()

    assert await keys(store) == objects
    await check_joined(store, await append(store, intake, b" and after"), b"before and after")


@pytest.mark.parametrize("size", [100, 9 * MIB])
async def test_what_was_flushed_in_vain_is_discarded_when_that_is_said(
    store: Store, size: int
) -> None:
    intake = await append(store, new_intake(), b"before")
    objects = await keys(store)
    for state in (intake, new_intake()):
        appender = store.appender(state)
        await appender.write(LARGE[:size])
        await appender.flush()
        await appender.close(recorded=False)

    assert await keys(store) == objects
    await check_joined(store, await append(store, intake, b" and after"), b"before and after")


async def test_a_cancelled_flush_may_be_closed(store: Store) -> None:
    intake = await append(store, new_intake(), b"before")
    for milliseconds in (0, 1, 4, 16):
        appender = store.appender(intake)
        await appender.write(LARGE[: 9 * MIB])
        flush = asyncio.create_task(appender.flush())
        await asyncio.sleep(milliseconds / 1000)
        flush.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await flush
        await appender.close()

    await check_joined(store, await append(store, intake, b" and after"), b"before and after")


@BY_SCHEDULE
async def test_a_recorded_state_stays_good_after_flushes_that_were_never_recorded(
    store: Store, sizes: list[int]
) -> None:
    intake = await append_all(store, sizes)
    for chunk in (b"lost", LARGE[: 400 * KIB]):
        await append(store, intake, chunk)

    assert await acknowledged(store, intake) == LARGE[: intake.size]
    intake = await append(store, intake, b"behind")
    await check_joined(store, intake, LARGE[: sum(sizes)] + b"behind")


# The one that was presumed dead has written nothing yet, or has written, or has flushed.
@pytest.mark.parametrize(
    ("before", "size"), [("", 100), ("write", 100), ("flush", 100), ("write", 9 * MIB)]
)
async def test_an_appender_that_was_presumed_dead_spoils_nothing(
    store: Store, before: str, size: int
) -> None:
    first = await append(store, new_intake(), b"first,")
    dead = store.appender(first)
    if before:
        await dead.write(b"x" * size)
    if before == "flush":
        await dead.flush()

    second = await append(store, first, b"second,")
    await dead.write(b"x" * size)
    await dead.flush()
    third = await append(store, second, b"third")
    await dead.write(b"x" * size)
    await dead.flush()

    assert await acknowledged(store, third) == b"first,second,third"
    await check_joined(store, third, b"first,second,third")
    await dead.write(b"x" * size)
    with contextlib.suppress(ConflictError):  # its file may have become the object
        await dead.flush()
    await dead.close()
    assert await get(store, KEY) == b"first,second,third"


async def test_an_appender_that_was_presumed_dead_finds_nothing_to_spoil_after_the_join(
    store: Store,
) -> None:
    intake = await append(store, new_intake(), b"content")
    dead = store.appender(intake)

    await check_joined(store, intake, b"content")
    await dead.write(b"x")
    with contextlib.suppress(ConflictError):
        await dead.flush()
    await dead.close()

    await check_joined(store, intake, b"content")


@pytest.mark.parametrize("sizes", [[], [100], [100, 100], [100 * KIB, 9 * MIB]])
async def test_a_join_may_be_repeated_even_when_the_segments_are_gone(
    store: Store, sizes: list[int]
) -> None:
    intake = await append_all(store, sizes)
    await check_joined(store, intake, LARGE[: intake.size])

    await check_joined(store, intake, LARGE[: intake.size])
    for segment in intake.segments:
        await store.delete(segment.object_key)
    await check_joined(store, intake, LARGE[: intake.size])


@pytest.mark.parametrize("sizes", [[100, 100], [100 * KIB, 9 * MIB]])
async def test_a_cancelled_join_may_be_repeated(store: Store, sizes: list[int]) -> None:
    intake = await append_all(store, sizes)
    for milliseconds in (0, 1, 4, 16, 64):
        join = asyncio.create_task(store.join(intake, KEY, content_type="video/webm"))
        await asyncio.sleep(milliseconds / 1000)
        join.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await join

    await check_joined(store, intake, LARGE[: intake.size])


async def test_joins_at_once_make_one_object_whichever_is_given_up(store: Store) -> None:
    intake = await append_all(store, [100])
    for milliseconds in (0, 1, 2, 3):
        joins = [
            asyncio.create_task(store.join(intake, KEY, content_type="video/webm"))
            for _ in range(4)
        ]
        await asyncio.sleep(milliseconds / 1000)
        for join in joins:
            join.cancel()
        await asyncio.gather(*joins, return_exceptions=True)

    infos = await asyncio.gather(
        *(store.join(intake, KEY, content_type="video/webm") for _ in range(4))
    )

    assert [info.size for info in infos] == [100] * 4
    assert await get(store, KEY) == LARGE[:100]


async def test_a_join_replaces_what_is_not_the_intakes(store: Store) -> None:
    intake = await append(store, new_intake(), b"content")
    await put(store, KEY, b"something else")

    await check_joined(store, intake, b"content")


@pytest.mark.parametrize("sizes", [[100], [8 * MIB], [8 * MIB, 100]])
async def test_a_join_of_bytes_that_are_gone_is_refused(store: Store, sizes: list[int]) -> None:
    intake = await append_all(store, sizes)
    await store.delete(intake.segments[-1].object_key)

    with pytest.raises(ConflictError, match="not in the store any more"):
        await store.join(intake, KEY, content_type="video/webm")

    assert await store.head(KEY) is None


@REMOTE
@pytest.mark.parametrize("sizes", [[100], [8 * MIB], [8 * MIB, 100]])
async def test_a_join_of_bytes_that_changed_is_refused(store: Store, sizes: list[int]) -> None:
    intake = replace(await append_all(store, sizes), crc64nvme=crc_of(b"other bytes"))

    with pytest.raises(ConflictError, match="not what they were"):
        await store.join(intake, KEY, content_type="video/webm")

    assert await store.head(KEY) is None


async def test_an_object_may_be_longer_than_its_segment(store: Store) -> None:
    whole = await append(store, new_intake(), b"content", LARGE[:MIB])
    intake = replace(
        whole, size=7, crc64nvme=crc_of(b"content"), segments=(replace(whole.segments[0], size=7),)
    )

    assert await acknowledged(store, intake) == b"content"
    await check_joined(store, intake, b"content")


@REMOTE
async def test_full_segments_are_of_one_size_and_tails_are_few(store: Store) -> None:
    intake = new_intake()
    for chunk in cut(LARGE, [400 * KIB] * 22):
        intake = await append(store, intake, chunk)

    sizes = [segment.size for segment in intake.segments]
    assert sizes[0] == 8 * MIB
    assert 1 <= len(sizes[1:]) <= MOST_TAILS
    await check_joined(store, intake, LARGE[: 22 * 400 * KIB])


@pytest.mark.parametrize("store", ["memory"], indirect=True)
async def test_many_tiny_chunks_make_few_objects(store: Store) -> None:
    intake = new_intake()
    for chunk in cut(LARGE, [700] * 200):
        intake = await append(store, intake, chunk)
        assert len(intake.segments) <= MOST_TAILS

    await check_joined(store, intake, LARGE[: 200 * 700])


@pytest.mark.parametrize("store", ["local", "s3"], indirect=True)
async def test_one_huge_chunk_takes_a_bounded_amount_of_memory(store: Store) -> None:
    process = psutil.Process()
    await append(store, new_intake(), LARGE)
    before = most = process.memory_info().rss
    appender = store.appender(new_intake())
    for _ in range(80):
        await appender.write(LARGE[:MIB])
        most = max(most, process.memory_info().rss)
    appended = await appender.flush()
    most = max(most, process.memory_info().rss)
    await appender.close()

    assert appended.size == 80 * MIB
    assert most - before < 48 * MIB
