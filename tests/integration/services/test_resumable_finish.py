"""From the bytes of resumable uploads to medias, whatever happens in between."""

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mediatheque.catalog import intakes, resumable_uploads
from mediatheque.catalog.connections import DatabaseUnavailableError
from mediatheque.catalog.database import Database
from mediatheque.domain.access import LOCAL_OPERATOR
from mediatheque.domain.errors import (
    ConflictError,
    ExistsError,
    MediathequeError,
    NotFoundError,
    UnavailableError,
)
from mediatheque.domain.resumable_uploads import ResumableState, ResumableUpload
from mediatheque.processing.pool import ProcessingPool
from mediatheque.services import resumable_uploads as resumable_upload_services
from mediatheque.services.held_intake import HoldLostError
from mediatheque.services.intake import IntakeBusyError
from mediatheque.services.resumable_finish import ResumableFinisher
from mediatheque.storage.local import LocalStore
from tests.support.database import a_media, add_medias
from tests.support.processing import ProcessingStage
from tests.support.resumable import ALICE, BOB, ResumableStage, ending_in, losing_answers
from tests.support.seaweedfs import SeaweedFS
from tests.support.stores import open_s3

Repair = Callable[[ResumableStage, ResumableUpload], Awaitable[object]]


@pytest.fixture
def stage(database: Database, store: LocalStore) -> ResumableStage:
    return ResumableStage(database, store)


async def look(stage: ResumableStage, upload: ResumableUpload) -> None:
    await stage.find(upload)


async def add_nothing(stage: ResumableStage, upload: ResumableUpload) -> None:
    await stage.append(upload, offset=6)


async def sweep(stage: ResumableStage, upload: ResumableUpload) -> None:
    await stage.uploads.sweep()
    assert (await stage.rows(upload))[0].state is ResumableState.RECEIVING  # left alone too briefly
    await stage.age(upload, seconds=60)
    await stage.uploads.sweep()


async def is_kept(stage: ResumableStage, upload: ResumableUpload) -> None:
    """Check that an upload has become one media, of which nothing else is left."""
    found = await stage.find(upload)
    assert (found.state, found.media_id, found.size) == (ResumableState.COMPLETE, upload.id, 6)
    (media,) = await stage.medias()
    assert await stage.content(media.id) == b"abcdef"
    assert await stage.of_intake(upload) is None
    await stage.janitor.sweep()
    assert await stage.objects() == {media.object_key}
    assert await stage.content(media.id) == b"abcdef"


@pytest.mark.parametrize("repair", [look, add_nothing, sweep])
@pytest.mark.parametrize(
    "cut",
    [
        (ResumableFinisher, "finish", False),
        (LocalStore, "join", False),
        (LocalStore, "join", True),
        (ResumableFinisher, "_record", False),
    ],
)
async def test_a_finish_that_ends_between_two_steps_is_done_again(
    stage: ResumableStage,
    monkeypatch: pytest.MonkeyPatch,
    cut: tuple[type, str, bool],
    repair: Repair,
) -> None:
    owner, step, after = cut
    upload = await stage.append(await stage.create(6), b"abc")
    with (
        ending_in(monkeypatch, owner, step, after=after),
        pytest.raises(asyncio.CancelledError),
    ):
        await stage.append(upload, b"def")
    await stage.janitor.sweep()

    await repair(stage, upload)

    await is_kept(stage, upload)


async def test_the_file_that_grew_becomes_the_media_without_a_copy(
    stage: ResumableStage, store: LocalStore
) -> None:
    def file_of(object_key: str) -> int:
        path = store.local_path(object_key)
        assert path is not None
        return path.stat().st_ino

    upload = await stage.append(await stage.create(6), b"abc")
    intake = await stage.of_intake(upload)
    assert intake is not None
    (segment,) = intake.segments
    grown = file_of(segment.object_key)

    await stage.append(upload, b"def")

    (media,) = await stage.medias()
    assert file_of(media.object_key) == grown


