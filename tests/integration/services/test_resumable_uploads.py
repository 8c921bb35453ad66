"""Resumable uploads: their bytes arrive in as many requests as it takes."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator

import pytest

from mediatheque.catalog.database import Database
from mediatheque.domain.access import LOCAL_OPERATOR
from mediatheque.domain.errors import (
    DisconnectedError,
    NotFoundError,
    StoppedError,
    TooLargeError,
)
from mediatheque.domain.resumable_uploads import (
    DigestError,
    LengthConflictError,
    OffsetConflictError,
    ResumableState,
    UploadCompleteError,
)
from mediatheque.services import resumable_uploads
from mediatheque.services.intake import IntakeBusyError
from mediatheque.storage.intakes import Appended
from mediatheque.storage.local import LocalStore
from mediatheque.storage.local_appender import LocalAppender
from tests.support.resumable import ALICE, BOB, ResumableStage, endless


@pytest.fixture
def stage(database: Database, store: LocalStore) -> ResumableStage:
    return ResumableStage(database, store, most_bytes=1000)


async def broken(*body: bytes) -> AsyncIterator[bytes]:
    """A body whose connection breaks."""
    for piece in body:
        yield piece
    raise DisconnectedError("The client went away.")


async def test_bytes_of_several_requests_become_one_media(stage: ResumableStage) -> None:
    upload = await stage.create(6, filename="notes.txt", meta={"camera": "x"}, metadata="as sent")
    assert (upload.state, upload.size, upload.metadata) == (ResumableState.RECEIVING, 0, "as sent")

    upload = await stage.append(upload, b"ab", b"c")
    assert (upload.state, upload.size) == (ResumableState.RECEIVING, 3)
    assert upload == await stage.find(upload)
    upload = await stage.append(upload, b"def")

    assert (upload.state, upload.size, upload.media_id) == (ResumableState.COMPLETE, 6, upload.id)
    media = await stage.uploads.media(ALICE, upload)
    assert (media.resource, media.filename, media.size) == (str(upload.id), "notes.txt", 6)
    assert (media.mime_type, media.created_by) == ("text/plain", "alice")
    assert media.meta == {"upload": {"camera": "x"}}
    assert await stage.content(upload.id) == b"abcdef"
    assert await stage.objects() == {media.object_key}
    assert await stage.of_intake(upload) is None


async def test_an_upload_without_bytes_is_finished_at_once(stage: ResumableStage) -> None:
    upload = await stage.create(0)

    assert upload.state is ResumableState.COMPLETE
    assert await stage.content(upload.media_id) == b""


async def test_what_arrived_before_a_break_is_kept(stage: ResumableStage) -> None:
    upload = await stage.create(6)
    with pytest.raises(DisconnectedError):
        await stage.append_from(upload, broken(b"ab", b"cd"))

    upload = await stage.find(upload)
    assert upload.size == 4
    await stage.append(upload, b"ef")
    assert await stage.content(upload.id) == b"abcdef"


async def test_what_was_whole_when_its_connection_broke_is_finished_by_who_asks(
    stage: ResumableStage,
) -> None:
    upload = await stage.create(4)
    with pytest.raises(DisconnectedError):
        await stage.append_from(upload, broken(b"abcd"))

    assert (await stage.find(upload)).state is ResumableState.COMPLETE


@pytest.mark.parametrize("offset", [0, 2, 4, 2**63 - 1])
async def test_bytes_for_another_offset_are_refused(stage: ResumableStage, offset: int) -> None:
    upload = await stage.append(await stage.create(6), b"abc")

    with pytest.raises(OffsetConflictError) as caught:
        await stage.append(upload, b"def", offset=offset)

    assert (caught.value.size, caught.value.given) == (3, offset)
    assert (await stage.find(upload)).size == 3


async def test_bytes_beyond_the_length_are_refused_and_those_up_to_it_kept(
    stage: ResumableStage,
) -> None:
    upload = await stage.create(4)

    with pytest.raises(TooLargeError):
        await stage.append(upload, b"abc", b"def", b"g")

    assert (await stage.find(upload)).state is ResumableState.COMPLETE
    assert await stage.content(upload.id) == b"abcd"


async def test_a_finished_upload_takes_no_more_bytes(stage: ResumableStage) -> None:
    upload = await stage.append(await stage.create(3), b"abc")

    with pytest.raises(UploadCompleteError):
        await stage.append(upload, b"d")


@pytest.mark.parametrize("body", [b"abc", b"abcd", b"xyz"])
async def test_bytes_with_a_digest_are_kept_all_or_not_at_all(
    stage: ResumableStage, body: bytes
) -> None:
    upload = await stage.create(3)
    digest = {"sha-256": hashlib.sha256(b"abc").digest()}

    if body == b"abc":
        assert (await stage.append(upload, body, digests=digest)).state is ResumableState.COMPLETE
        return
    with pytest.raises(TooLargeError if len(body) > 3 else DigestError):
        await stage.append(upload, body, digests=digest)
    assert (await stage.find(upload)).size == 0
    assert await stage.objects() == set()
    assert (await stage.append(upload, b"abc")).state is ResumableState.COMPLETE


async def test_with_a_digest_a_break_leaves_nothing(stage: ResumableStage) -> None:
    upload = await stage.create(4)
    digest = {"md5": hashlib.md5(b"abcd").digest()}

    with pytest.raises(DisconnectedError):
        await stage.append_from(upload, broken(b"abcd"), digests=digest)

    assert (await stage.find(upload)).size == 0


@pytest.mark.parametrize("whole", [b"abcdef", b"abcxef"])
async def test_the_digest_of_the_whole_is_checked_at_the_end(
    stage: ResumableStage, whole: bytes
) -> None:
    digests = {"sha-256": hashlib.sha256(b"abcdef").hexdigest()}
    upload = await stage.append(await stage.create(6, digests=digests), whole[:3])

    if whole == b"abcdef":
        assert (await stage.append(upload, whole[3:])).state is ResumableState.COMPLETE
        return
    with pytest.raises(DigestError, match="SHA-256"):
        await stage.append(upload, whole[3:])
    with pytest.raises(NotFoundError):
        await stage.find(upload)
    assert await stage.objects() == set()


async def test_others_see_nothing_of_an_upload(stage: ResumableStage) -> None:
    upload = await stage.append(await stage.create(6), b"abc")
    stopping = asyncio.Event()
    adding = asyncio.create_task(
        stage.append_from(upload, endless(stopping, b"d"), stopping=stopping)
    )
    await asyncio.sleep(0.05)

    for attempt in (stage.find, stage.terminate):
        with pytest.raises(NotFoundError):
            await attempt(upload, BOB)
    with pytest.raises(NotFoundError):
        await stage.append(upload, b"d", principal=BOB)
    assert not stopping.is_set()
    assert (await stage.find(upload, LOCAL_OPERATOR)).size == 4
    with pytest.raises(StoppedError):
        await adding


@pytest.mark.parametrize("upload_id", ["x", "01a1ff26-c8b9-7ba9-9f65-4749bd3b4a82"])
async def test_an_unknown_upload_is_not_found(stage: ResumableStage, upload_id: str) -> None:
    with pytest.raises(NotFoundError):
        await stage.uploads.find(ALICE, upload_id)
    with pytest.raises(NotFoundError):
        await stage.uploads.terminate(ALICE, upload_id)


async def test_a_newer_request_takes_over_within_a_second(stage: ResumableStage) -> None:
    upload = await stage.create(6)
    stopping = asyncio.Event()
    stalled = asyncio.create_task(
        stage.append_from(upload, endless(stopping, b"abc"), stopping=stopping)
    )
    await asyncio.sleep(0.05)
    begun = time.monotonic()

    upload = await stage.find(upload)
    assert upload.size == 3
    await stage.append(upload, b"def")

    assert time.monotonic() - begun < 1
    with pytest.raises(StoppedError):
        await stalled
    assert await stage.content(upload.id) == b"abcdef"


async def test_where_an_upload_is_is_not_told_while_it_may_go_on(
    stage: ResumableStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resumable_uploads, "_PATIENCE_SECONDS", 0.3)
    upload = await stage.create(6)
    flush = LocalAppender.flush
    flushing, goes_on = asyncio.Event(), asyncio.Event()

    async def slow(self: LocalAppender) -> Appended:
        flushing.set()
        await goes_on.wait()
        return await flush(self)

    monkeypatch.setattr(LocalAppender, "flush", slow)
    adding = asyncio.create_task(stage.append(upload, b"abc"))
    await flushing.wait()
    with pytest.raises(IntakeBusyError):
        await stage.find(upload)
    looking = asyncio.create_task(stage.find(upload))
    goes_on.set()

    assert (await looking).size == 3
    assert (await stage.append(await adding, b"def")).state is ResumableState.COMPLETE


async def test_of_many_that_send_the_same_bytes_one_is_served(stage: ResumableStage) -> None:
    upload = await stage.create(6)

    answers = await asyncio.gather(
        *(stage.append(upload, b"abcdef") for _ in range(5)), return_exceptions=True
    )

    served = [one for one in answers if not isinstance(one, BaseException)]
    assert [one.state for one in served] == [ResumableState.COMPLETE]
    assert sum(isinstance(one, UploadCompleteError) for one in answers) == 4
    assert await stage.content(upload.id) == b"abcdef"


async def test_a_length_may_come_later_and_not_change(stage: ResumableStage) -> None:
    upload = await stage.append(await stage.create(), b"abc")
    assert (upload.length, upload.state) == (None, ResumableState.RECEIVING)

    with pytest.raises(LengthConflictError):
        await stage.append(upload, length=2)
    with pytest.raises(TooLargeError):
        await stage.append(upload, length=1001)
    upload = await stage.append(upload, length=6)
    assert upload == await stage.find(upload)
    assert upload.length == 6
    with pytest.raises(LengthConflictError):
        await stage.append(upload, b"d", length=7)
    upload = await stage.append(upload, b"def", length=6)

    assert upload.state is ResumableState.COMPLETE


async def test_a_length_that_has_arrived_already_ends_the_upload(stage: ResumableStage) -> None:
    upload = await stage.append(await stage.create(), b"abc")

    assert (await stage.append(upload, length=3)).state is ResumableState.COMPLETE


async def test_the_client_may_say_itself_when_an_upload_ends(stage: ResumableStage) -> None:
    upload = await stage.create(ending=False)
    upload = await stage.append(upload, b"abc", last=False, size=3)
    assert (upload.length, upload.ending) == (None, False)

    upload = await stage.append(upload, b"def", last=True, size=3)

    assert (upload.state, upload.length) == (ResumableState.COMPLETE, 6)


async def test_the_last_request_need_not_tell_its_size(stage: ResumableStage) -> None:
    upload = await stage.append(await stage.create(ending=False), b"abc", last=False)
    with pytest.raises(DisconnectedError):
        await stage.append_from(upload, broken(b"d"), last=True)
    upload = await stage.find(upload)
    assert (upload.size, upload.length, upload.state) == (4, None, ResumableState.RECEIVING)

    upload = await stage.append(upload, b"ef", last=True)

    assert (upload.state, upload.size) == (ResumableState.COMPLETE, 6)


async def test_an_upload_that_has_its_length_waits_for_its_end(stage: ResumableStage) -> None:
    upload = await stage.create(3, ending=False)
    upload = await stage.append(upload, b"abc", last=False)
    assert (await stage.find(upload)).state is ResumableState.RECEIVING

    assert (await stage.append(upload, last=True, size=0)).state is ResumableState.COMPLETE


async def test_what_was_to_be_the_last_request_may_be_followed_by_others(
    stage: ResumableStage,
) -> None:
    upload = await stage.create(ending=False)
    with pytest.raises(DisconnectedError):
        await stage.append_from(upload, broken(b"ab"), last=True, size=6)
    upload = await stage.find(upload)
    assert (upload.length, upload.ending) == (6, True)

    upload = await stage.append(upload, b"cd", last=False, size=2)
    assert (upload.length, upload.ending) == (6, False)
    with pytest.raises(LengthConflictError):
        await stage.append(upload, b"e", last=True, size=1)
    assert (await stage.append(upload, b"ef", last=True, size=2)).state is ResumableState.COMPLETE


async def test_an_end_before_the_length_is_a_contradiction(stage: ResumableStage) -> None:
    upload = await stage.create(6, ending=False)
    with pytest.raises(LengthConflictError):
        await stage.append(upload, b"abc", last=True)

    upload = await stage.find(upload)
    assert (upload.size, upload.state) == (3, ResumableState.RECEIVING)


async def test_an_upload_without_a_length_takes_no_more_than_is_allowed(
    stage: ResumableStage,
) -> None:
    with pytest.raises(TooLargeError):
        await stage.create(1001)
    upload = await stage.create(ending=False)
    with pytest.raises(TooLargeError):
        await stage.append(upload, b"x" * 1001, last=True)

    upload = await stage.find(upload)  # no media of what was cut off
    assert (upload.size, upload.state) == (1000, ResumableState.RECEIVING)


async def test_an_upload_that_is_longer_than_is_allowed_by_now_takes_nothing(
    stage: ResumableStage,
) -> None:
    upload = await stage.append(await stage.create(), b"x" * 900)
    stage.uploads.most_bytes = 800

    with pytest.raises(TooLargeError):
        await stage.append(upload, b"y" * 200)

    assert (await stage.find(upload)).size == 900


async def test_what_is_remembered_of_an_upload_is_not_believed_when_others_changed_it(
    stage: ResumableStage,
) -> None:
    other = ResumableStage(stage.database, stage.store, most_bytes=1000)
    upload = await stage.append(await stage.create(), b"ab")
    await other.append(upload, b"cd", length=6)

    with pytest.raises(OffsetConflictError):
        await stage.append(upload, b"cd")
    with pytest.raises(NotFoundError):
        await stage.append(upload, b"ef", offset=4, principal=BOB)
    with pytest.raises(TooLargeError):
        await stage.append(upload, b"efg", offset=4)

    for one in (stage, other):
        with pytest.raises(UploadCompleteError):
            await one.append(upload, b"x")
    assert await stage.content(upload.id) == b"abcdef"


async def test_a_process_remembers_only_so_many_uploads(
    stage: ResumableStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resumable_uploads, "_MOST_KNOWN", 2)
    several = [await stage.append(await stage.create(2), b"a") for _ in range(3)]

    assert list(stage.uploads._known) == [str(one.id) for one in several[1:]]
    for one in several:
        assert (await stage.append(one, b"b")).state is ResumableState.COMPLETE
    assert stage.uploads._known == {}
