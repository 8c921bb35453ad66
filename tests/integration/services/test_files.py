"""Signed uploads, their confirmation, and what happens when things happen at once."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from mediatheque.domain.access import LOCAL_OPERATOR, Principal
from mediatheque.domain.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    MediathequeError,
    NotFoundError,
)
from mediatheque.domain.ids import new_id
from mediatheque.domain.media import Media
from mediatheque.domain.paging import Listing
from tests.support.database import execute
from tests.support.parts import MAX_SIZE, Parts, pieces
from tests.support.stores import get

ALICE = Principal("alice", "member")
BOB = Principal("bob", "member")


async def announced(parts: Parts, size: int = 3, principal: Principal = ALICE) -> UUID:
    upload_id, _ = await parts.files.create(
        principal, name="a.txt", size=size, tags=("x",), base_url="http://host"
    )
    return upload_id


async def sent(parts: Parts, content: bytes = b"abc", principal: Principal = ALICE) -> UUID:
    upload_id = await announced(parts, len(content), principal)
    await parts.files.receive(upload_id, pieces(content), length=len(content))
    return upload_id


async def listed(parts: Parts, principal: Principal = LOCAL_OPERATOR) -> list[Media]:
    found, total = await parts.files.list(principal, Listing(), name_part="", tags=())
    assert total == len(found)
    return found


async def test_a_file_is_listed_once_it_is_confirmed(parts: Parts) -> None:
    upload_id = await sent(parts)
    assert await listed(parts) == []

    await parts.files.confirm(ALICE, str(upload_id))

    (media,) = await listed(parts)
    assert (media.id, media.filename, media.size, media.tags) == (upload_id, "a.txt", 3, ("x",))
    assert (media.created_by, media.created_role, media.mime_type) == (
        "alice",
        "member",
        "text/plain",
    )
    assert await get(parts.store, media.object_key) == b"abc"
    assert await parts.objects() == {media.object_key}


async def test_a_signed_url_allows_this_file_and_this_method(parts: Parts) -> None:
    upload_id, url = await parts.files.create(
        ALICE, name="a", size=1, tags=(), base_url="http://host"
    )
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}

    assert url.startswith(f"http://host/api/file/{upload_id}/content?")
    assert parts.files.check_signature("PUT", str(upload_id), **query) == upload_id
    with pytest.raises(ForbiddenError):
        parts.files.check_signature("GET", str(upload_id), **query)
    with pytest.raises(ForbiddenError):
        parts.files.check_signature("PUT", str(new_id()), **query)
    with pytest.raises(NotFoundError):
        parts.files.check_signature("PUT", "x", **query)


@pytest.mark.parametrize(("name", "size"), [("", 1), ("a/b", 1), ("a", -1), ("a", MAX_SIZE + 1)])
async def test_a_bad_announcement_reserves_nothing(parts: Parts, name: str, size: int) -> None:
    with pytest.raises(InvalidError):
        await parts.files.create(ALICE, name=name, size=size, tags=(), base_url="")

    assert (await parts.janitor.sweep()).uploads == 0


async def test_others_neither_confirm_nor_reject_nor_see_nor_delete_a_file(parts: Parts) -> None:
    upload_id = await sent(parts)
    for attempt in (parts.files.confirm, parts.files.reject, parts.files.delete):
        with pytest.raises(NotFoundError):
            await attempt(BOB, str(upload_id))
    await parts.files.confirm(ALICE, str(upload_id))

    for attempt in (parts.files.confirm, parts.files.reject, parts.files.delete):
        with pytest.raises(NotFoundError):
            await attempt(BOB, str(upload_id))
    assert await listed(parts, BOB) == []
    assert len(await listed(parts, ALICE)) == 1
    assert len(await listed(parts, LOCAL_OPERATOR)) == 1


async def test_confirming_again_is_fine_and_rejecting_then_is_not(parts: Parts) -> None:
    upload_id = str(await sent(parts))

    await parts.files.confirm(ALICE, upload_id)
    await parts.files.confirm(ALICE, upload_id)
    with pytest.raises(ConflictError):
        await parts.files.reject(ALICE, upload_id)

    assert len(await listed(parts)) == 1


async def test_a_confirmed_file_takes_no_other_bytes(parts: Parts) -> None:
    upload_id = await sent(parts)
    await parts.files.confirm(ALICE, str(upload_id))

    with pytest.raises(ConflictError):
        await parts.files.receive(upload_id, pieces(b"xyz"), length=3)

    (media,) = await listed(parts)
    assert await get(parts.store, media.object_key) == b"abc"
    assert await parts.objects() == {media.object_key}


@pytest.mark.parametrize("content", [b"", b"ab", b"abcd", b"abc" * 100_000])
@pytest.mark.parametrize("declared", [True, False])
async def test_bytes_of_another_size_are_refused_and_the_upload_can_be_retried(
    parts: Parts, content: bytes, declared: bool
) -> None:
    upload_id = await announced(parts)
    with pytest.raises(InvalidError, match="declared with 3 bytes"):
        await parts.files.receive(
            upload_id, pieces(content), length=len(content) if declared else None
        )
    assert await parts.objects() == set()
    with pytest.raises(InvalidError, match="No bytes"):
        await parts.files.confirm(ALICE, str(upload_id))

    await parts.files.receive(upload_id, pieces(b"a", b"", b"bc"), length=None)
    await parts.files.confirm(ALICE, str(upload_id))

    assert len(await listed(parts)) == 1


async def test_the_last_attempt_counts_and_leaves_nothing_of_those_before(parts: Parts) -> None:
    upload_id = await sent(parts, b"old")

    await parts.files.receive(upload_id, pieces(b"new"), length=3)
    assert len(await parts.objects()) == 1
    await parts.files.confirm(ALICE, str(upload_id))

    (media,) = await listed(parts)
    assert await get(parts.store, media.object_key) == b"new"


async def test_an_attempt_that_fails_leaves_the_one_before(parts: Parts) -> None:
    upload_id = await sent(parts, b"old")

    async def broken() -> AsyncIterator[bytes]:
        yield b"ne"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await parts.files.receive(upload_id, broken(), length=3)
    await parts.files.confirm(ALICE, str(upload_id))

    (media,) = await listed(parts)
    assert await get(parts.store, media.object_key) == b"old"
    assert await parts.objects() == {media.object_key}


async def test_a_rejected_upload_is_gone_with_its_bytes(parts: Parts) -> None:
    upload_id = await sent(parts)

    await parts.files.reject(ALICE, str(upload_id))

    assert await parts.objects() == set()
    for attempt in (parts.files.confirm, parts.files.reject):
        with pytest.raises(NotFoundError):
            await attempt(ALICE, str(upload_id))
    with pytest.raises(NotFoundError):
        await parts.files.receive(upload_id, pieces(b"abc"), length=3)


async def test_an_expired_upload_takes_nothing_any_more(parts: Parts, database_url: str) -> None:
    upload_id = await sent(parts)
    await execute(database_url, "UPDATE uploads SET expires_at = now()")

    for attempt in (parts.files.confirm, parts.files.reject):
        with pytest.raises(NotFoundError):
            await attempt(ALICE, str(upload_id))
    with pytest.raises(NotFoundError):
        await parts.files.receive(upload_id, pieces(b"abc"), length=3)


async def test_a_deleted_file_is_gone_with_its_bytes(parts: Parts) -> None:
    upload_id = str(await sent(parts))
    await parts.files.confirm(ALICE, upload_id)

    await parts.files.delete(ALICE, upload_id)

    assert await listed(parts) == []
    assert await parts.objects() == set()
    for file_id in (upload_id, str(new_id()), "no id", "../x"):
        with pytest.raises(NotFoundError):
            await parts.files.delete(ALICE, file_id)


async def test_confirmations_at_once_make_one_file_and_all_succeed(parts: Parts) -> None:
    for _ in range(5):
        upload_id = str(await sent(parts))
        await asyncio.gather(*(parts.files.confirm(ALICE, upload_id) for _ in range(6)))

    found = await listed(parts)
    assert len(found) == 5
    assert await parts.objects() == {media.object_key for media in found}


async def test_confirming_and_rejecting_at_once_ends_either_way_but_whole(parts: Parts) -> None:
    for _ in range(8):
        upload_id = str(await sent(parts))
        confirmed, rejected = await asyncio.gather(
            parts.files.confirm(ALICE, upload_id),
            parts.files.reject(ALICE, upload_id),
            return_exceptions=True,
        )
        assert (confirmed is None) != (rejected is None), (confirmed, rejected)
        assert isinstance(confirmed or rejected, ConflictError | NotFoundError)
        found = await listed(parts)
        assert len(found) == (confirmed is None)
        assert await parts.objects() == {media.object_key for media in found}
        if found:
            await parts.files.delete(ALICE, upload_id)


async def test_bytes_that_race_a_confirmation_are_either_the_files_or_refused(
    parts: Parts,
) -> None:
    for _ in range(8):
        upload_id = await sent(parts, b"old")
        received, confirmed = await asyncio.gather(
            parts.files.receive(upload_id, pieces(b"new"), length=3),
            parts.files.confirm(ALICE, str(upload_id)),
            return_exceptions=True,
        )
        assert received is None or isinstance(received, ConflictError), received
        assert confirmed is None, confirmed
        (media,) = await listed(parts)
        assert await get(parts.store, media.object_key) == (b"old" if received else b"new")
        assert await parts.objects() == {media.object_key}
        await parts.files.delete(ALICE, str(upload_id))


async def test_attempts_to_send_at_once_leave_the_bytes_of_one(parts: Parts) -> None:
    upload_id = await announced(parts)
    contents = [b"aaa", b"bbb", b"ccc", b"ddd"]

    outcomes = await asyncio.gather(
        *(parts.files.receive(upload_id, pieces(content), length=3) for content in contents),
        return_exceptions=True,
    )
    await parts.files.confirm(ALICE, str(upload_id))

    assert all(one is None or isinstance(one, MediathequeError) for one in outcomes)
    (media,) = await listed(parts)
    assert await get(parts.store, media.object_key) in contents
    assert await parts.objects() == {media.object_key}


async def test_a_confirmation_that_died_after_moving_the_bytes_is_finished_by_the_next(
    parts: Parts, database_url: str
) -> None:
    upload_id = await sent(parts)
    await parts.files.confirm(ALICE, str(upload_id))
    (media,) = await listed(parts)
    # Back to the moment after the move: the upload is promoting, the media not there yet.
    await execute(database_url, "DELETE FROM medias")
    await execute(
        database_url,
        "INSERT INTO uploads (id, state, name, size, created_by, created_role, staged_key,"
        " expires_at) VALUES ($1, 'promoting', 'a.txt', 3, 'alice', 'member', $2,"
        " now() + interval '1 hour')",
        upload_id,
        f"staging/{upload_id}/gone",
    )

    await parts.files.confirm(ALICE, str(upload_id))

    assert [found.object_key for found in await listed(parts)] == [media.object_key]
