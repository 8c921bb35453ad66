"""Telling those who look at the library that it has changed."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from mediatheque.catalog.database import Database
from mediatheque.services import library_changes
from mediatheque.services.library_changes import LibraryChanges
from tests.support.database import a_media, add_medias


@pytest.fixture
async def changes(database: Database, monkeypatch: pytest.MonkeyPatch) -> LibraryChanges:
    monkeypatch.setattr(library_changes, "_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(library_changes, "_REST_SECONDS", 0.02)
    return LibraryChanges(database)


async def heard(listener: AsyncIterator[bool]) -> bool:
    async with asyncio.timeout(5):
        return await anext(listener)


async def hear_the_first(listener: AsyncIterator[bool]) -> None:
    """Return when the first look is over, of which who came before it may hear once more."""
    while not await heard(listener):
        pass
    while await heard(listener):
        pass


async def test_every_listener_hears_at_first_and_then_of_each_change(
    database: Database, changes: LibraryChanges
) -> None:
    first, second = changes.listen(silence=0.2), changes.listen(silence=0.2)
    await hear_the_first(first)
    await hear_the_first(second)

    await add_medias(database, a_media())

    assert await heard(first)
    assert await heard(second)
    assert not await heard(first)
    await first.aclose()
    await second.aclose()


async def test_what_is_told_is_heard_once_however_often_it_is_told(
    changes: LibraryChanges,
) -> None:
    listener = changes.listen(silence=0.2)
    await hear_the_first(listener)

    for _ in range(10):
        changes.tell()

    assert await heard(listener)
    assert not await heard(listener)
    await listener.aclose()


async def test_nobody_looks_when_nobody_listens(changes: LibraryChanges) -> None:
    before = asyncio.all_tasks()
    listeners = [changes.listen(silence=5) for _ in range(3)]
    for listener in listeners:
        await heard(listener)
    assert len(asyncio.all_tasks() - before) == 1

    for listener in listeners:
        await listener.aclose()
    await asyncio.sleep(0)

    assert asyncio.all_tasks() == before


async def test_stopping_lets_all_go_and_those_who_come_later(changes: LibraryChanges) -> None:
    listener = changes.listen(silence=5)
    assert await heard(listener)

    changes.stop()

    assert [one async for one in listener] == []
    assert [one async for one in changes.listen(silence=5)] == []
