"""What every store must make of an intake that was put together of others."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from mediatheque.domain.errors import ConflictError
from mediatheque.domain.intakes import Intake
from mediatheque.storage.stores import Store
from tests.support.intakes import acknowledged, append, crc_of, new_intake, put_together
from tests.support.stores import get, open_kind

KIB = 1 << 10
MIB = 1 << 20
CONTENT = random.Random(6).randbytes(25 * MIB)
KEY = "originals/1/a"
# What each of the others has received, request by request.
PARTS: dict[str, list[list[int]]] = {
    "nothing": [[], []],
    "one and nothing": [[], [100], []],
    "small": [[100], [1], [300 * KIB]],
    "many small": [[40 * KIB]] * 40,
    "many small that make a part": [[700 * KIB]] * 9,
    "large": [[9 * MIB], [8 * MIB]],
    "small between large": [[9 * MIB], [10], [9 * MIB]],
    "large, then small": [[9 * MIB], [300 * KIB], [7]],
    "small, then large": [[3], [9 * MIB]],
    "small, then just too small to be cut": [[6 * MIB], [100], [9 * MIB], [5 * MIB + 99], [1]],
    "tails in the middle": [[8 * MIB + 5, 77], [], [8 * MIB, 3], [4 * MIB]],
}
BY_PARTS = pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS.keys())
MIXED = PARTS["small between large"]


@pytest.fixture(params=["local", "memory", "s3"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Store]:
    opened = open_kind(request.param, request, tmp_path, monkeypatch)
    yield opened
    await opened.close()


async def concatenated(store: Store, parts: list[list[int]]) -> Intake:
    """Receive several uploads, and put them together."""
    received, start = [], 0
    for sizes in parts:
        intake = new_intake()
        for size in sizes:
            intake = await append(store, intake, CONTENT[start : start + size])
            start += size
        received.append(intake)
    return put_together(received)


async def check_joined(store: Store, intake: Intake) -> None:
    """Join, and check that exactly the bytes that were received are the object."""
    info = await store.join(intake, KEY, content_type="video/webm")

    assert (info.key, info.size) == (KEY, intake.size)
    assert intake.crc64nvme == crc_of(CONTENT[: intake.size])
    assert info.crc64nvme in {None, intake.crc64nvme}
    assert await get(store, KEY) == CONTENT[: intake.size]


@BY_PARTS
async def test_the_bytes_of_all_are_one_object_in_their_order(
    store: Store, parts: list[list[int]]
) -> None:
    intake = await concatenated(store, parts)

    await check_joined(store, intake)
    # Until the catalog knows of it they are what the others consist of.
    assert len(intake.segments) < 2 or await acknowledged(store, intake) == CONTENT[: intake.size]


async def test_a_join_may_be_repeated_and_needs_no_segment_then(store: Store) -> None:
    intake = await concatenated(store, MIXED)
    await check_joined(store, intake)

    await check_joined(store, intake)
    for segment in intake.segments:
        await store.delete(segment.object_key)
    await check_joined(store, intake)


async def test_joins_that_are_cancelled_or_meet_make_one_object(store: Store) -> None:
    intake = await concatenated(store, MIXED)
    for milliseconds in (0, 1, 8, 64):
        joins = [
            asyncio.create_task(store.join(intake, KEY, content_type="video/webm"))
            for _ in range(2)
        ]
        await asyncio.sleep(milliseconds / 1000)
        joins[0].cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await joins[0]
        await joins[1]

    await check_joined(store, intake)


@pytest.mark.parametrize("number", [0, 1, -1])
async def test_bytes_that_are_gone_are_told(store: Store, number: int) -> None:
    intake = await concatenated(store, MIXED)
    await store.delete(intake.segments[number].object_key)

    with pytest.raises(ConflictError, match="not in the store any more"):
        await store.join(intake, KEY, content_type="video/webm")

    assert await store.head(KEY) is None


async def test_bytes_that_are_not_what_they_were_become_no_object(store: Store) -> None:
    intake = replace(await concatenated(store, MIXED), crc64nvme=crc_of(b"other bytes"))

    with pytest.raises(ConflictError, match="not what they were"):
        await store.join(intake, KEY, content_type="video/webm")

    assert await store.head(KEY) is None


async def test_of_objects_that_are_longer_only_the_acknowledged_bytes_count(store: Store) -> None:
    others = [await append(store, new_intake(), CONTENT[: 6 * MIB]) for _ in range(3)]
    sizes = [5 * MIB + 1, 10, 2 * MIB]
    parts = [
        replace(
            other,
            size=size,
            crc64nvme=crc_of(CONTENT[:size]),
            segments=(replace(other.segments[0], size=size),),
        )
        for other, size in zip(others, sizes, strict=True)
    ]

    await store.join(put_together(parts), KEY, content_type="video/webm")

    assert await get(store, KEY) == b"".join(CONTENT[:size] for size in sizes)
