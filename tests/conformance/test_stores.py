"""What every store must do: the sentences of ``mediatheque.storage.stores``, one by one."""

import asyncio
import base64
import contextlib
import random
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil
import pytest
from awscrt import checksums
from blake3 import blake3

from mediatheque.domain.errors import ConflictError, NotFoundError
from mediatheque.storage.local import LocalStore
from mediatheque.storage.remote import open_remote
from mediatheque.storage.stores import ObjectInfo, Store
from tests.support.stores import get, keys, open_obstore, open_s3, put

KIB = 1 << 10
MIB = 1 << 20
# More than two parts of a multipart upload, and no multiple of anything.
LARGE = random.Random(1).randbytes(17 * MIB + 12_345)
# "obstore" is what Google's and Azure's stores go through, here in front of SeaweedFS.
ALL_STORES = ["local", "memory", "obstore", "s3"]


@pytest.fixture(params=ALL_STORES)
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Store]:
    opened: Store
    if request.param == "local":
        opened = LocalStore(tmp_path / "objects")
    elif request.param == "memory":
        opened = open_remote("memory://")
    elif request.param == "obstore":
        opened = open_obstore(request.getfixturevalue("seaweedfs"))
    else:
        opened = open_s3(request.getfixturevalue("seaweedfs"), monkeypatch)
    yield opened
    await opened.close()


async def existing(store: Store, key: str) -> ObjectInfo:
    info = await store.head(key)
    assert info is not None
    return info


async def leftovers(store: Store) -> int:
    """Sweep everything that any writer left behind, however young."""
    return await store.sweep_unfinished(datetime.now(UTC) + timedelta(minutes=1))


async def test_check_passes_and_leaves_no_object(store: Store) -> None:
    await store.check()

    assert await keys(store) == set()


# Sizes around those at which writers change what they do: nothing, one byte, what is held without
# asking for memory, one part, a part and a byte, several parts.
@pytest.mark.parametrize(
    "size", [0, 1, 256 * KIB, 256 * KIB + 1, 8 * MIB, 8 * MIB + 1, 16 * MIB, len(LARGE)]
)
async def test_a_committed_object_is_what_was_written(store: Store, size: int) -> None:
    content = LARGE[:size]

    stored = await put(store, "a/object", content)

    assert await get(store, "a/object") == content
    assert stored.key == "a/object"
    assert stored.size == size
    assert stored.blake3 == blake3(content).hexdigest()
    assert base64.b64decode(stored.crc64nvme) == checksums.crc64nvme(content).to_bytes(8, "big")


async def test_crc64nvme_has_the_value_that_its_definition_gives_as_check(store: Store) -> None:
    stored = await put(store, "a/object", b"123456789")

    assert base64.b64decode(stored.crc64nvme).hex() == "ae8b14860a799888"


@pytest.mark.parametrize("size_hint", [None, 1, len(LARGE) * 2])
async def test_the_expected_size_is_not_trusted(store: Store, size_hint: int | None) -> None:
    writer = store.writer("a/object", content_type="video/mp4", size_hint=size_hint)
    await writer.write(LARGE)
    stored = await writer.commit()

    assert stored.size == len(LARGE)
    assert await get(store, "a/object") == LARGE


async def test_pieces_may_be_empty_and_of_any_size(store: Store) -> None:
    writer = store.writer("a/object", content_type="video/mp4", size_hint=None)
    sizes = [0, 1, 255 * KIB, 0, 3 * KIB, 9 * MIB, 1, 2 * MIB]
    position = 0
    for size in sizes:
        await writer.write(LARGE[position : position + size])
        position += size
    await writer.commit()

    assert await get(store, "a/object") == LARGE[:position]


@pytest.mark.parametrize("size", [10, len(LARGE)])
async def test_nothing_is_visible_before_commit(store: Store, size: int) -> None:
    writer = store.writer("a/object", content_type="video/mp4", size_hint=size)
    await writer.write(LARGE[:size])

    assert await store.head("a/object") is None
    assert await keys(store) == set()
    with pytest.raises(NotFoundError):
        await get(store, "a/object")
    await writer.abort()


@pytest.mark.parametrize("size", [0, 10, 5 * MIB, len(LARGE)])
async def test_abort_leaves_nothing_behind(store: Store, size: int) -> None:
    writer = store.writer("a/object", content_type="video/mp4", size_hint=size)
    await writer.write(LARGE[:size])

    await writer.abort()
    await writer.abort()

    assert await store.head("a/object") is None
    assert await keys(store) == set()
    assert await leftovers(store) == 0


@pytest.mark.parametrize("size", [10, len(LARGE)])
async def test_commit_leaves_nothing_behind_but_the_object(store: Store, size: int) -> None:
    await put(store, "a/object", LARGE[:size])

    assert await leftovers(store) == 0
    assert await keys(store) == {"a/object"}


