"""Recordings from their chunks to a film that can be played."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from mediatheque.catalog import intakes, medias
from mediatheque.catalog.database import Database
from mediatheque.domain.access import LOCAL_OPERATOR
from mediatheque.domain.errors import NotFoundError
from mediatheque.domain.jobs import JobStatus, Signal
from mediatheque.domain.media import Media
from mediatheque.domain.recordings import RecordingState
from mediatheque.processing.pool import ProcessingPool
from mediatheque.services import recording_runs
from mediatheque.storage.digest import Digest
from mediatheque.storage.local import LocalStore
from tests.support.films import chunks, make_recording
from tests.support.processing import ProcessingStage, lose_an_answer, nothing_left_in
from tests.support.seaweedfs import SeaweedFS
from tests.support.stores import get, open_s3

MADE = {
    "",
    "processed.webm",
    "thumbnail.jpg",
    "thumbnail.webp",
    "sprite.webp",
    "sprite.vtt",
    "waveform.json",
}


@pytest.fixture
async def stage(database: Database, tmp_path: Path) -> AsyncIterator[ProcessingStage]:
    store = LocalStore(tmp_path / "objects", durable=False)
    pool = ProcessingPool(at_once=1, memory=1 << 30)
    with nothing_left_in(tmp_path / "work"):
        yield ProcessingStage(database, store, tmp_path / "work", pool)
    await pool.close()
    await store.close()


async def test_a_recording_becomes_a_film_with_pictures_and_what_is_known_of_it(
    stage: ProcessingStage,
) -> None:
    film = make_recording("vp8", 2.0)

    recording = await stage.finish(chunks(film, 5))

    assert (recording.state, recording.warning, recording.error) == ("complete", None, None)
    assert recording.finished_at is not None
    resource = str(recording.id)
    assert await stage.keys(resource) == MADE
    original = await stage.find(resource)
    assert original.id == recording.media_id
    assert original.filename == f"recording-{recording.created_at:%Y%m%dT%H%M%SZ}.webm"
    assert (original.mime_type, original.size) == ("video/webm", len(film))
    assert await stage.content(resource) == film
    assert original.meta["kind"] == "video"
    assert original.meta["duration"] == pytest.approx(2.0, abs=0.2)
    played = await stage.find(resource, "processed.webm")
    assert played.mime_type == "video/webm"
    assert played.filename == "processed.webm"
    assert (played.created_by, played.project_id) == (original.created_by, None)
    for key in MADE:
        media = await stage.find(resource, key)
        content, digest = await stage.content(resource, key), Digest()
        digest.update(content)
        assert (media.size, media.blake3, media.crc64nvme) == (
            len(content),
            digest.blake3,
            digest.crc64nvme,
        )
    async with stage.database.read() as connection:
        assert await intakes.find(connection, recording.media_id) is None
    assert len(await stage.objects()) == len(MADE)


async def test_a_recording_on_s3_becomes_a_film(
    database: Database, tmp_path: Path, seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_s3(seaweedfs, monkeypatch)
    pool = ProcessingPool(at_once=1, memory=1 << 30)
    film = make_recording("vp8", 2.0)
    with nothing_left_in(tmp_path / "work"):
        stage = ProcessingStage(database, store, tmp_path / "work", pool)
        recording = await stage.finish(chunks(film, 5))

        assert recording.state is RecordingState.COMPLETE
        assert await stage.keys(str(recording.id)) == MADE
        assert await stage.content(str(recording.id)) == film
        assert len(await stage.objects()) == len(MADE)
    await pool.close()
    await store.close()


async def test_garbage_is_kept_and_the_recording_says_why_it_failed(
    stage: ProcessingStage,
) -> None:
    garbage = b"\x1a\x45\xdf\xa3webm" + bytes(range(256)) * 40

    recording = await stage.finish([garbage])

    assert recording.state is RecordingState.FAILED
    assert recording.error
    resource = str(recording.id)
    assert await stage.keys(resource) == {""}
    assert await stage.content(resource) == garbage
    assert (await stage.find(resource)).meta["error"] == recording.error
    assert recording.job_id is not None
    job = await stage.jobs.find(LOCAL_OPERATOR, str(recording.job_id))
    assert (job.status, job.error) == (JobStatus.ERRORED, recording.error)


async def test_text_is_kept_and_the_recording_says_why_it_failed(stage: ProcessingStage) -> None:
    recording = await stage.finish([b"no film at all"])

    assert recording.state is RecordingState.FAILED
    assert recording.error is not None
    assert "neither film, sound nor picture" in recording.error
    assert await stage.content(str(recording.id)) == b"no film at all"


async def test_a_failed_recording_can_be_processed_again(stage: ProcessingStage) -> None:
    recording = await stage.finish([b"no film at all"])

    await stage.jobs.signal(LOCAL_OPERATOR, str(recording.job_id), Signal.RETRY)
    found = await stage.recordings.find(LOCAL_OPERATOR, str(recording.id))
    assert found.state in {RecordingState.PROCESSING, RecordingState.FAILED}
    (job,) = await stage.run_all()

    assert job.status is JobStatus.ERRORED
    found = await stage.recordings.find(LOCAL_OPERATOR, str(recording.id))
    assert (found.state, found.error) == (RecordingState.FAILED, recording.error)


async def test_doubled_chunks_show_as_a_warning(stage: ProcessingStage) -> None:
    parts = chunks(make_recording("vp8", 2.0), 4)

    recording = await stage.finish([*parts[:3], parts[2], parts[3]])

    assert recording.state is RecordingState.COMPLETE
    assert recording.warning
    assert (await stage.find(str(recording.id))).meta["warnings"]


async def test_without_the_original_the_film_takes_its_place(stage: ProcessingStage) -> None:
    stage = replace(stage, keep_original=False)
    film = make_recording("vp8", 2.0)

    recording = await stage.finish([film])

    resource = str(recording.id)
    original, played = await stage.find(resource), await stage.find(resource, "processed.webm")
    assert (original.object_key, original.blake3) == (played.object_key, played.blake3)
    assert original.id == recording.media_id
    assert original.id != played.id
    assert original.meta["duration"] == pytest.approx(2.0, abs=0.2)
    assert len(await stage.objects()) == len(MADE) - 1
    assert await stage.content(resource) == await stage.content(resource, "processed.webm")


async def test_the_original_stays_when_something_is_wrong_with_it(stage: ProcessingStage) -> None:
    stage = replace(stage, keep_original=False)
    parts = chunks(make_recording("vp8", 2.0), 4)
    doubled = [*parts[:3], parts[2], parts[3]]

    recording = await stage.finish(doubled)

    assert recording.warning
    assert await stage.content(str(recording.id)) == b"".join(doubled)


@pytest.mark.parametrize("step", ["_add_original", "_complete"])
async def test_a_run_that_ends_between_two_steps_is_done_again(
    stage: ProcessingStage, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    film = make_recording("vp8", 2.0)
    recording = await stage.record([film])
    whole = getattr(recording_runs.RecordingRunner, step)

    async def cut(*arguments: object, **_: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(recording_runs.RecordingRunner, step, cut)
    with pytest.raises(asyncio.CancelledError):
        await stage.run_all()
    monkeypatch.setattr(recording_runs.RecordingRunner, step, whole)
    job = await stage.jobs.find(LOCAL_OPERATOR, str(recording.job_id))
    assert job.queue_id is not None
    await stage.workers.run(job.id, job.queue_id)  # as the worker that takes it over

    found = await stage.recordings.find(LOCAL_OPERATOR, str(recording.id))
    assert found.state is RecordingState.COMPLETE
    assert await stage.keys(str(recording.id)) == MADE
    assert await stage.content(str(recording.id)) == film


async def test_a_cancelled_recording_keeps_its_bytes_and_goes_on_when_it_is_retried(
    stage: ProcessingStage,
) -> None:
    film = make_recording("vp8", 2.0)
    recording = await stage.record([film])
    await stage.jobs.signal(LOCAL_OPERATOR, str(recording.job_id), Signal.CANCEL)

    found = await stage.recordings.find(LOCAL_OPERATOR, str(recording.id))
    assert found.state is RecordingState.FAILED
    assert found.error is not None
    assert "cancelled" in found.error

    await stage.jobs.signal(LOCAL_OPERATOR, str(recording.job_id), Signal.RETRY)
    await stage.run_all()
    found = await stage.recordings.find(LOCAL_OPERATOR, str(recording.id))
    assert (found.state, found.error) == (RecordingState.COMPLETE, None)
    assert await stage.content(str(recording.id)) == film


async def test_a_recording_that_is_deleted_while_it_is_processed_leaves_nothing(
    stage: ProcessingStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = await stage.record([make_recording("vp8", 2.0)])
    add_original = recording_runs.RecordingRunner._add_original

    async def add_and_delete(
        self: recording_runs.RecordingRunner, run: object, original: Media
    ) -> None:
        await add_original(self, run, original)  # type: ignore[arg-type]
        async with stage.database.begin() as transaction:
            await medias.remove_resource(transaction, original.id, owner=None)
        await stage.store.delete(original.object_key)
        raise NotFoundError("deleted")

    monkeypatch.setattr(recording_runs.RecordingRunner, "_add_original", add_and_delete)
    await stage.run_all()
    monkeypatch.undo()
    job = await stage.jobs.find(LOCAL_OPERATOR, str(recording.job_id))
    assert job.queue_id is not None
    await stage.workers.run(job.id, job.queue_id)

    assert await stage.keys(str(recording.id)) == set()
    assert await stage.objects() == set()


async def test_a_damaged_store_is_noticed(stage: ProcessingStage) -> None:
    recording = await stage.record([make_recording("vp8", 2.0)])
    async with stage.database.read() as connection:
        intake = await intakes.find(connection, recording.media_id)
    assert intake is not None
    content = await get(stage.store, intake.segments[0].object_key)
    path = stage.store.local_path(intake.segments[0].object_key)
    assert path is not None
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    (job,) = await stage.run_all()

    assert job.error is not None
    assert "does not give back what was received" in job.error
    assert await stage.keys(str(recording.id)) == set()


@pytest.mark.parametrize("keep_original", [True, False])
async def test_an_end_whose_answer_was_lost_is_not_taken_back(
    stage: ProcessingStage, monkeypatch: pytest.MonkeyPatch, keep_original: bool
) -> None:
    stage = replace(stage, keep_original=keep_original)
    recording = await stage.record([make_recording("vp8", 2.0)])
    lose_an_answer(monkeypatch)

    (job,) = await stage.run_all()

    assert (job.status, job.error) == (JobStatus.COMPLETED, None)
    resource = str(recording.id)
    assert await stage.keys(resource) == MADE
    for key in MADE:
        assert await stage.content(resource, key)
