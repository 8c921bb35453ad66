"""What every store must do with bytes of which it is told what they will be."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mediatheque.domain.errors import ConflictError
from mediatheque.domain.intakes import Intake
from mediatheque.storage.intakes import Appender, Target
from mediatheque.storage.s3 import S3Store
from mediatheque.storage.stores import ObjectInfo, Store
from tests.support.intakes import append, crc_of, new_intake, recorded
from tests.support.stores import get, keys, open_kind

MIB = 1 << 20
CONTENT = random.Random(11).randbytes(50 * MIB + 4321)
PIECE_BYTES = 390_000
KEY = "originals/1/film.mp4"
TARGET = Target(key=KEY, content_type="video/mp4", expected=1 << 30)
IN_S3 = pytest.mark.parametrize("store", ["s3"], indirect=True)


@pytest.fixture(params=["local", "memory", "s3"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Store]:
    opened = open_kind(request.param, request, tmp_path, monkeypatch)
    yield opened
    await opened.close()


async def write(appender: Appender, content: bytes) -> None:
    for start in range(0, len(content), PIECE_BYTES):
        await appender.write(content[start : start + PIECE_BYTES])


async def run(store: Store, intake: Intake, size: int) -> Intake:
    """Append the next bytes of ``CONTENT`` as one request does that brings many."""
    appender = store.appender(intake, target=TARGET)
    await write(appender, CONTENT[intake.size : intake.size + size])
    appended = await appender.flush()
    await appender.close()
    return recorded(intake, appended)


async def plain(store: Store, intake: Intake, size: int) -> Intake:
    """Append the next bytes as one request does that brings few."""
    return await append(store, intake, CONTENT[intake.size : intake.size + size])


async def check_joined(store: Store, intake: Intake) -> ObjectInfo:
    """Join twice, and check that exactly the acknowledged bytes are the object."""
    content = CONTENT[: intake.size]
    assert intake.crc64nvme == crc_of(content)
    made = await store.join(intake, KEY, content_type="video/mp4")
    assert (made.size, await get(store, made.key)) == (len(content), content)
    assert made.crc64nvme in {None, intake.crc64nvme}
    again = await store.join(intake, KEY, content_type="video/mp4")
    assert (again.key, again.size) == (made.key, made.size)
    return made


async def unfinished(store: Store) -> int:
    """Return how many multipart uploads were left behind; they are gone then."""
    return await store.sweep_unfinished(datetime.now(UTC) + timedelta(days=1))


@pytest.mark.parametrize(
    "sizes",
    [
        [17 * MIB + 5],
        [16 * MIB],
        [100],
        [9 * MIB, -300, -(9 * MIB)],
        [-77, 20 * MIB, -3, -(6 * MIB)],
        [-(9 * MIB), 17 * MIB, 9 * MIB + 1],
        [9 * MIB + 1, 17 * MIB, -10],
        [10 * MIB, 1000, 10 * MIB, 2000],
        [-10, 6 * MIB, -20, 6 * MIB, -30],
    ],
    ids=lambda sizes: "+".join(map(str, sizes)),
)
async def test_long_and_short_requests_become_one_object(store: Store, sizes: list[int]) -> None:
    """Long ones are positive, short ones negative."""
    intake = new_intake()
    for size in sizes:
        intake = await (run(store, intake, size) if size > 0 else plain(store, intake, -size))

    made = await check_joined(store, intake)

    assert made.key.startswith("originals/1/")
    assert made.key.endswith("film.mp4")
    assert await unfinished(store) == 0


@IN_S3
async def test_one_long_request_is_never_copied(store: S3Store) -> None:
    intake = await run(store, new_intake(), 40 * MIB)

    made = await check_joined(store, intake)

    assert await keys(store) == {made.key}
    assert [segment.object_key for segment in intake.segments] == [made.key] * 5


async def test_flushing_often_loses_and_repeats_nothing(store: Store) -> None:
    intake = new_intake()
    appender = store.appender(intake, target=TARGET)
    for size in [10, 0, 3 * MIB, 7 * MIB, 100_000, *[150_000] * 60, 9 * MIB]:
        await write(appender, CONTENT[intake.size : intake.size + size])
        appended = await appender.flush()
        assert appended.size == intake.size + size
        gone = {one.object_key for one in intake.segments}
        intake = recorded(intake, appended)
        for key in gone - {one.object_key for one in intake.segments}:
            await store.delete(key)
    await appender.close()

    await check_joined(store, intake)


async def test_checkpoints_never_go_back_and_survive_who_made_them(store: Store) -> None:
    dead = store.appender(new_intake(), target=TARGET)
    writing = asyncio.create_task(write(dead, CONTENT[: 40 * MIB]))
    taken = []
    while not writing.done():
        taken.append(await dead.checkpoint())
        await asyncio.sleep(0.005)
    sizes = [appended.size for appended in taken]
    assert sizes == sorted(sizes)
    middle = next((one for one in taken if one.size >= 8 * MIB), await dead.checkpoint())
    intake = recorded(new_intake(), middle)

    intake = await run(store, intake, 17 * MIB)
    await write(dead, b"never recorded" * MIB)
    made = await check_joined(store, intake)
    await dead.close()

    assert await get(store, made.key) == CONTENT[: intake.size]


@IN_S3
async def test_whoever_is_presumed_dead_may_finish_what_he_began(store: S3Store) -> None:
    """He joins what he takes for all, after his successor has gone on from less."""
    dead = store.appender(new_intake(), target=TARGET)
    await write(dead, CONTENT[: 17 * MIB])
    await asyncio.sleep(0)
    before = recorded(new_intake(), await dead.checkpoint())
    while before.size < 8 * MIB:
        await asyncio.sleep(0.01)
        before = recorded(new_intake(), await dead.checkpoint())
    await write(dead, CONTENT[17 * MIB : 20 * MIB])
    believed = recorded(new_intake(), await dead.flush())
    await check_joined(store, believed)

    await check_joined(store, await run(store, before, 30 * MIB))


async def test_what_turned_out_to_be_wrong_is_discarded(store: Store) -> None:
    intake = await plain(store, new_intake(), 10)
    objects = await keys(store)
    appender = store.appender(intake, target=TARGET)
    await write(appender, bytes(20 * MIB))
    await appender.flush()
    await write(appender, bytes(9 * MIB))

    await appender.close(recorded=False)

    assert await keys(store) == objects
    assert await unfinished(store) == 0
    await check_joined(store, await run(store, intake, 9 * MIB))


@IN_S3
@pytest.mark.parametrize("second", [0, 20 * MIB])
async def test_bytes_that_the_store_has_lost_are_said_to_be(store: S3Store, second: int) -> None:
    intake = await run(store, new_intake(), 17 * MIB)
    if second:
        intake = await run(store, intake, second)
    part = intake.segments[0].part
    assert part is not None
    await store.abandon(intake.segments[0].object_key, part.upload_id)

    with pytest.raises(ConflictError, match="Send everything again"):
        await store.join(intake, KEY, content_type="video/mp4")


@IN_S3
async def test_an_upload_in_use_is_no_leftover(store: S3Store) -> None:
    intake = await run(store, new_intake(), 17 * MIB)
    part = intake.segments[0].part
    assert part is not None
    later = datetime.now(UTC) + timedelta(days=1)

    assert await store.sweep_unfinished(later, in_use={part.upload_id}) == 0

    await check_joined(store, intake)