@pytest.mark.parametrize("size", [10, len(LARGE)])
async def test_abort_after_commit_is_harmless(store: Store, size: int) -> None:
    writer = store.writer("a/object", content_type="video/mp4", size_hint=size)
    await writer.write(LARGE[:size])
    await writer.commit()

    await writer.abort()

    assert await get(store, "a/object") == LARGE[:size]


@pytest.mark.parametrize("size", [10, len(LARGE)])
async def test_abort_after_a_cancelled_commit_leaves_nothing_behind(
    store: Store, size: int
) -> None:
    # Somewhere among these moments the object is already there, but nobody has been told.
    for milliseconds in (0, 1, 2, 4, 8, 16, 32):
        key = f"a/{milliseconds}"
        writer = store.writer(key, content_type="video/mp4", size_hint=size)
        await writer.write(LARGE[:size])
        commit = asyncio.create_task(writer.commit())
        await asyncio.sleep(milliseconds / 1000)
        if not commit.cancel():
            break
        with pytest.raises(asyncio.CancelledError):
            await commit

        await writer.abort()

        assert await store.head(key) is None
        assert await leftovers(store) == 0


async def test_abort_after_a_cancelled_write_leaves_nothing_behind(store: Store) -> None:
    writer = store.writer("a/object", content_type="video/mp4", size_hint=None)
    await writer.write(LARGE)
    write = asyncio.create_task(writer.write(LARGE))
    await asyncio.sleep(0)
    write.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await write

    await writer.abort()

    assert await keys(store) == set()
    assert await leftovers(store) == 0


@pytest.mark.parametrize("size", [10, len(LARGE)])
async def test_commit_replaces_the_object_and_only_commit_does(store: Store, size: int) -> None:
    await put(store, "a/object", b"before")
    aborted = store.writer("a/object", content_type="video/mp4", size_hint=size)
    await aborted.write(LARGE[:size])
    await aborted.abort()
    assert await get(store, "a/object") == b"before"

    await put(store, "a/object", LARGE[:size])

    assert await get(store, "a/object") == LARGE[:size]


@pytest.mark.parametrize("store", ["local", "obstore", "s3"], indirect=True)
async def test_writing_holds_a_bounded_amount_of_memory(store: Store) -> None:
    process = psutil.Process()
    await put(store, "a/object", LARGE)
    before = most = process.memory_info().rss
    piece = LARGE[:MIB]

    writer = store.writer("a/object", content_type="video/mp4", size_hint=None)
    for _ in range(80):
        await writer.write(piece)
        most = max(most, process.memory_info().rss)
    await writer.commit()

    assert most - before < 40 * MIB


RANGES = [
    (0, 1),
    (5, 6),
    (0, 100),
    (90, 100),
    (99, None),
    (40, None),
    (40, 1000),
    (0, None),
    (100, None),
    (100, 200),
    (5000, None),
    (5000, 6000),
    (7, 7),
    (0, 0),
]


async def test_a_range_is_read_as_a_slice_would(store: Store) -> None:
    content = LARGE[:100]
    await put(store, "a/object", content)

    for start, end in RANGES:
        assert await get(store, "a/object", start, end) == content[start:end], (start, end)


async def test_every_range_of_an_empty_object_is_empty(store: Store) -> None:
    await put(store, "a/object", b"")

    for start, end in [(0, None), (0, 10), (0, 0), (3, None), (3, 10)]:
        assert await get(store, "a/object", start, end) == b"", (start, end)


async def test_a_range_across_the_parts_of_a_large_object_is_right(store: Store) -> None:
    await put(store, "a/object", LARGE)

    start, end = 8 * MIB - 1000, 16 * MIB + 1000
    assert await get(store, "a/object", start, end) == LARGE[start:end]


async def test_large_objects_are_read_in_pieces_of_about_a_mebibyte(store: Store) -> None:
    await put(store, "a/object", LARGE)

    sizes = [len(piece) async for piece in store.read("a/object")]

    assert sum(sizes) == len(LARGE)
    assert 0 < max(sizes) <= MIB


@pytest.mark.parametrize(("start", "end"), [(0, None), (0, 10), (4, 4), (10, None)])
async def test_reading_what_does_not_exist_fails_before_the_first_piece(
    store: Store, start: int, end: int | None
) -> None:
    with pytest.raises(NotFoundError):
        await anext(aiter(store.read("a/object", start, end)))


async def test_a_reader_may_stop_in_the_middle(store: Store) -> None:
    await put(store, "a/object", LARGE)
    reading = aiter(store.read("a/object"))

    first = await anext(reading)
    await reading.aclose()  # type: ignore[attr-defined]  # every store reads by a generator

    assert LARGE.startswith(first)


