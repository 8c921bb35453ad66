"""Receiving medias, also several for one address at once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mediatheque.catalog.database import Database, Transaction
from mediatheque.domain.access import LOCAL_OPERATOR, Principal
from mediatheque.domain.errors import (
    ConflictError,
    ExistsError,
    InvalidError,
    NotFoundError,
    UnavailableError,
)
from mediatheque.domain.media import Media
from mediatheque.domain.paging import Listing
from tests.support.database import a_media, add_medias, execute, fetch
from tests.support.parts import Parts, pieces
from tests.support.stores import get, put
from tests.support.watched import Watched, taking

ALICE = Principal("alice", "member")
BOB = Principal("bob", "member")


async def received(
    parts: Parts, content: bytes, resource: str = "r", key: str = "", principal: Principal = ALICE
) -> Media:
    async with parts.medias.receive(principal) as reception:
        await reception.take("clip.txt", pieces(content), size_hint=None)
        return await reception.keep(resource=resource, key=key, public=False, project_id="")


async def everything(parts: Parts) -> list[Media]:
    return (await parts.medias.page(LOCAL_OPERATOR, Listing(), count=False)).medias


async def test_a_kept_media_is_found_with_its_bytes(parts: Parts, database_url: str) -> None:
    media = await received(parts, b"hello")

    assert await parts.medias.find(ALICE, "r", "") == media
    assert await parts.medias.find_original(ALICE, str(media.id)) == media
    assert (media.size, media.mime_type, media.project_id) == (5, "text/plain", None)
    assert (media.created_by, media.created_role) == ("alice", "member")
    assert b"".join([p async for p in parts.medias.read(media, 1, 3)]) == b"el"
    path = parts.medias.local_path(media)
    assert path is not None
    assert path.read_bytes() == b"hello"
    assert await parts.objects() == {media.object_key}
    assert await fetch(database_url, "SELECT id FROM uploads") == []


async def test_no_piece_stays_in_memory_while_the_next_one_is_waited_for(parts: Parts) -> None:
    watched = Watched()
    body = watched.pieces(bytes(1_000_000), bytes(1_000_000))
    async with (
        parts.medias.receive(ALICE) as reception,
        taking(reception.take("clip.txt", body, size_hint=None)),
    ):
        await watched.check_forgotten()


async def test_what_is_not_kept_is_not_left(parts: Parts, database_url: str) -> None:
    async with parts.medias.receive(ALICE) as reception:
        await reception.take("clip.txt", pieces(b"hello"), size_hint=None)

    assert await everything(parts) == []
    assert await parts.objects() == set()
    assert await fetch(database_url, "SELECT id FROM uploads") == []


async def test_a_client_that_goes_away_leaves_nothing(
    parts: Parts, database_url: str, tmp_path: Path
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 100_000
        raise ConnectionError

    async def attempt() -> None:
        async with parts.medias.receive(ALICE) as reception:
            await reception.take("clip.txt", broken(), size_hint=None)

    with pytest.raises(ConnectionError):
        await attempt()

    assert await parts.objects() == set()
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []
    assert await fetch(database_url, "SELECT id FROM uploads") == []


async def test_an_upload_that_expired_meanwhile_is_not_kept(
    parts: Parts, database_url: str
) -> None:
    async def attempt() -> None:
        async with parts.medias.receive(ALICE) as reception:
            await reception.take("clip.txt", pieces(b"hello"), size_hint=None)
            await execute(database_url, "UPDATE uploads SET expires_at = now()")
            assert (await parts.janitor.sweep()).uploads == 1
            await reception.keep(resource="r", key="", public=False, project_id=None)

    with pytest.raises(ConflictError):
        await attempt()

    assert await everything(parts) == []
    assert await parts.objects() == set()


@pytest.mark.parametrize("loss", [UnavailableError("Away."), asyncio.CancelledError()])
async def test_bytes_stay_when_only_the_answer_to_the_commit_was_lost(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, loss: BaseException
) -> None:
    begin = Database.begin

    @contextlib.asynccontextmanager
    async def loses_the_answer(database: Database) -> AsyncIterator[Transaction]:
        async with begin(database) as transaction:
            yield transaction
        monkeypatch.undo()
        raise loss

    async def receive() -> None:
        async with parts.medias.receive(ALICE) as reception:
            await reception.take("clip.txt", pieces(b"hello"), size_hint=None)
            monkeypatch.setattr(Database, "begin", loses_the_answer)
            await reception.keep(resource="r", key="", public=False, project_id="")

    with pytest.raises(type(loss)):
        await receive()

    again = await received(parts, b"hello")
    assert await everything(parts) == [again]
    assert b"".join([piece async for piece in parts.medias.read(again, 0, 5)]) == b"hello"


async def test_the_same_bytes_for_a_taken_address_are_the_media_that_has_it(parts: Parts) -> None:
    first = await received(parts, b"hello")

    assert await received(parts, b"hello") == first

    assert await everything(parts) == [first]
    assert await parts.objects() == {first.object_key}


async def test_other_bytes_for_a_taken_address_are_refused(parts: Parts) -> None:
    first = await received(parts, b"hello")

    for content in (b"other", b"longer than that", b""):
        with pytest.raises(ExistsError, match="Resource r with key  already exists"):
            await received(parts, content)

    assert await everything(parts) == [first]
    assert await parts.objects() == {first.object_key}
    assert await get(parts.store, first.object_key) == b"hello"


async def test_bytes_whose_checksum_nobody_knows_are_compared_themselves(parts: Parts) -> None:
    media = a_media(resource="r", size=5, created_by="alice")
    await put(parts.store, media.object_key, b"hello")
    await add_medias(parts.database, media)

    assert await received(parts, b"hello") == media
    with pytest.raises(ExistsError):
        await received(parts, b"other")


async def test_an_address_that_somebody_else_has_tells_nothing_of_its_bytes(parts: Parts) -> None:
    await received(parts, b"hello")

    with pytest.raises(ExistsError):
        await received(parts, b"hello", principal=BOB)


async def test_the_same_bytes_for_one_address_at_once_make_one_media(parts: Parts) -> None:
    found = await asyncio.gather(*(received(parts, b"hello") for _ in range(6)))

    assert len({media.id for media in found}) == 1
    assert await everything(parts) == [found[0]]
    assert await parts.objects() == {found[0].object_key}


async def test_of_other_bytes_for_one_address_at_once_one_wins(parts: Parts) -> None:
    contents = [bytes([n]) * 100_000 for n in range(6)]

    outcomes = await asyncio.gather(
        *(received(parts, content) for content in contents), return_exceptions=True
    )

    (media,) = [one for one in outcomes if isinstance(one, Media)]
    assert sum(isinstance(one, ExistsError) for one in outcomes) == 5
    assert await get(parts.store, media.object_key) == contents[outcomes.index(media)]
    assert await parts.objects() == {media.object_key}


async def test_others_do_not_find_a_media(parts: Parts) -> None:
    media = await received(parts, b"hello")

    for attempt in (
        parts.medias.find(BOB, "r", ""),
        parts.medias.find_original(BOB, str(media.id)),
        parts.medias.find(ALICE, "r", "x"),
        parts.medias.find_original(ALICE, "x"),
    ):
        with pytest.raises(NotFoundError):
            await attempt
    page = await parts.medias.page(BOB, Listing(), count=True)
    assert (page.medias, page.more, page.count) == ([], False, 0)


async def test_what_is_derived_is_no_original(parts: Parts) -> None:
    media = await received(parts, b"hello", key="poster.jpg")

    with pytest.raises(NotFoundError):
        await parts.medias.find_original(ALICE, str(media.id))


@pytest.mark.parametrize(("resource", "key"), [("", ""), ("..", ""), ("r", "a/b"), ("r", "\0")])
async def test_what_cannot_be_an_address_is_not_looked_for(
    parts: Parts, resource: str, key: str
) -> None:
    with pytest.raises(InvalidError):
        await parts.medias.find(ALICE, resource, key)


async def test_a_page_tells_whether_there_is_more(parts: Parts) -> None:
    await add_medias(parts.database, *(a_media() for _ in range(3)))

    for limit, more in ((2, True), (3, False), (4, False)):
        page = await parts.medias.page(LOCAL_OPERATOR, Listing(limit=limit), count=True)
        assert (len(page.medias), page.more, page.count) == (min(limit, 3), more, 3)
