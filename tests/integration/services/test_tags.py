"""Tags of a file, also when they are changed at once."""

import asyncio

import pytest

from mediatheque.domain.access import LOCAL_OPERATOR, Principal
from mediatheque.domain.errors import InvalidError, NotFoundError
from mediatheque.domain.ids import new_id
from mediatheque.domain.tags import MAX_TAGS
from tests.support.database import a_media, add_medias
from tests.support.parts import Parts

ALICE = Principal("alice", "member")
BOB = Principal("bob", "member")


async def tagged(parts: Parts, *tags: str, key: str = "") -> str:
    media = a_media(created_by="alice", tags=tags, key=key)
    await add_medias(parts.database, media)
    return str(media.id)


async def tags_of(parts: Parts, file_id: str) -> tuple[str, ...]:
    return (await parts.medias.find_original(LOCAL_OPERATOR, file_id)).tags


async def test_tags_are_added_as_a_set(parts: Parts) -> None:
    file_id = await tagged(parts, "a")

    await parts.tags.add(ALICE, file_id, ("b", "a", "b"))

    assert await tags_of(parts, file_id) == ("a", "b")


async def test_tags_are_removed_all_or_none(parts: Parts) -> None:
    file_id = await tagged(parts, "a", "b", "c")

    with pytest.raises(InvalidError, match="tag not found on file"):
        await parts.tags.remove(ALICE, file_id, ("a", "x"))
    assert await tags_of(parts, file_id) == ("a", "b", "c")
    await parts.tags.remove(ALICE, file_id, ("c", "a"))

    assert await tags_of(parts, file_id) == ("b",)


async def test_no_file_has_more_tags_than_it_may(parts: Parts) -> None:
    file_id = await tagged(parts, "a")

    with pytest.raises(InvalidError):
        await parts.tags.add(ALICE, file_id, tuple(str(n) for n in range(MAX_TAGS)))

    assert await tags_of(parts, file_id) == ("a",)


async def test_only_originals_of_ones_own_are_tagged(parts: Parts) -> None:
    file_id, derived = await tagged(parts, "a"), await tagged(parts, "a", key="poster.jpg")

    for principal, one in ((BOB, file_id), (ALICE, derived), (ALICE, str(new_id())), (ALICE, "x")):
        with pytest.raises(NotFoundError):
            await parts.tags.add(principal, one, ("b",))
        with pytest.raises(NotFoundError):
            await parts.tags.remove(principal, one, ("a",))
    assert await tags_of(parts, file_id) == ("a",)


async def test_changes_at_once_lose_nothing(parts: Parts) -> None:
    file_id = await tagged(parts, *(f"old{n}" for n in range(10)))

    await asyncio.gather(
        *(parts.tags.add(ALICE, file_id, (f"new{n}",)) for n in range(10)),
        *(parts.tags.remove(ALICE, file_id, (f"old{n}",)) for n in range(10)),
    )

    assert set(await tags_of(parts, file_id)) == {f"new{n}" for n in range(10)}
