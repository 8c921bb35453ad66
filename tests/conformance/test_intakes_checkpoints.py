"""What every store must make durable of bytes while more of them arrive."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mediatheque.domain.intakes import Intake
from mediatheque.storage.intakes import Appended, Appender
from mediatheque.storage.stores import Store
from tests.support.intakes import acknowledged, append, crc_of, new_intake, recorded
from tests.support.stores import get, open_kind

MIB = 1 << 20
CONTENT = random.Random(7).randbytes(20 * MIB + 1234)
PIECE_BYTES = 100_000
KEY = "originals/1/a"


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


async def check(store: Store, intake: Intake, appended: Appended) -> None:
    """Check that what is said to be durable is there, as it was written."""
    content = CONTENT[: appended.size]
    assert appended.crc64nvme == crc_of(content)
    assert await acknowledged(store, recorded(intake, appended)) == content


async def test_checkpoints_while_bytes_are_written_never_go_back(store: Store) -> None:
    intake = await append(store, new_intake(), CONTENT[:77])
    appender = store.appender(intake)
    writing = asyncio.create_task(write(appender, CONTENT[77:]))
    taken = []
    while not writing.done():
        taken.append(await appender.checkpoint())
        await asyncio.sleep(0.002)
    await writing
    taken += [await appender.checkpoint(), await appender.flush(), await appender.checkpoint()]
    await appender.close()

    sizes = [appended.size for appended in taken]
    assert sizes == sorted(sizes)
    assert (sizes[0], sizes[-2:]) == (77, [len(CONTENT)] * 2)
    assert len(set(sizes)) > 2, "nothing was made durable while bytes were written"
    for appended in {appended.size: appended for appended in taken}.values():
        await check(store, intake, appended)


async def test_what_a_checkpoint_said_survives_an_appender_that_was_never_closed(
    store: Store,
) -> None:
    dead = store.appender(new_intake())
    await write(dead, CONTENT[: 17 * MIB])
    appended = await dead.checkpoint()
    intake = recorded(new_intake(), appended)
    await write(dead, b"never recorded" * MIB)

    intake = await append(store, intake, CONTENT[intake.size :])
    await store.join(intake, KEY, content_type="video/webm")

    assert await get(store, KEY) == CONTENT
    await dead.close()
    assert await get(store, KEY) == CONTENT


async def test_what_a_checkpoint_said_survives_a_close(store: Store) -> None:
    appender = store.appender(new_intake())
    await write(appender, CONTENT[: 17 * MIB])
    intake = recorded(new_intake(), await appender.checkpoint())
    await write(appender, b"never recorded" * 100_000)
    await appender.close()

    assert intake.size >= 8 * MIB
    intake = await append(store, intake, CONTENT[intake.size :])
    await store.join(intake, KEY, content_type="video/webm")
    assert await get(store, KEY) == CONTENT


async def test_a_cancelled_checkpoint_may_be_followed_by_anything(store: Store) -> None:
    intake = new_intake()
    appender = store.appender(intake)
    for number in range(8):
        await write(appender, CONTENT[number * MIB : (number + 1) * MIB])
        checkpoint = asyncio.create_task(appender.checkpoint())
        await asyncio.sleep(number / 4000)
        checkpoint.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await checkpoint
    await check(store, intake, await appender.checkpoint())
    flushed = await appender.flush()
    assert flushed.size == 8 * MIB
    await check(store, intake, flushed)

    await write(appender, CONTENT[8 * MIB : 12 * MIB])
    checkpoint = asyncio.create_task(appender.checkpoint())
    await asyncio.sleep(0)
    await appender.close()
    await asyncio.gather(checkpoint, return_exceptions=True)
    await check(store, intake, flushed)


@pytest.mark.parametrize("store", ["local"], indirect=True)
async def test_a_folder_has_all_but_what_is_gathered(store: Store) -> None:
    appender = store.appender(new_intake())
    await write(appender, CONTENT)

    appended = await appender.checkpoint()

    assert len(CONTENT) - appended.size <= MIB
    await appender.close()


@pytest.mark.parametrize("store", ["memory", "s3"], indirect=True)
async def test_a_remote_store_has_the_segments_that_are_finished(store: Store) -> None:
    appender = store.appender(new_intake())
    await write(appender, CONTENT[: 16 * MIB])
    appended = await appender.checkpoint()  # the second one may still be on its way

    assert [one.size for one in appended.segments][:1] == [8 * MIB]
    assert appended.size in {8 * MIB, 16 * MIB}
    await appender.close()
