"""Resumable uploads that are given up, expire, or are left alone."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from mediatheque.catalog import resumable_uploads
from mediatheque.catalog.database import Database
from mediatheque.domain.access import LOCAL_OPERATOR
from mediatheque.domain.errors import DisconnectedError, ExistsError, NotFoundError, StoppedError
from mediatheque.domain.resumable_uploads import (
    ResumableState,
    ResumableUpload,
    UploadExpiredError,
)
from mediatheque.services import resumable_sweep
from mediatheque.services.resumable_finish import ResumableFinisher
from mediatheque.storage.local import LocalStore
from tests.support.database import a_media, add_medias
from tests.support.intakes import open_files
from tests.support.resumable import LIFETIME, ResumableStage, ending_in, endless
from tests.support.seaweedfs import SeaweedFS
from tests.support.stores import open_s3


@pytest.fixture
def stage(database: Database, store: LocalStore) -> ResumableStage:
    return ResumableStage(database, store)


async def left_alone(
    stage: ResumableStage, content: bytes = b"abc", *, resource: str | None = None
) -> ResumableUpload:
    """Return an upload whose client vanished after its last byte."""

    async def cut() -> AsyncIterator[bytes]:
        yield content
        raise DisconnectedError("The client went away.")

    upload = await stage.create(len(content), resource=resource)
    with pytest.raises(DisconnectedError):
        await stage.append_from(upload, cut())
    return upload


async def states(stage: ResumableStage, *uploads: ResumableUpload) -> list[ResumableState]:
    return [one.state for one in await stage.rows(*uploads)]


async def test_giving_up_an_upload_leaves_no_file_open(stage: ResumableStage) -> None:
    stage.intake.keep_while(lambda: True)
    upload = await stage.create(6)
    await stage.append(upload, b"abc")
    assert open_files(upload.id)

    await stage.uploads.terminate(LOCAL_OPERATOR, str(upload.id))

    assert open_files(upload.id) == []


async def test_giving_up_an_upload_stops_who_adds_to_it_and_leaves_nothing(
    stage: ResumableStage,
) -> None:
    upload = await stage.create(6)
    stopping = asyncio.Event()
    adding = asyncio.create_task(
        stage.append_from(upload, endless(stopping, b"abc"), stopping=stopping)
    )
    await asyncio.sleep(0.05)
    begun = time.monotonic()

    await stage.terminate(upload)

    assert time.monotonic() - begun < 1
    with pytest.raises(StoppedError):
        await adding
    for attempt in (stage.find, stage.terminate, stage.append):
        with pytest.raises(NotFoundError):
            await attempt(upload)
    assert await stage.of_intake(upload) is None
    assert await stage.objects() == set()


async def test_an_upload_on_s3_leaves_nothing_when_it_is_given_up(
    database: Database, seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_s3(seaweedfs, monkeypatch)
    stage = ResumableStage(database, store)
    upload = await stage.append(await stage.create(6), b"abc")
    assert len(await stage.objects()) == 1

    await stage.terminate(upload)

    assert await stage.objects() == set()
    await store.close()


async def test_what_giving_up_leaves_behind_the_janitor_removes(
    stage: ResumableStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = await stage.append(await stage.create(6), b"abc")
    with (
        ending_in(monkeypatch, ResumableFinisher, "_clear", after=False),
        pytest.raises(asyncio.CancelledError),
    ):
        await stage.terminate(upload)
    assert len(await stage.objects()) == 1

    await stage.janitor.sweep()

    assert await stage.objects() == set()


async def test_the_janitor_leaves_everything_that_is_under_way(stage: ResumableStage) -> None:
    whole = await stage.append(await stage.create(6), b"abc")
    one, two = (
        await stage.partial(b"abc"),
        await stage.append(await stage.create(6, partial=True), b"def"),
    )
    before = await stage.objects()
    assert len(before) == 3

    await stage.janitor.sweep()

    assert await stage.objects() == before
    await stage.append(whole, b"def")
    final = await stage.concatenate(one, await stage.append(two, b"ghi"))
    assert await stage.content(whole.id) == b"abcdef"
    assert await stage.content(final.id) == b"abcdefghi"


async def test_an_upload_without_new_bytes_expires(stage: ResumableStage) -> None:
    old = await stage.append(await stage.create(6, idempotency_key="k"), b"abc")
    part = await stage.partial(b"abc")
    young = await stage.append(await stage.create(6), b"abc")
    assert young.expires_at - young.touched_at == timedelta(seconds=LIFETIME)
    await stage.age(old, part)
    assert (await stage.find(old)).expires_at < young.created_at

    await stage.uploads.sweep()

    for attempt in (stage.find, stage.terminate, stage.append):
        with pytest.raises(UploadExpiredError):
            await attempt(old)
    assert await states(stage, old, part, young) == ["expired", "expired", "receiving"]
    assert len(await stage.objects()) == 1
    assert await stage.of_intake(old) is None
    again = await stage.create(6, idempotency_key="k")
    assert (again.id == old.id, again.state) == (False, ResumableState.RECEIVING)


async def test_one_that_cannot_expire_keeps_no_other_from_it(
    stage: ResumableStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads = [await stage.append(await stage.create(6), b"abc") for _ in range(3)]
    await stage.age(*uploads)
    whole = ResumableFinisher.give_up

    async def defective(self: ResumableFinisher, *arguments: Any, **options: Any) -> None:
        if arguments[-1].id == uploads[0].id:
            raise RuntimeError("a defect")
        await whole(self, *arguments, **options)

    monkeypatch.setattr(ResumableFinisher, "give_up", defective)
    await stage.uploads.sweep()
    assert await states(stage, *uploads) == ["receiving", "expired", "expired"]
    monkeypatch.undo()
    await stage.uploads.sweep()
    assert await states(stage, *uploads) == ["expired"] * 3


async def test_that_an_upload_has_expired_is_forgotten_in_the_end(stage: ResumableStage) -> None:
    upload = await stage.append(await stage.create(6), b"abc")
    await stage.age(upload)
    await stage.uploads.sweep()
    await stage.uploads.sweep()
    assert await states(stage, upload) == ["expired"]

    await stage.age(upload)
    await stage.uploads.sweep()

    with pytest.raises(NotFoundError):
        await stage.find(upload)


async def test_new_bytes_put_off_the_end(stage: ResumableStage) -> None:
    upload = await stage.append(await stage.create(6), b"abc")
    await stage.age(upload)
    upload = await stage.append(upload, b"d")

    await stage.uploads.sweep()

    assert (await stage.find(upload)).size == 4


async def test_what_somebody_adds_to_does_not_expire(stage: ResumableStage) -> None:
    upload = await stage.create(6)
    stopping = asyncio.Event()
    adding = asyncio.create_task(stage.append_from(upload, endless(stopping), stopping=stopping))
    await asyncio.sleep(0.05)
    await stage.age(upload)

    await stage.uploads.sweep()

    assert await states(stage, upload) == ["receiving"]
    stopping.set()
    with pytest.raises(StoppedError):
        await adding


async def test_what_gets_bytes_at_the_last_moment_does_not_expire(
    stage: ResumableStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = await stage.append(await stage.create(6), b"abc")
    await stage.age(upload)
    expired = resumable_uploads.expired

    async def expired_before(*arguments: Any, **options: Any) -> list[UUID]:
        found = await expired(*arguments, **options)
        await stage.append(upload, b"d")
        return found

    monkeypatch.setattr(resumable_uploads, "expired", expired_before)
    await stage.uploads.sweep()

    assert (await stage.find(upload)).size == 4


async def test_a_final_upload_expires_with_its_parts(
    stage: ResumableStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [await stage.partial(b"abc"), await stage.partial(b"def")]
    with (
        ending_in(monkeypatch, ResumableFinisher, "_record", after=False),
        pytest.raises(asyncio.CancelledError),
    ):
        await stage.concatenate(*parts, resource="film")
    (final_id,) = {one.final_id for one in await stage.rows(*parts)}
    final = await stage.uploads.peek(LOCAL_OPERATOR, str(final_id))
    await add_medias(stage.database, a_media(resource="film"))
    await stage.age(final, *parts)

    await stage.uploads.sweep()

    assert await states(stage, final, *parts) == ["expired"]
    assert await stage.objects() == set()


async def test_a_finished_upload_does_not_expire(stage: ResumableStage) -> None:
    upload = await stage.append(await stage.create(3), b"abc")
    await stage.age(upload)

    await stage.uploads.sweep()

    assert (await stage.find(upload)).state is ResumableState.COMPLETE


async def test_what_has_all_its_bytes_is_finished_when_nobody_asks(stage: ResumableStage) -> None:
    whole, part = await left_alone(stage), await stage.create(0, partial=True, ending=False)
    waiting = await stage.append(await stage.create(3, ending=False), b"abc", last=False)
    await stage.age(whole, part, waiting, seconds=60)

    await stage.uploads.sweep()

    assert await states(stage, whole, part, waiting) == ["complete", "receiving", "receiving"]
    assert await stage.content(whole.id) == b"abc"


async def test_what_cannot_be_finished_keeps_nobody_waiting(
    stage: ResumableStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resumable_sweep, "_BATCH", 2)
    stuck = [await left_alone(stage, resource=f"film-{number}") for number in range(5)]
    await add_medias(stage.database, *(a_media(resource=f"film-{number}") for number in range(5)))
    good = await left_alone(stage)
    await stage.age(*stuck, seconds=90)
    await stage.age(good, seconds=60)

    async with asyncio.timeout(10):
        await stage.uploads.sweep()

    assert await states(stage, *stuck) == ["receiving"] * 5
    assert await states(stage, good) == ["complete"]
    with pytest.raises(ExistsError):
        await stage.find(stuck[0])


async def test_many_expire_in_one_round_whatever_others_do(
    stage: ResumableStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resumable_sweep, "_BATCH", 2)
    old = [await stage.create(6) for _ in range(5)]
    await stage.age(*old)

    async with asyncio.timeout(10):
        await asyncio.gather(*(stage.uploads.sweep() for _ in range(3)))

    assert await states(stage, *old) == ["expired"] * 5
    await stage.age(*old)
    await stage.uploads.sweep()
    assert await stage.rows(*old) == []


async def test_one_upload_that_fails_in_an_unknown_way_keeps_nobody_waiting(
    stage: ResumableStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good, abandoned = await left_alone(stage), await left_alone(stage), await stage.create(6)
    await stage.age(bad, seconds=90)
    await stage.age(good, seconds=60)
    await stage.age(abandoned)
    finish = ResumableFinisher.finish

    async def fail(self: ResumableFinisher, held: object, upload: ResumableUpload) -> None:
        if upload.id == bad.id:
            raise RuntimeError("a defect")
        await finish(self, held, upload)  # type: ignore[arg-type]

    monkeypatch.setattr(ResumableFinisher, "finish", fail)
    await stage.uploads.sweep()

    assert await states(stage, bad, good, abandoned) == ["receiving", "complete", "expired"]
