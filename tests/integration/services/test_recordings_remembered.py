"""What a process remembers of a recording is never taken for what the recording is now."""

from typing import Any

import pytest

from mediatheque.catalog.database import Database
from mediatheque.domain.access import Principal
from mediatheque.domain.errors import NotFoundError
from mediatheque.domain.recordings import ChunkConflictError
from mediatheque.services import recordings
from mediatheque.services.jobs import enqueue_in
from mediatheque.storage.local import LocalStore
from tests.support.intakes import open_files
from tests.support.recordings import RecordingStage

ALICE = Principal("alice", "member")
BOB = Principal("bob", "member")


@pytest.fixture
def stage(database: Database, store: LocalStore) -> RecordingStage:
    return RecordingStage(database, store)


@pytest.fixture
def other(stage: RecordingStage) -> RecordingStage:
    """Return another process on the same database and store."""
    return RecordingStage(stage.database, stage.store)


async def test_a_chunk_goes_behind_those_that_another_process_has_taken_since(
    stage: RecordingStage, other: RecordingStage
) -> None:
    recording = await stage.recorded(b"one ")
    await other.add(recording, b"two ")

    added = await stage.add(recording, b"three")

    assert (added.chunks, added.size) == (3, 13)
    assert await stage.read(recording) == b"one two three"


async def test_a_chunk_that_another_process_has_taken_is_compared_with_that(
    stage: RecordingStage, other: RecordingStage
) -> None:
    recording = await stage.recorded(b"one ")
    await other.add(recording, b"two ", number=1)

    assert (await stage.add(recording, b"two ", number=1)).chunks == 2
    with pytest.raises(ChunkConflictError, match="with other bytes"):
        await stage.add(recording, b"2", number=1)


@pytest.mark.parametrize("number", [None, 0, 1])
async def test_a_recording_that_another_process_completed_takes_no_more_chunks(
    stage: RecordingStage, other: RecordingStage, number: int | None
) -> None:
    recording = await stage.recorded(b"one ")
    await other.complete(recording)

    with pytest.raises(ChunkConflictError, match="complete"):
        await stage.add(recording, b"one ", number=number)


async def test_a_recording_of_somebody_else_stays_unknown(stage: RecordingStage) -> None:
    recording = await stage.recorded(b"one ", principal=ALICE)

    with pytest.raises(NotFoundError):
        await stage.add(recording, b"two", principal=BOB)

    assert (await stage.add(recording, b"two", principal=ALICE)).chunks == 2


async def test_only_so_many_recordings_are_remembered(
    stage: RecordingStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "_MOST_KNOWN", 2)
    several = [await stage.recorded(b"one ") for _ in range(4)]

    assert len(stage.recordings._known) == 2
    assert [(await stage.add(one, b"two")).chunks for one in several] == [2, 2, 2, 2]


async def test_the_file_of_a_recording_is_closed_before_its_job_may_move_it(
    stage: RecordingStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be copied while somebody has it locked."""
    stage.intake.keep_while(lambda: True)
    recording = await stage.recorded(b"one ")
    open_then: list[list[str]] = []

    async def noted(*arguments: Any, **more: Any) -> Any:
        open_then.append(open_files(recording.media_id))
        return await enqueue_in(*arguments, **more)

    monkeypatch.setattr("mediatheque.services.recordings.enqueue_in", noted)
    assert open_files(recording.media_id)
    await stage.complete(recording)
    assert open_then == [[]]