@pytest.mark.parametrize("size", [10, len(LARGE)])
async def test_head_says_what_was_stored(store: Store, size: int) -> None:
    stored = await put(store, "a/object", LARGE[:size])

    info = await existing(store, "a/object")

    assert (info.key, info.size) == ("a/object", size)
    assert info.modified.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - info.modified) < timedelta(minutes=1)
    assert info.crc64nvme in {None, stored.crc64nvme}


@pytest.mark.parametrize("store", ["s3"], indirect=True)
@pytest.mark.parametrize("size", [10, len(LARGE)])
async def test_s3_keeps_the_checksum_over_the_whole_object(store: Store, size: int) -> None:
    stored = await put(store, "a/object", LARGE[:size])

    assert (await existing(store, "a/object")).crc64nvme == stored.crc64nvme


async def test_head_of_what_does_not_exist_is_none(store: Store) -> None:
    await put(store, "a/object", b"content")

    assert await store.head("a/other") is None
    assert await store.head("a") is None


async def test_the_etag_changes_with_the_content(store: Store) -> None:
    await put(store, "a/object", b"one")
    before = await existing(store, "a/object")
    await put(store, "a/object", b"two")

    assert (await existing(store, "a/object")).etag != before.etag


async def test_delete_removes_one_object_and_may_be_repeated(store: Store) -> None:
    await put(store, "a/object", b"content")
    await put(store, "a/other", b"content")

    await store.delete("a/object")
    await store.delete("a/object")
    await store.delete("never/existed")

    assert await keys(store) == {"a/other"}


@pytest.mark.parametrize("size", [0, 10, len(LARGE)])
async def test_promote_moves_an_object(store: Store, size: int) -> None:
    await put(store, "staging/1/a", LARGE[:size])

    moved = await store.promote(await existing(store, "staging/1/a"), "originals/1/video.mp4")

    assert await store.head("staging/1/a") is None
    assert await keys(store) == {"originals/1/video.mp4"}
    assert await get(store, "originals/1/video.mp4") == LARGE[:size]
    assert moved == await existing(store, "originals/1/video.mp4")


async def test_promote_takes_what_a_listing_saw(store: Store) -> None:
    await put(store, "staging/1/a", b"content")
    (seen,) = [info async for info in store.list("staging/")]

    await store.promote(seen, "originals/1/a")

    assert await get(store, "originals/1/a") == b"content"


async def test_promote_may_be_repeated(store: Store) -> None:
    await put(store, "staging/1/a", b"content")
    source = await existing(store, "staging/1/a")
    first = await store.promote(source, "originals/1/a")

    assert await store.promote(source, "originals/1/a") == first
    assert await get(store, "originals/1/a") == b"content"


@pytest.mark.parametrize("after", [b"changed", b"of another size"])
async def test_promote_refuses_a_source_that_changed_since_it_was_seen(
    store: Store, after: bytes
) -> None:
    await put(store, "staging/1/a", b"content")
    seen = await existing(store, "staging/1/a")
    await put(store, "staging/1/a", after)

    with pytest.raises(ConflictError):
        await store.promote(seen, "originals/1/a")

    assert await keys(store) == {"staging/1/a"}
    assert await get(store, "staging/1/a") == after


async def test_promote_of_what_exists_nowhere_is_not_found(store: Store) -> None:
    await put(store, "staging/1/a", b"content")
    seen = await existing(store, "staging/1/a")
    await store.delete("staging/1/a")

    with pytest.raises(NotFoundError):
        await store.promote(seen, "originals/1/a")

    await put(store, "originals/1/a", b"something of another size")
    with pytest.raises(NotFoundError):
        await store.promote(seen, "originals/1/a")


async def test_list_yields_the_objects_whose_key_starts_with_the_prefix(store: Store) -> None:
    for key in ("a/1", "a/10", "a/2", "ab/1", "b/1", "b/c/d"):
        await put(store, key, key.encode())

    assert await keys(store, "") == {"a/1", "a/10", "a/2", "ab/1", "b/1", "b/c/d"}
    assert await keys(store, "a/") == {"a/1", "a/10", "a/2"}
    assert await keys(store, "a/1") == {"a/1", "a/10"}
    assert await keys(store, "a") == {"a/1", "a/10", "a/2", "ab/1"}
    assert await keys(store, "b/c") == {"b/c/d"}
    assert await keys(store, "c") == set()


async def test_list_agrees_with_head(store: Store) -> None:
    await put(store, "a/small", b"content")
    await put(store, "a/large", LARGE)

    async for listed in store.list("a/"):
        info = await existing(store, listed.key)
        assert (listed.size, listed.etag) == (info.size, info.etag)
        assert abs(listed.modified - info.modified) < timedelta(seconds=1)


