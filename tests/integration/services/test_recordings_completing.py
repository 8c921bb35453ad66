"""Completing recordings: by people, by themselves, during a chunk; what their jobs make of it."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mediatheque.catalog import intakes, medias, recordings
from mediatheque.catalog.database import Database
from mediatheque.domain.access import LOCAL_OPERATOR, Principal
from mediatheque.domain.errors import ConflictError, NotFoundError
from mediatheque.domain.jobs import Job, JobStatus, Signal
from mediatheque.domain.paging import Listing
from mediatheque.domain.recordings import ChunkConflictError, Recording, RecordingState
from mediatheque.services import recordings as service
from mediatheque.services.identity import IdentityService
from mediatheque.services.janitor import Janitor
from mediatheque.storage import keys
from mediatheque.storage.local import LocalStore
from tests.support.database import a_media, add_medias, execute
from tests.support.recordings import EXPIRY, QUIET_AFTER, RecordingStage

ALICE = Principal("alice", "member")


@pytest.fixture
def stage(database: Database, store: LocalStore) -> RecordingStage:
    return RecordingStage(database, store)


@pytest.fixture
def other(stage: RecordingStage) -> RecordingStage:
    """The services of another process."""
    return RecordingStage(stage.database, stage.store)


async def jobs_of(stage: RecordingStage) -> list[Job]:
    return (await stage.jobs.page(LOCAL_OPERATOR, Listing(), count=False)).jobs


async def job_of(stage: RecordingStage, recording: Recording) -> Job:
    found = await stage.find(recording)
    return await stage.jobs.find(LOCAL_OPERATOR, str(found.job_id))


async def age(database_url: str, recording: Recording, seconds: float) -> None:
    """Let a recording have been touched last so long ago."""
    then = datetime.now(UTC) - timedelta(seconds=seconds)
    await execute(
        database_url, "UPDATE recordings SET updated_at = $1 WHERE id = $2", then, recording.id
    )
    await execute(
        database_url, "UPDATE intakes SET touched_at = $1 WHERE id = $2", then, recording.media_id
    )


async def add_slowly(
    stage: RecordingStage, recording: Recording
) -> tuple["asyncio.Task[Recording]", asyncio.Event]:
    """Begin to add a chunk ``xyz``; it goes on to its end once the event is set."""
    sending, rest = asyncio.Event(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"xy"
        sending.set()
        await rest.wait()
        yield b"z"

    task = asyncio.create_task(stage.add_from(recording, body()))
    await sending.wait()
    return task, rest


async def test_a_completed_recording_waits_for_its_job(stage: RecordingStage) -> None:
    recording = await stage.recorded(b"abc", principal=ALICE)

    completed = await stage.complete(recording)

    assert completed == await stage.find(recording, ALICE)
    assert completed.state is RecordingState.PROCESSING
    assert (completed.chunks, completed.size) == (1, 3)
    job = await job_of(stage, recording)
    assert (job.job_class, job.queue, job.priority) == ("recording", "recordings", 10)
    assert job.arguments == {"recording": str(recording.id)}
    assert (job.created_by, job.created_role) == ("alice", "member")
    assert await stage.read(completed) == b"abc"


async def test_completing_again_changes_nothing(
    stage: RecordingStage, other: RecordingStage
) -> None:
    recording = await stage.recorded(b"abc")

    answers = await asyncio.gather(
        *(which.complete(recording) for which in (stage, other, stage, other))
    )

    assert len({answer.job_id for answer in answers}) == 1
    assert len(await jobs_of(stage)) == 1
    assert await stage.complete(recording) == answers[0]


@pytest.mark.parametrize("place", [{}, {"number": 0}, {"number": 1}, {"offset": 0}], ids=str)
async def test_a_completed_recording_takes_no_chunk(
    stage: RecordingStage, place: dict[str, int]
) -> None:
    recording = await stage.recorded(b"abc")
    await stage.complete(recording)

    with pytest.raises(ChunkConflictError, match="complete and takes no more") as refused:
        await stage.add(recording, b"abc", **place)

    assert (refused.value.chunks, refused.value.size) == (1, 3)


async def test_a_recording_without_bytes_cannot_be_completed(stage: RecordingStage) -> None:
    recording = await stage.create()
    await stage.add(recording, number=0)

    with pytest.raises(ConflictError, match="no bytes"):
        await stage.complete(recording)

    assert await jobs_of(stage) == []
    assert (await stage.add(recording, b"abc")).size == 3


@pytest.mark.parametrize("same", [True, False], ids=["same process", "another process"])
async def test_completing_waits_for_the_chunk_under_way(
    stage: RecordingStage, other: RecordingStage, same: bool
) -> None:
    recording = await stage.recorded(b"abc")
    adding, rest = await add_slowly(stage, recording)

    completing = asyncio.create_task((stage if same else other).complete(recording))
    await asyncio.sleep(0.05)
    assert not completing.done()
    rest.set()

    assert (await adding).size == (await completing).size == 6
    assert await stage.read(recording) == b"abcxyz"


@pytest.mark.parametrize("same", [True, False], ids=["same process", "another process"])
async def test_a_chunk_that_takes_too_long_is_refused_rather_than_waited_for(
    stage: RecordingStage, other: RecordingStage, same: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_COMPLETE_PATIENCE_SECONDS", 0.05)
    recording = await stage.recorded(b"abc")
    adding, rest = await add_slowly(stage, recording)

    completed = await (stage if same else other).complete(recording)
    rest.set()

    assert completed.size == 3
    with pytest.raises(ChunkConflictError, match="complete and takes no more"):
        await adding
    assert await stage.read(recording) == b"abc"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (JobStatus.ERRORED, "Nothing could be made of it."),
        (JobStatus.CANCELLED, "Processing was cancelled; retry its job."),
    ],
)
async def test_a_recording_fails_with_its_job_and_is_in_work_again_when_that_is_retried(
    stage: RecordingStage, database_url: str, status: JobStatus, error: str
) -> None:
    recording = await stage.recorded(b"abc")
    await stage.complete(recording)
    await execute(
        database_url,
        "UPDATE jobs SET status = $1, error = 'Nothing could be made of it.'",
        status.value,
    )

    failed = await stage.complete(recording)
    assert (failed.state, failed.error) == (RecordingState.FAILED, error)
    job = await job_of(stage, recording)
    await stage.jobs.signal(LOCAL_OPERATOR, str(job.id), Signal.RETRY)

    retried = await stage.find(recording)
    assert (retried.state, retried.error) == (RecordingState.PROCESSING, None)


async def test_a_deleted_job_is_made_again_once(
    stage: RecordingStage, other: RecordingStage
) -> None:
    recording = await stage.recorded(b"abc", principal=ALICE)
    job_id = (await stage.complete(recording)).job_id
    await stage.jobs.remove(LOCAL_OPERATOR, str(job_id))
    assert (await stage.find(recording)).state is RecordingState.PROCESSING

    await asyncio.gather(stage.recordings.complete_quiet(), other.recordings.complete_quiet())
    await stage.recordings.complete_quiet()

    (job,) = await jobs_of(stage)
    assert (await stage.find(recording)).job_id == job.id != job_id
    assert job.created_by == "alice"


async def test_a_quiet_recording_is_completed_once_by_any_worker(
    stage: RecordingStage, other: RecordingStage, database_url: str
) -> None:
    quiet = await stage.recorded(b"abc", principal=ALICE)
    lively = await stage.recorded(b"abc")
    empty = await stage.create()
    for recording, seconds in ((quiet, 1), (lively, -60), (empty, 1)):
        await age(database_url, recording, QUIET_AFTER + seconds)

    await asyncio.gather(stage.recordings.complete_quiet(), other.recordings.complete_quiet())

    (job,) = await jobs_of(stage)
    assert job.arguments == {"recording": str(quiet.id)}
    assert job.created_by == "alice"
    states = [(await stage.find(recording)).state for recording in (quiet, lively, empty)]
    assert states == ["processing", "recording", "recording"]


async def test_a_recording_whose_chunk_takes_long_is_not_quiet(
    stage: RecordingStage, other: RecordingStage, database_url: str
) -> None:
    recording = await stage.recorded(b"abc")
    adding, rest = await add_slowly(stage, recording)
    await age(database_url, recording, QUIET_AFTER + 1)

    await other.recordings.complete_quiet()
    rest.set()

    assert (await adding).state is RecordingState.RECORDING
    assert await stage.read(recording) == b"abcxyz"


async def test_a_recording_without_bytes_is_removed_when_it_is_old(
    stage: RecordingStage, database_url: str
) -> None:
    old, young, full = await stage.create(), await stage.create(), await stage.recorded(b"abc")
    in_use = await stage.create()
    adding, rest = await add_slowly(stage, in_use)
    for recording in (old, full, in_use):
        await age(database_url, recording, EXPIRY + 1)

    await stage.recordings.complete_quiet()
    rest.set()

    with pytest.raises(NotFoundError):
        await stage.find(old)
    assert await stage.of_intake(old) is None
    assert (await stage.find(young)).size == 0
    assert (await stage.find(full)).size == 3
    assert (await adding).size == 3


async def join(stage: RecordingStage, recording: Recording) -> str:
    """Make its bytes one object, as its job does; return the key."""
    intake = await stage.of_intake(recording)
    assert intake is not None
    key = keys.original(recording.media_id, "recording.webm")
    await stage.store.join(intake, key, content_type="video/webm")
    return key


async def finish(stage: RecordingStage, recording: Recording, key: str) -> None:
    """Let the recording have become a media."""
    media = a_media(id=recording.media_id, resource=str(recording.id), object_key=key)
    async with stage.database.begin() as transaction:
        await medias.add(transaction, media)
        await intakes.remove(transaction, recording.media_id)
        await recordings.change(transaction, recording.id, state=RecordingState.COMPLETE)


async def test_what_was_received_can_be_read_at_every_step_of_its_becoming_a_media(
    stage: RecordingStage,
) -> None:
    recording = await stage.recorded(b"abc", b"def")
    await stage.complete(recording)
    seen = [await stage.read(recording, 1, 5)]

    key = await join(stage, recording)
    seen.append(await stage.read(recording, 1, 5))
    await finish(stage, recording, key)
    seen.append(await stage.read(recording, 1, 5))

    assert seen == [b"bcde"] * 3


async def test_a_reader_goes_on_when_the_bytes_move_meanwhile(stage: RecordingStage) -> None:
    bodies = [bytes([number]) * (1 << 20) for number in range(4)]
    recording = await stage.recorded(*bodies)
    await stage.complete(recording)
    read = b""

    async for piece in stage.recordings.read(recording, 0, recording.size):
        if not read:
            await finish(stage, recording, await join(stage, recording))
        read += piece

    assert read == b"".join(bodies)


async def test_a_reader_ends_when_the_store_has_less_than_was_received(
    stage: RecordingStage,
) -> None:
    recording = await stage.recorded(b"abcdef")
    [info] = [info async for info in stage.store.list(keys.STAGING)]
    path = stage.store.local_path(info.key)
    assert path is not None
    os.truncate(path, 4)

    with pytest.raises(NotFoundError, match="only 4 of the 6 bytes"):
        async with asyncio.timeout(10):
            await stage.read(recording)


async def test_what_ended_while_it_was_to_be_completed_is_complete(
    stage: RecordingStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = await stage.recorded(b"abc")
    await stage.complete(recording)
    await finish(stage, recording, await join(stage, recording))

    async def found(*_: object) -> Recording:
        return recording  # as it was before all of that

    monkeypatch.setattr(stage.recordings, "find", found)
    completed = await stage.recordings.complete(LOCAL_OPERATOR, str(recording.id))
    assert completed.state is RecordingState.COMPLETE


async def test_the_medias_of_a_recording_are_those_of_its_resource(stage: RecordingStage) -> None:
    recording = await stage.recorded(b"abc", principal=ALICE)
    assert await stage.recordings.medias(LOCAL_OPERATOR, recording) == []
    several = [
        a_media(resource=str(recording.id), key=key, created_by="alice")
        for key in ("", "thumbnail.jpg")
    ]
    await add_medias(stage.database, *several, a_media())

    for principal in (LOCAL_OPERATOR, ALICE):
        found = await stage.recordings.medias(principal, recording)
        assert {media.id for media in found} == {media.id for media in several}
    assert await stage.recordings.medias(Principal("bob", "member"), recording) == []


async def test_a_recording_is_not_found_once_its_medias_are_deleted(
    stage: RecordingStage,
) -> None:
    recording = await stage.recorded(b"abc")
    await finish(stage, recording, await join(stage, recording))
    assert (await stage.find(recording)).state is RecordingState.COMPLETE

    async with stage.database.begin() as transaction:
        await medias.remove_resource(transaction, recording.media_id, owner=None)

    attempts: list[Any] = [stage.find(recording), stage.complete(recording)]
    for attempt in attempts:
        with pytest.raises(NotFoundError, match="Video not found"):
            await attempt


async def test_the_janitor_leaves_recordings_alone_until_nobody_wants_them(
    stage: RecordingStage,
) -> None:
    janitor = Janitor(
        stage.database,
        stage.store,
        IdentityService(stage.database, stage.store),
        orphan_age=0,
        unfinished_age=0,
    )
    recording = await stage.recorded(b"abc")
    joined = await stage.recorded(b"def")
    await stage.complete(joined)
    key = await join(stage, joined)

    assert (await janitor.sweep()).objects == 0
    assert await stage.read(recording) == b"abc"
    assert await stage.read(joined) == b"def"

    await finish(stage, joined, key)
    async with stage.database.begin() as transaction:
        await medias.remove_resource(transaction, joined.media_id, owner=None)
        await intakes.remove(transaction, recording.media_id)
    assert (await janitor.sweep()).objects == 2
    async with stage.database.begin() as transaction:
        assert await recordings.lock(transaction, joined.id) is None
