"""Bytes that the store has already: with ``deduplicate`` they are not sent again."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from mediatheque.catalog.database import Database
from mediatheque.domain.access import LOCAL_OPERATOR
from mediatheque.domain.media import Media
from mediatheque.domain.transfers import TransferStatus
from mediatheque.services.files import FileService
from mediatheque.storage.local import LocalStore
from mediatheque.storage.stores import Stored
from tests.support.database import execute
from tests.support.parts import open_parts
from tests.support.stores import get
from tests.support.transfers import LIMITS, TransferStage

CONTENT = b"the same bytes" * 1000


class CountingStore(LocalStore):
    """A local store that counts the files that are sent to it."""

    sent = 0

    async def send_file(self, *args: object, **options: object) -> Stored:
        self.sent += 1
        return await super().send_file(*args, **options)  # type: ignore[arg-type]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[CountingStore]:
    opened = CountingStore(tmp_path / "objects", durable=False)
    yield opened
    await opened.close()


@pytest.fixture
def stage(database: Database, store: CountingStore, tmp_path: Path) -> TransferStage:
    return TransferStage(database, store, tmp_path / "sources", replace(LIMITS, deduplicate=True))


@pytest.fixture
def files(stage: TransferStage, store: CountingStore) -> FileService:
    return open_parts(stage.database, store).files


async def two_medias(stage: TransferStage) -> tuple[Media, Media]:
    """Transfer the same bytes twice."""
    stage.write({"a/one.txt": CONTENT, "b/two.txt": CONTENT})
    for name in ("a", "b"):
        ended = await stage.transfer(stage.root / name)
        assert ended.status is TransferStatus.COMPLETE, ended.error
        assert ended.bytes_complete == len(CONTENT)
    first, second = await stage.medias()
    return first, second


async def test_the_same_bytes_become_another_media_of_one_object(
    stage: TransferStage, store: CountingStore
) -> None:
    first, second = await two_medias(stage)

    assert store.sent == 1
    assert (first.filename, second.filename) == ("one.txt", "two.txt")
    assert first.object_key == second.object_key
    assert first.id != second.id
    assert (first.size, first.blake3, first.crc64nvme) == (
        second.size,
        second.blake3,
        second.crc64nvme,
    )
    assert await stage.objects() == {first.object_key}
    assert await stage.contents() == {"one.txt": CONTENT, "two.txt": CONTENT}


async def test_without_the_setting_every_file_has_an_object(
    stage: TransferStage, store: CountingStore
) -> None:
    plain = TransferStage(stage.database, store, stage.root)
    first, second = await two_medias(plain)

    assert store.sent == 2
    assert first.object_key != second.object_key


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_the_object_goes_with_the_last_of_its_medias(
    stage: TransferStage,
    files: FileService,
    order: tuple[int, int],
    store: CountingStore,
    database_url: str,
) -> None:
    medias = await two_medias(stage)
    earlier, later = medias[order[0]], medias[order[1]]

    await files.delete(LOCAL_OPERATOR, str(earlier.id))

    assert await get(store, later.object_key) == CONTENT
    await asyncio.sleep(1.1)
    assert (await stage.janitor.sweep()).objects == 0
    assert await get(store, later.object_key) == CONTENT
    await files.delete(LOCAL_OPERATOR, str(later.id))
    assert await stage.objects() == set()


async def test_a_media_that_is_deleted_before_it_is_shared_is_no_help(
    stage: TransferStage, files: FileService, store: CountingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deletion comes between finding the media and the new one's record."""
    stage.write({"a/one.txt": CONTENT, "b/two.txt": CONTENT})
    await stage.transfer(stage.root / "a")
    [first] = await stage.medias()
    from mediatheque.catalog import medias

    find_same = medias.find_same

    async def find_and_delete(*args: object, **options: object) -> Media | None:
        found = await find_same(*args, **options)  # type: ignore[arg-type]
        if found is not None:
            await files.delete(LOCAL_OPERATOR, str(found.id))
        return found

    monkeypatch.setattr(medias, "find_same", find_and_delete)
    ended = await stage.transfer(stage.root / "b")

    assert ended.status is TransferStatus.COMPLETE
    assert store.sent == 2
    [second] = await stage.medias()
    assert second.object_key != first.object_key
    assert await stage.contents() == {"two.txt": CONTENT}


async def test_a_deletion_that_meets_a_transfer_leaves_the_object_to_it(
    stage: TransferStage, files: FileService, store: CountingStore
) -> None:
    for number in range(10):
        stage.write({f"{number}/one.txt": CONTENT, f"{number}/two.txt": CONTENT})
        await stage.transfer(stage.root / f"{number}" / "one.txt")
        found = [media for media in await stage.medias() if media.filename == "one.txt"]
        started = await stage.start(stage.root / f"{number}" / "two.txt")

        await asyncio.gather(
            stage.run(started), *(files.delete(LOCAL_OPERATOR, str(one.id)) for one in found)
        )

        for media in await stage.medias():
            assert await get(store, media.object_key) == CONTENT


async def test_bytes_that_another_owner_has_are_sent(
    stage: TransferStage, store: CountingStore, database_url: str
) -> None:
    stage.write({"a/one.txt": CONTENT, "b/two.txt": CONTENT})
    await stage.transfer(stage.root / "a")
    started = await stage.start(stage.root / "b")
    await execute(database_url, "UPDATE jobs SET created_by = 'alice', created_role = 'member'")

    ended = await stage.run(started)

    assert ended.status is TransferStatus.COMPLETE
    assert store.sent == 2
    assert {media.created_by for media in await stage.medias()} == {"local", "alice"}


async def test_files_with_other_bytes_of_the_same_size_are_sent(
    stage: TransferStage, store: CountingStore
) -> None:
    stage.write({"a/one.txt": CONTENT})
    await stage.transfer(stage.root / "a")
    stage.write({"b/two.txt": CONTENT[::-1]})
    await stage.transfer(stage.root / "b")

    assert store.sent == 2
    assert await stage.contents() == {"one.txt": CONTENT, "two.txt": CONTENT[::-1]}
