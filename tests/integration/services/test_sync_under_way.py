"""How far the large files of a sync are, while they are being sent."""

import asyncio
from pathlib import Path

import pytest

from mediatheque.catalog.database import Database
from mediatheque.domain.access import LOCAL_OPERATOR
from mediatheque.domain.syncs import Operation, Sync
from mediatheque.storage.mirrors import SMALL_BYTES, UnstorableError
from tests.support.sync_stages import Memory

LARGE = 2 * SMALL_BYTES


@pytest.fixture
def stage(database: Database, tmp_path: Path) -> Memory:
    return Memory(database, tmp_path / "uploads")


async def under_way(stage: Memory, sync: Sync) -> list[Operation]:
    page = await stage.syncs.operations(LOCAL_OPERATOR, sync.number, under_way=True, limit=10)
    return page.operations


async def test_of_a_large_file_it_is_told_how_much_was_sent(stage: Memory) -> None:
    stage.write({"small": b"s", "large": b"x" * LARGE})
    go_on = asyncio.Event()
    stage.mirror.half_way = go_on.wait
    started = await stage.start()
    running = asyncio.create_task(stage.run(started))

    async with asyncio.timeout(20):
        while not (found := await under_way(stage, started)):
            await asyncio.sleep(0.01)
    [large] = found
    assert (large.key, large.sent, large.size) == (b"large", LARGE // 2, LARGE)
    go_on.set()

    assert (await running).status == "success"
    assert await under_way(stage, started) == []


async def test_of_what_was_given_up_nothing_is_under_way(stage: Memory) -> None:
    async def fail() -> None:
        async with asyncio.timeout(20):
            while not await under_way(stage, started):
                await asyncio.sleep(0.01)
        raise UnstorableError("It cannot be kept here.")

    stage.write({"large": b"x" * LARGE})
    stage.mirror.half_way = fail
    started = await stage.start()

    ended = await stage.run(started)

    assert ended.failed == 1
    assert await under_way(stage, started) == []
    assert (await stage.operations(started))["large"].sent == 0