@pytest.mark.parametrize("store", ["local", "s3"], indirect=True)
async def test_list_yields_more_than_a_page_of_a_store(store: Store) -> None:
    wanted = {f"a/{number:04}" for number in range(1100)}
    admission = asyncio.Semaphore(16)

    async def put_one(key: str) -> None:
        async with admission:
            await put(store, key, b"content")

    await asyncio.gather(*map(put_one, wanted))

    assert await keys(store, "a/") == wanted


@pytest.mark.parametrize(
    ("store", "left"),
    [("local", 1), ("memory", 0), ("obstore", 0), ("s3", 1)],
    indirect=["store"],
)
async def test_sweeping_removes_what_a_crash_left_behind_once_it_is_old(
    store: Store, left: int
) -> None:
    await put(store, "a/finished", b"content")
    crashed = store.writer("originals/1/a", content_type="video/mp4", size_hint=None)
    await crashed.write(LARGE)
    await crashed.write(LARGE)  # returns when the first of it has arrived

    assert await store.sweep_unfinished(datetime.now(UTC) - timedelta(hours=1)) == 0
    assert await leftovers(store) == left
    assert await leftovers(store) == 0
    assert await keys(store) == {"a/finished"}
    await crashed.abort()


async def test_a_local_path_holds_the_object(store: Store) -> None:
    await put(store, "a/object", b"content")

    path = store.local_path("a/object")

    assert path is None or path.read_bytes() == b"content"


async def test_free_space_is_unknown_or_some(store: Store) -> None:
    await store.check()

    free = await store.free_bytes()

    assert free is None or free > 0


@pytest.mark.parametrize("store", ["local", "memory", "obstore"], indirect=True)
async def test_a_store_that_cannot_sign_gives_no_urls(store: Store) -> None:
    assert await store.signed_put("a/object", expires_in=60) is None
    signed = await store.signed_get(
        "a/object", expires_in=60, content_type="video/mp4", disposition="inline"
    )
    assert signed is None


async def signed_put(store: Store, key: str, *, expires_in: int = 60) -> str:
    url = await store.signed_put(key, expires_in=expires_in)
    assert url is not None
    return url


@pytest.mark.parametrize("store", ["s3"], indirect=True)
@pytest.mark.parametrize("content_type", [None, "", "video/mp4", "text/plain; charset=utf-8"])
async def test_a_signed_put_takes_an_object_of_any_content_type(
    store: Store, content_type: str | None
) -> None:
    url = await signed_put(store, "staging/1/a")
    headers = {} if content_type is None else {"Content-Type": content_type}

    async with httpx.AsyncClient() as client:
        answer = await client.put(url, content=LARGE, headers=headers)

    assert answer.status_code == 200
    assert await get(store, "staging/1/a") == LARGE


@pytest.mark.parametrize("store", ["s3"], indirect=True)
async def test_a_signed_put_holds_for_its_key_its_method_and_its_time_only(store: Store) -> None:
    url = await signed_put(store, "staging/1/a")
    expired = await signed_put(store, "staging/1/b", expires_in=1)
    await asyncio.sleep(2.1)

    async with httpx.AsyncClient() as client:
        refused = [
            await client.put(url.replace("staging/1/a", "staging/1/c"), content=b"content"),
            await client.put(expired, content=b"content"),
            await client.delete(url),
            await client.get(url),
        ]

    assert [answer.status_code for answer in refused] == [403] * 4
    assert await keys(store) == set()


@pytest.mark.parametrize("store", ["s3"], indirect=True)
async def test_what_was_put_by_a_signed_url_can_be_promoted(store: Store) -> None:
    async with httpx.AsyncClient() as client:
        await client.put(await signed_put(store, "staging/1/a"), content=LARGE)

    moved = await store.promote(await existing(store, "staging/1/a"), "originals/1/a")

    assert moved.size == len(LARGE)
    assert await get(store, "originals/1/a") == LARGE


@pytest.mark.parametrize("store", ["s3"], indirect=True)
async def test_a_signed_get_answers_with_the_given_type_and_disposition(store: Store) -> None:
    await put(store, "a/object", b"content", content_type="application/octet-stream")
    disposition = (
        f"attachment; filename=\"a b {uuid.uuid4().hex}.mp4\"; filename*=UTF-8''%C3%A9.mp4"
    )

    url = await store.signed_get(
        "a/object", expires_in=60, content_type="video/mp4", disposition=disposition
    )
    assert url is not None
    async with httpx.AsyncClient() as client:
        answer = await client.get(url)
        other = await client.get(url.replace("a/object", "a/other"))

    assert (answer.status_code, answer.content) == (200, b"content")
    assert answer.headers["Content-Type"] == "video/mp4"
    assert answer.headers["Content-Disposition"] == disposition
    assert other.status_code == 403