async def test_a_finish_that_ends_before_its_leftovers_are_removed_is_none_the_worse(
    stage: ResumableStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = await stage.append(await stage.create(6), b"abc")
    with (
        ending_in(monkeypatch, ResumableFinisher, "_clear_staging", after=False),
        pytest.raises(asyncio.CancelledError),
    ):
        await stage.append(upload, b"def")

    await is_kept(stage, upload)


@pytest.mark.parametrize("cut", [(LocalStore, "join", True), (ResumableFinisher, "_record", False)])
async def test_the_digest_of_the_whole_is_checked_again_after_a_crash(
    stage: ResumableStage, monkeypatch: pytest.MonkeyPatch, cut: tuple[type, str, bool]
) -> None:
    upload = await stage.create(6, digests={"crc32": f"{0x4B8E39EF:08x}"})  # of abcdef
    owner, step, after = cut
    with (
        ending_in(monkeypatch, owner, step, after=after),
        pytest.raises(asyncio.CancelledError),
    ):
        await stage.append(upload, b"abcdef")

    await is_kept(stage, upload)


async def test_bytes_that_are_damaged_when_they_are_read_to_be_checked_are_kept(
    stage: ResumableStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = await stage.create(6, digests={"crc32": f"{0x4B8E39EF:08x}"})  # of abcdef

    async def damaged(*_: object) -> AsyncIterator[bytes]:
        yield b"abcxef"

    with monkeypatch.context() as patched:
        patched.setattr(LocalStore, "read", damaged)
        with pytest.raises(UnavailableError, match="They are kept"):
            await stage.append(upload, b"abcdef")

    await is_kept(stage, upload)


async def test_on_s3_a_finish_is_done_again_and_leaves_nothing(
    database: Database, seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_s3(seaweedfs, monkeypatch)
    stage = ResumableStage(database, store)
    upload = await stage.append(await stage.create(6), b"abc")
    with (
        ending_in(
            monkeypatch, ResumableFinisher, "_record", after=False, error=asyncio.CancelledError()
        ),
        pytest.raises(asyncio.CancelledError),
    ):
        await stage.append(upload, b"def")

    await is_kept(stage, upload)
    assert (await stage.create(0)).state is ResumableState.COMPLETE
    await store.close()


async def test_a_finish_whose_answer_was_lost_is_not_done_twice(
    stage: ResumableStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = await stage.append(await stage.create(6), b"abc")
    with losing_answers(monkeypatch, 1), pytest.raises(UnavailableError):
        await stage.append(upload, b"def")

    await is_kept(stage, upload)


@pytest.mark.parametrize("owner", [intakes, resumable_uploads])
async def test_bytes_and_lengths_whose_answer_was_lost_count_once(
    stage: ResumableStage, monkeypatch: pytest.MonkeyPatch, owner: object
) -> None:
    upload = await stage.create()
    step = "acknowledge" if owner is intakes else "settle"
    with (
        ending_in(monkeypatch, owner, step, after=True, error=DatabaseUnavailableError("Cut.")),
        pytest.raises(UnavailableError),
    ):
        await stage.append(upload, b"abc", length=6)

    upload = await stage.find(upload)
    assert (upload.length, upload.size) == (6, 0) if owner is resumable_uploads else (6, 3)
    await stage.append(upload, b"abcdef"[upload.size :], length=6)
    await is_kept(stage, upload)


async def test_a_creation_whose_answer_was_lost_is_repeated_with_its_key(
    stage: ResumableStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with losing_answers(monkeypatch, 1), pytest.raises(UnavailableError):
        await stage.create(6, idempotency_key="k")

    upload = await stage.create(6, idempotency_key="k")

    await stage.append(upload, b"abcdef")
    await is_kept(stage, upload)


@pytest.mark.parametrize("after", [False, True])
async def test_one_of_two_finishers_wins(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    store = LocalStore(tmp_path / "objects", durable=False)
    stage, other = (ResumableStage(database, store, lease=0.3) for _ in range(2))
    upload = await stage.create(6)
    stands, goes_on = asyncio.Event(), asyncio.Event()
    join, renew = LocalStore.join, intakes.renew

    async def slow(self: LocalStore, *arguments: Any, **options: Any) -> Any:
        if stands.is_set():
            return await join(self, *arguments, **options)
        joined = await join(self, *arguments, **options) if after else None
        stands.set()
        await goes_on.wait()
        return joined or await join(self, *arguments, **options)

    async def stand_still(*arguments: Any, **options: Any) -> bool:
        return True if not goes_on.is_set() else await renew(*arguments, **options)

    monkeypatch.setattr(LocalStore, "join", slow)
    monkeypatch.setattr(intakes, "renew", stand_still)
    stale = asyncio.create_task(stage.append(upload, b"abcdef"))
    await stands.wait()
    await asyncio.sleep(0.4)
    found = await other.find(upload)
    assert found.state is ResumableState.COMPLETE
    goes_on.set()

    with pytest.raises((HoldLostError, ConflictError)):
        await stale
    await is_kept(stage, upload)
    await store.close()


async def test_where_an_upload_is_that_others_finish_is_told_once_it_is_a_media(
    stage: ResumableStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = await stage.create(6)
    with (
        ending_in(monkeypatch, ResumableFinisher, "finish", after=False),
        pytest.raises(asyncio.CancelledError),
    ):
        await stage.append(upload, b"abcdef")
    other = ResumableStage(stage.database, stage.store)

    async with other.intake.hold(upload.id, patience=1):
        with monkeypatch.context() as impatient:
            impatient.setattr(resumable_upload_services, "_PATIENCE_SECONDS", 0.5)
            with pytest.raises(IntakeBusyError):  # its offset would say that it is finished
                await stage.find(upload)
        looking = asyncio.create_task(stage.find(upload))
        await asyncio.sleep(2.5)
    assert (await looking).state is ResumableState.COMPLETE


async def test_an_address_that_others_have_taken_meanwhile_keeps_the_bytes_until_it_is_free(
    stage: ResumableStage,
) -> None:
    upload = await stage.create(6, resource="film")
    taken = a_media(resource="film")
    await add_medias(stage.database, taken)
    with pytest.raises(ExistsError, match="taken by another media"):
        await stage.append(upload, b"abcdef")
    with pytest.raises(ExistsError):
        await stage.find(upload)
    await stage.age(upload, seconds=60)
    await stage.uploads.sweep()
    await stage.janitor.sweep()

    await stage.delete(taken)

    await is_kept(stage, upload)


@pytest.mark.parametrize("others", [b"other bytes", bytes(3 << 20)], ids=["other", "same"])
async def test_what_has_no_address_is_not_read_again_and_again(
    stage: ResumableStage, monkeypatch: pytest.MonkeyPatch, others: bytes
) -> None:
    content = bytes(3 << 20)
    promised = {"sha-256": hashlib.sha256(content).hexdigest()}
    upload = await stage.create(len(content), resource="film", digests=promised)
    before = await stage.create(len(others), resource="film", principal=BOB)
    await stage.append(before, others, principal=BOB)
    (taken,) = await stage.medias()
    read = LocalStore.read
    passed: list[bytes] = []

    async def counted(self: LocalStore, *arguments: Any) -> AsyncIterator[bytes]:
        async for piece in read(self, *arguments):
            passed.append(piece)
            yield piece

    monkeypatch.setattr(LocalStore, "read", counted)
    with pytest.raises(ExistsError, match="taken by another media"):
        await stage.append(upload, content)
    await stage.age(upload, seconds=60)
    await stage.uploads.sweep()
    assert sum(map(len, passed)) < 1 << 20

    await stage.delete(taken)
    assert (await stage.find(upload)).state is ResumableState.COMPLETE
    assert sum(map(len, passed)) > len(content)


async def test_an_upload_that_cannot_be_finished_can_be_given_up(stage: ResumableStage) -> None:
    upload = await stage.create(6, resource="film")
    await add_medias(stage.database, a_media(resource="film"))
    with pytest.raises(ExistsError):
        await stage.append(upload, b"abcdef")

    await stage.terminate(upload)

    assert await stage.objects() == set()
    assert await stage.rows(upload) == []


@pytest.mark.parametrize("role", ["member", "operator"])
async def test_the_same_bytes_at_the_address_are_the_media(
    stage: ResumableStage, role: str
) -> None:
    alice = LOCAL_OPERATOR if role == "operator" else ALICE
    uploads = [await stage.create(6, resource="film", principal=alice) for _ in range(2)]

    first, second = [await stage.append(one, b"abcdef", principal=alice) for one in uploads]

    assert (first.media_id, second.media_id) == (first.id, first.id)
    (media,) = await stage.medias()
    assert await stage.objects() == {media.object_key}
    assert await stage.uploads.media(alice, second) == media


async def test_that_others_have_the_same_bytes_is_nobodys_business(stage: ResumableStage) -> None:
    uploads = {one: await stage.create(6, resource="film", principal=one) for one in (ALICE, BOB)}
    await stage.append(uploads[ALICE], b"abcdef")

    with pytest.raises(ExistsError):
        await stage.append(uploads[BOB], b"abcdef", principal=BOB)


async def test_the_media_at_the_address_may_be_deleted_just_then(
    stage: ResumableStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = [await stage.create(6, resource="film") for _ in range(2)]
    await stage.append(first, b"abcdef")
    existing = ResumableFinisher._find_existing

    async def delete(self: ResumableFinisher, *arguments: Any, **options: Any) -> Any:
        found = await existing(self, *arguments, **options)
        assert found is not None
        await stage.delete(found)
        return found

    monkeypatch.setattr(ResumableFinisher, "_find_existing", delete)
    with pytest.raises(UnavailableError, match="deleted just now"):
        await stage.append(second, b"abcdef")

    await is_kept(stage, second)


async def test_an_upload_goes_with_its_media(stage: ResumableStage) -> None:
    upload = await stage.append(await stage.create(6, idempotency_key="k"), b"abcdef")
    (media,) = await stage.medias()

    await stage.delete(media)

    for attempt in (stage.find, stage.terminate):
        with pytest.raises(NotFoundError):
            await attempt(upload)
    assert (await stage.create(6, idempotency_key="k")).id != upload.id


async def test_looking_while_the_media_is_deleted_finds_it_or_nothing(
    stage: ResumableStage,
) -> None:
    for _ in range(5):
        upload = await stage.append(await stage.create(6), b"abcdef")
        (media,) = await stage.medias()

        async def look_on(upload: ResumableUpload = upload) -> None:
            for _ in range(5):
                assert (await stage.find(upload)).state is ResumableState.COMPLETE

        looked, deleted = await asyncio.gather(
            look_on(), stage.delete(media), return_exceptions=True
        )

        assert deleted is None
        assert looked is None or isinstance(looked, NotFoundError)
        with pytest.raises(NotFoundError):
            await stage.uploads.media(ALICE, upload)


async def test_terminating_a_finished_upload_leaves_the_media(stage: ResumableStage) -> None:
    upload = await stage.append(await stage.create(6), b"abcdef")

    await stage.terminate(upload)

    with pytest.raises(NotFoundError):
        await stage.find(upload)
    await stage.janitor.sweep()
    assert await stage.content(upload.id) == b"abcdef"


async def test_an_upload_is_finished_whoever_comes_when_many_do(stage: ResumableStage) -> None:
    upload = await stage.create(6)
    adding = asyncio.create_task(stage.append(upload, b"abcdef"))

    answers = await asyncio.gather(
        adding, *(stage.find(upload) for _ in range(5)), return_exceptions=True
    )

    assert not [
        one
        for one in answers
        if isinstance(one, BaseException) and not isinstance(one, MediathequeError)
    ]
    await is_kept(stage, upload)


async def test_what_a_client_says_of_its_upload_survives_what_is_found_out(
    stage: ResumableStage, tmp_path: Path
) -> None:
    content = io.BytesIO()
    Image.new("RGB", (6, 4), "teal").save(content, "PNG")
    pool = ProcessingPool(at_once=1, memory=1 << 30)
    workers = ProcessingStage(stage.database, stage.store, tmp_path / "work", pool)
    upload = await stage.create(
        len(content.getvalue()), filename="a.png", meta={"camera": "x", "kind": "holiday"}
    )
    await stage.append(upload, content.getvalue())

    await workers.run_all()
    await pool.close()

    (media,) = await stage.medias()
    assert media.meta["upload"] == {"camera": "x", "kind": "holiday"}
    assert (media.meta["kind"], media.meta["image"]["width"]) == ("image", 6)
