"""What is found out about medias, and what is made of them on request."""

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from mediatheque.catalog.database import Database
from mediatheque.domain.access import LOCAL_OPERATOR, Principal
from mediatheque.domain.errors import InvalidError, NotFoundError
from mediatheque.domain.jobs import JobStatus, Signal
from mediatheque.domain.processing import Step
from mediatheque.processing.pool import ProcessingPool
from mediatheque.storage.local import LocalStore
from tests.support.films import make_recording
from tests.support.processing import LIMITS, ProcessingStage, lose_an_answer, nothing_left_in


@pytest.fixture
async def stage(database: Database, tmp_path: Path) -> AsyncIterator[ProcessingStage]:
    store = LocalStore(tmp_path / "objects", durable=False)
    pool = ProcessingPool(at_once=1, memory=1 << 30)
    with nothing_left_in(tmp_path / "work"):
        yield ProcessingStage(database, store, tmp_path / "work", pool)
    await pool.close()
    await store.close()


def picture() -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(content, "PNG")
    return content.getvalue()


async def test_an_upload_is_looked_into(stage: ProcessingStage) -> None:
    media = await stage.upload("a.webm", make_recording("vp8", 2.0))
    assert media.meta == {}

    (job,) = await stage.run_all()

    assert (job.status, job.job_class, job.priority) == (JobStatus.COMPLETED, "processing", -10)
    assert job.arguments == {"medias": [str(media.id)], "steps": ["probe"]}
    meta = (await stage.find("a.webm")).meta
    assert meta["kind"] == "video"
    assert meta["duration"] == pytest.approx(2.0, abs=0.2)
    assert (meta["video"]["width"], meta["video"]["height"]) == (160, 120)
    assert await stage.keys("a.webm") == {""}


async def test_a_picture_is_looked_into(stage: ProcessingStage) -> None:
    await stage.upload("a.png", picture())

    await stage.run_all()

    meta = (await stage.find("a.png")).meta
    assert (meta["kind"], meta["image"]["width"], meta["image"]["height"]) == ("image", 64, 48)


async def test_what_is_no_media_is_not_looked_into(stage: ProcessingStage) -> None:
    await stage.upload("a.txt", b"text")
    await stage.upload("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>")

    assert await stage.waiting() == []


@pytest.mark.parametrize("limits", [replace(LIMITS, probe=False), replace(LIMITS, max_size=10)])
async def test_nothing_is_looked_into_beyond_the_settings(
    stage: ProcessingStage, limits: object
) -> None:
    stage = replace(stage, limits=limits)  # type: ignore[arg-type]
    await stage.upload("a.png", picture())

    assert await stage.waiting() == []


async def test_sound_alone_gets_the_type_of_sound(stage: ProcessingStage) -> None:
    media = await stage.upload("a.webm", make_recording("opus", 1.0))
    assert media.mime_type == "video/webm"

    await stage.run_all()

    assert (await stage.find("a.webm")).mime_type == "audio/webm"


async def test_a_broken_media_says_so_and_its_job_fails(stage: ProcessingStage) -> None:
    await stage.upload("a.png", picture()[:40])

    (job,) = await stage.run_all()

    meta = (await stage.find("a.png")).meta
    assert job.status is JobStatus.ERRORED
    assert job.error == f"a.png: {meta['error']}"
    assert await stage.content("a.png") == picture()[:40]


async def test_several_medias_in_one_job_each_get_what_is_known_of_them(
    stage: ProcessingStage,
) -> None:
    stage_without = replace(stage, limits=replace(LIMITS, probe=False))
    good = await stage_without.upload("good.png", picture())
    broken = await stage_without.upload("broken.png", picture()[:40])
    async with stage.database.begin() as transaction:
        await stage.processing.probe_in(transaction, LOCAL_OPERATOR, [broken, good])

    (job,) = await stage.run_all()

    assert job.status is JobStatus.ERRORED
    assert job.error is not None
    assert job.error.startswith("1 of 2 medias could not be processed. The first: broken.png: ")
    assert (await stage.find("good.png")).meta["image"]["width"] == 64


