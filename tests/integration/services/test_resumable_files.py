"""Announced files whose bytes arrive in several requests."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from mediatheque.catalog.database import Database, Transaction
from mediatheque.domain.access import Principal
from mediatheque.domain.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    UnavailableError,
)
from mediatheque.domain.resumable_uploads import (
    Destination,
    DigestError,
    ResumableState,
    ResumableUpload,
    UploadCompleteError,
)
from mediatheque.domain.uploads import Upload
from mediatheque.services import resumable_finish
from mediatheque.services.announced_files import find_pending
from mediatheque.services.resumable_creation import NewUpload
from mediatheque.storage.local import LocalStore
from tests.support.parts import pieces
from tests.support.resumable import ALICE, BOB, ResumableStage, ending_in, losing_answers


@pytest.fixture
def stage(database: Database, store: LocalStore) -> ResumableStage:
    return ResumableStage(database, store)


async def announced(stage: ResumableStage, size: int = 6) -> UUID:
    file_id, _ = await stage.files.create(
        ALICE, name="a.txt", size=size, tags=("x",), base_url="http://host"
    )
    return file_id


async def create(stage: ResumableStage, file_id: UUID, **options: Any) -> ResumableUpload:
    """Create an upload as one who has the signed URL, whoever that is."""
    new = NewUpload(destination=Destination(filename="", file_id=file_id), **options)
    return await stage.uploads.create(BOB, new)


async def begun(stage: ResumableStage, file_id: UUID) -> ResumableUpload:
    """Return an upload of a file that has half of its bytes."""
    return await stage.append(await create(stage, file_id), b"abc")


async def is_kept(stage: ResumableStage, file_id: UUID, content: bytes = b"abcdef") -> None:
    """Check that the file can be confirmed, and that nothing else is left."""
    await stage.janitor.sweep()
    await stage.files.confirm(ALICE, str(file_id))
    (media,) = await stage.medias()
    assert (media.id, media.filename, media.tags) == (file_id, "a.txt", ("x",))
    assert (media.mime_type, media.created_by) == ("text/plain", "alice")
    assert await stage.content(file_id) == content
    await stage.janitor.sweep()
    assert await stage.objects() == {media.object_key}


async def test_bytes_of_several_requests_become_those_of_the_file(stage: ResumableStage) -> None:
    file_id = await announced(stage)
    upload = await begun(stage, file_id)
    assert (upload.created_by, upload.length, upload.state) == ("alice", 6, "receiving")

    upload = await stage.append(upload, b"def")

    assert (upload.state, upload.media_id, upload.size) == (ResumableState.COMPLETE, None, 6)
    assert await stage.find(upload) == upload
    with pytest.raises(NotFoundError):
        await stage.find(upload, BOB)
    with pytest.raises(UploadCompleteError):
        await stage.append(upload, b"x")
    assert await stage.medias() == []
    await is_kept(stage, file_id)


async def test_a_file_without_bytes_needs_no_more(stage: ResumableStage) -> None:
    file_id = await announced(stage, 0)

    upload = await create(stage, file_id)
    assert (await stage.find(upload)).state is ResumableState.COMPLETE

    await is_kept(stage, file_id, b"")


async def test_another_length_than_the_announced_one_is_refused(stage: ResumableStage) -> None:
    file_id = await announced(stage)

    with pytest.raises(InvalidError, match="declared with 6 bytes"):
        await create(stage, file_id, length=7)

    assert (await create(stage, file_id, length=6)).length == 6


async def test_only_an_announced_file_takes_bytes(stage: ResumableStage) -> None:
    file_id = await announced(stage)
    await stage.append(await begun(stage, file_id), b"def")
    await stage.files.confirm(ALICE, str(file_id))

    with pytest.raises(ConflictError, match="confirmed"):
        await create(stage, file_id)
    with pytest.raises(NotFoundError):
        await create(stage, UUID(int=7))


async def test_the_last_attempt_counts(stage: ResumableStage) -> None:
    file_id = await announced(stage)
    first, second = await begun(stage, file_id), await begun(stage, file_id)
    await stage.files.receive(file_id, pieces(b"PUT it"), length=6)

    await stage.append(first, b"xyz")
    await stage.append(second, b"def")

    assert len(await stage.objects()) == 1
    await is_kept(stage, file_id)


async def test_a_put_replaces_what_came_in_several_requests(stage: ResumableStage) -> None:
    file_id = await announced(stage)
    await stage.append(await begun(stage, file_id), b"xyz")

    await stage.files.receive(file_id, pieces(b"abcdef"), length=6)

    await is_kept(stage, file_id)


@pytest.mark.parametrize("after", [False, True])
async def test_a_finish_that_ends_between_two_steps_is_done_again(
    stage: ResumableStage, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    file_id = await announced(stage)
    upload = await begun(stage, file_id)
    with (
        ending_in(monkeypatch, LocalStore, "join", after=after),
        pytest.raises(asyncio.CancelledError),
    ):
        await stage.append(upload, b"def")
    await stage.janitor.sweep()

    assert (await stage.find(upload)).state is ResumableState.COMPLETE

    await is_kept(stage, file_id)


async def test_a_finish_whose_answer_was_lost_is_not_done_twice(
    stage: ResumableStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_id = await announced(stage)
    upload = await begun(stage, file_id)
    with losing_answers(monkeypatch, 1), pytest.raises(UnavailableError):
        await stage.append(upload, b"def")

    assert (await stage.find(upload)).state is ResumableState.COMPLETE

    await is_kept(stage, file_id)


async def test_what_was_confirmed_or_rejected_meanwhile_takes_no_bytes(
    stage: ResumableStage,
) -> None:
    confirmed, rejected = await announced(stage), await announced(stage)
    late = [await begun(stage, confirmed), await begun(stage, rejected)]
    await stage.append(await begun(stage, confirmed), b"def")
    await stage.files.confirm(ALICE, str(confirmed))
    await stage.files.reject(ALICE, str(rejected))

    with pytest.raises(ConflictError, match="confirmed"):
        await stage.append(late[0], b"xyz")
    with pytest.raises(NotFoundError):
        await stage.append(late[1], b"xyz")

    await stage.age(*late)
    await stage.uploads.sweep()
    (media,) = await stage.medias()
    assert await stage.content(media.id) == b"abcdef"
    assert await stage.objects() == {media.object_key}


@pytest.mark.parametrize("calls", [1, 2])
async def test_what_is_confirmed_just_then_keeps_its_bytes(
    stage: ResumableStage, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    file_id = await announced(stage)
    await stage.files.receive(file_id, pieces(b"abcdef"), length=6)
    upload = await begun(stage, file_id)
    found: list[Upload] = []

    async def find_and_confirm(connection: Transaction, wanted: UUID) -> Upload:
        found.append(await find_pending(connection, wanted))
        if len(found) == calls:
            await stage.files.confirm(ALICE, str(file_id))
        return found[-1]

    monkeypatch.setattr(resumable_finish, "find_pending", find_and_confirm)
    with pytest.raises(ConflictError):
        await stage.append(upload, b"xyz")

    assert await stage.content(file_id) == b"abcdef"


async def test_the_digest_of_the_whole_is_checked(stage: ResumableStage) -> None:
    file_id = await announced(stage)
    upload = await create(stage, file_id, digests={"crc32": "00000000"})

    with pytest.raises(DigestError):
        await stage.append(upload, b"abcdef")

    assert await stage.objects() == set()
    await stage.append(await begun(stage, file_id), b"def")
    await is_kept(stage, file_id)


async def test_giving_up_leaves_the_file_as_it_is(stage: ResumableStage) -> None:
    file_id = await announced(stage)
    finished = await stage.append(await begun(stage, file_id), b"def")
    given_up = await begun(stage, file_id)

    await stage.terminate(given_up)
    await stage.terminate(finished, Principal(finished.created_by, finished.created_role))

    assert await stage.rows(given_up, finished) == []
    await is_kept(stage, file_id)


async def test_that_a_file_has_got_its_bytes_is_forgotten_in_the_end(
    stage: ResumableStage,
) -> None:
    file_id = await announced(stage)
    upload = await stage.append(await begun(stage, file_id), b"def")
    await stage.uploads.sweep()
    assert (await stage.find(upload)).state is ResumableState.COMPLETE

    await stage.age(upload)
    await stage.uploads.sweep()

    assert await stage.rows(upload) == []
    await is_kept(stage, file_id)