async def test_hls_is_made_on_request_and_what_was_made_before_is_replaced(
    stage: ProcessingStage,
) -> None:
    await stage.upload("a.mp4", make_recording("h264", 2.0, audio=False))
    await stage.run_all()

    for _ in range(2):
        wanted = [Step.HLS, Step.THUMBNAIL]
        job = await stage.processing.request(LOCAL_OPERATOR, "a.mp4", wanted)
        again = await stage.processing.request(LOCAL_OPERATOR, "a.mp4", wanted[::-1])
        assert again.id == job.id
        assert job.arguments["steps"] == ["thumbnail", "hls"]
        (ended,) = await stage.run_all()
        assert (ended.status, ended.error) == (JobStatus.COMPLETED, None)

    hls = {"master.m3u8", "index.m3u8", "seg.m4s"}
    assert await stage.keys("a.mp4") == {"", "thumbnail.jpg", "thumbnail.webp", *hls}
    assert len(await stage.objects()) == 6
    assert b"index.m3u8" in await stage.content("a.mp4", "master.m3u8")
    assert b"seg.m4s" in await stage.content("a.mp4", "index.m3u8")
    assert (await stage.find("a.mp4")).meta["kind"] == "video"


async def test_a_step_that_cannot_be_done_fails_the_job_and_the_others_are_kept(
    stage: ProcessingStage,
) -> None:
    await stage.upload("a.webm", make_recording("vp8", 2.0))
    await stage.run_all()
    await stage.processing.request(LOCAL_OPERATOR, "a.webm", [Step.HLS, Step.THUMBNAIL])

    (job,) = await stage.run_all()

    assert job.status is JobStatus.ERRORED
    assert job.error is not None
    assert job.error.startswith("a.webm: ")
    assert await stage.keys("a.webm") == {"", "thumbnail.jpg", "thumbnail.webp"}


async def test_a_request_that_makes_no_sense_is_refused(stage: ProcessingStage) -> None:
    await stage.upload("a.txt", b"text")
    with pytest.raises(NotFoundError, match="There is no resource 'b'"):
        await stage.processing.request(LOCAL_OPERATOR, "b", [Step.HLS])
    with pytest.raises(InvalidError, match="neither film, sound nor picture"):
        await stage.processing.request(LOCAL_OPERATOR, "a.txt", [Step.HLS])
    with pytest.raises(InvalidError, match="at least one step"):
        await stage.processing.request(LOCAL_OPERATOR, "a.txt", [])
    with pytest.raises(NotFoundError):
        await stage.processing.request(Principal("somebody", "user"), "a.txt", [Step.HLS])


async def test_a_job_that_is_cancelled_ends_its_child_and_leaves_nothing(
    stage: ProcessingStage,
) -> None:
    await stage.upload("a.webm", make_recording("vp8", 2.0))
    (job,) = await stage.waiting()
    assert job.queue_id is not None

    running = asyncio.create_task(stage.workers.run(job.id, job.queue_id))
    while (await stage.jobs.find(LOCAL_OPERATOR, str(job.id))).status is JobStatus.PENDING:
        await asyncio.sleep(0.005)
    await stage.jobs.signal(LOCAL_OPERATOR, str(job.id), Signal.CANCEL)
    await stage.workers.hear_signals()
    await running

    ended = await stage.jobs.find(LOCAL_OPERATOR, str(job.id))
    assert ended.status is JobStatus.CANCELLED
    assert (await stage.find("a.webm")).meta == {}


async def test_a_media_that_was_deleted_is_passed_over(stage: ProcessingStage) -> None:
    media = await stage.upload("a.png", picture())
    async with stage.database.begin() as transaction:
        from mediatheque.catalog import medias

        await medias.remove_resource(transaction, media.id, owner=None)

    (job,) = await stage.run_all()

    assert job.status is JobStatus.COMPLETED


async def test_results_whose_answer_was_lost_are_not_taken_back(
    stage: ProcessingStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.upload("a.png", picture())
    await stage.run_all()
    await stage.processing.request(LOCAL_OPERATOR, "a.png", [Step.THUMBNAIL])
    lose_an_answer(monkeypatch)

    (job,) = await stage.run_all()

    assert (job.status, job.error) == (JobStatus.COMPLETED, None)
    assert await stage.content("a.png", "thumbnail.jpg")
    assert await stage.content("a.png", "thumbnail.webp")
