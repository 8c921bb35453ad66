"""Every query of recordings, on a real database."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from mediatheque.catalog import intakes, recordings
from mediatheque.catalog.database import Database
from mediatheque.domain.access import LOCAL_OPERATOR
from mediatheque.domain.ids import new_id
from mediatheque.domain.intakes import Segment
from mediatheque.domain.recordings import Chunk, Recording, RecordingState
from mediatheque.services.jobs import JobService
from tests.support.database import a_media, add_medias, execute
from tests.support.recordings import acknowledged, added_recording

FAR = datetime(2100, 1, 1, tzinfo=UTC)


async def find(database: Database, wanted: UUID, owner: str | None = None) -> Recording | None:
    async with database.read() as connection:
        return await recordings.find(connection, wanted, owner=owner)


async def change(database: Database, recording: Recording, **values: Any) -> Recording:
    async with database.begin() as transaction:
        return await recordings.change(transaction, recording.id, **values)


async def grown(database: Database, recording: Recording, size: int) -> Recording:
    """Acknowledge a chunk that brings a recording to ``size`` bytes."""
    segments = [Segment("staging/x/a", size)] if size else []
    return await acknowledged(database, recording, *segments, blake3=f"hash of {size}")


async def quiet(database: Database, before: datetime = FAR, limit: int = 10) -> list[UUID]:
    async with database.read() as connection:
        return [one.id for one in await recordings.quiet(connection, before, limit=limit)]


async def hold(
    database: Database, recording: Recording, seconds: float, *, release: bool = False
) -> None:
    holder = uuid4()
    async with database.read() as connection:
        assert await intakes.take(connection, recording.media_id, holder, seconds=seconds)
        if release:
            await intakes.release(connection, recording.media_id, holder)


async def test_a_recording_is_found_as_it_was_added(database: Database) -> None:
    added = await added_recording(database)

    assert await find(database, added.id) == added
    assert added.state is RecordingState.RECORDING
    assert (added.chunks, added.size) == (0, 0)
    assert (added.warning, added.error, added.job_id, added.finished_at) == (None,) * 4
    assert (added.created_by, added.created_role) == ("alice", "member")


async def test_only_the_owner_and_operators_find_a_recording(database: Database) -> None:
    added = await added_recording(database)

    assert await find(database, added.id, "alice") == added
    assert await find(database, added.id, "bob") is None
    assert await find(database, uuid4()) is None


async def test_a_new_recording_has_the_time_of_its_intake(database: Database) -> None:
    added = await added_recording(database)
    grew = await grown(database, added, 3)

    async with database.read() as connection:
        intake = await intakes.find(connection, added.media_id)
    assert intake is not None
    assert added.updated_at == intake.created_at
    assert grew.updated_at == intake.touched_at > added.updated_at


async def test_chunks_are_numbered_and_follow_each_other(database: Database) -> None:
    recording = await added_recording(database)
    for size in (5, 5, 12):
        recording = await grown(database, recording, size)

    assert await find(database, recording.id) == recording
    assert (recording.chunks, recording.size) == (3, 12)
    async with database.read() as connection:
        several = [await recordings.chunk(connection, recording.id, n) for n in range(4)]
        at = [await recordings.chunk_at(connection, recording.id, n) for n in (0, 5, 1)]
    first, empty = Chunk(0, 0, 5, "hash of 5"), Chunk(1, 5, 0, "hash of 5")
    last = Chunk(2, 5, 7, "hash of 12")
    assert several == [first, empty, last, None]
    assert at == [first, last, None]


@pytest.mark.parametrize("loss", ["taken by another", "closed"])
async def test_who_lost_its_hold_acknowledges_nothing(database: Database, loss: str) -> None:
    recording, holder = await added_recording(database), uuid4()
    async with database.begin() as transaction:
        before = await intakes.take(transaction, recording.media_id, holder, seconds=0)
    assert before is not None
    if loss == "closed":
        async with database.begin() as transaction:
            await intakes.close(transaction, recording.media_id)
    else:
        await hold(database, recording, 60)
    acknowledgement = intakes.Acknowledgement(
        before=before, holder=holder, segments=[Segment("a", 1)], size=1, crc64nvme="crc"
    )

    added = await recordings.add_chunk(
        database.group, acknowledgement, recording, size=1, blake3="b3"
    )
    async with database.read() as connection:
        assert await recordings.chunk(connection, recording.id, 0) is None
        intake = await intakes.find(connection, recording.media_id)

    assert added is None
    assert await find(database, recording.id) == recording
    assert intake is not None
    assert (intake.size, intake.segments) == (0, ())


@pytest.mark.parametrize(
    ("status", "state", "error"),
    [
        ("pending", "processing", None),
        ("running", "processing", None),
        ("completed", "processing", None),
        ("errored", "failed", "why"),
        ("cancelled", "failed", "Processing was cancelled; retry its job."),
    ],
)
async def test_what_becomes_of_a_recording_in_work_its_job_tells(
    database: Database, database_url: str, status: str, state: str, error: str | None
) -> None:
    job = await JobService(database).enqueue(
        LOCAL_OPERATOR, job_class="x", queue="nobody", arguments={}
    )
    recording = await added_recording(database)
    changed = await change(database, recording, state=RecordingState.PROCESSING, job_id=job.id)
    assert changed.updated_at > recording.updated_at
    await execute(database_url, "UPDATE jobs SET status = $1, error = 'why'", status)

    found = await find(database, recording.id)

    assert found is not None
    assert (found.state, found.error, found.job_id) == (state, error, job.id)
    async with database.begin() as transaction:
        assert await recordings.lock(transaction, recording.id) == found
        assert await recordings.lock(transaction, uuid4()) is None


async def test_a_recording_with_neither_intake_nor_medias_is_not_there_and_goes(
    database: Database,
) -> None:
    states = [RecordingState.PROCESSING, RecordingState.COMPLETE, RecordingState.FAILED]
    gone = [await added_recording(database) for _ in states]
    kept = [await added_recording(database) for _ in states]
    live = await added_recording(database)
    async with database.begin() as transaction:
        for recording, state in zip([*gone, *kept], states * 2, strict=True):
            await recordings.change(transaction, recording.id, state=state)
            await intakes.remove(transaction, recording.media_id)
    await add_medias(database, *(a_media(resource=str(one.id), key="x.jpg") for one in kept))

    assert [await find(database, one.id) for one in gone] == [None] * 3
    assert all([await find(database, one.id) for one in kept])
    counts = []
    for _ in range(3):
        async with database.begin() as transaction:
            counts.append(await recordings.remove_forgotten(transaction, limit=2))
    assert counts == [2, 1, 0]
    assert all([await find(database, one.id) for one in (*kept, live)])


async def test_pages_are_newest_first_and_follow_each_other(database: Database) -> None:
    async with database.begin() as transaction:  # all at the same time: then the id decides
        for _ in range(3):
            await intakes.add(transaction, media_id := new_id())
            await recordings.add(
                transaction, id=uuid4(), media_id=media_id, created_by="bob", created_role="member"
            )
    last = await added_recording(database)

    async def page(after: Recording | None, owner: str | None = None) -> list[Recording]:
        async with database.read() as connection:
            return await recordings.page(connection, after=after, limit=2, owner=owner)

    first = await page(None)
    second = await page(first[-1])
    assert first[0] == last
    assert await page(second[-1]) == []
    together = first + second
    assert together == sorted(together, key=lambda one: (one.created_at, one.id), reverse=True)
    assert len(set(together)) == 4
    assert await page(None, "alice") == [last]


async def test_quiet_are_those_with_bytes_that_nobody_adds_to(database: Database) -> None:
    several = {
        name: await added_recording(database)
        for name in ("quiet", "empty", "held", "tried", "was held", "processing", "complete")
    }
    for name, recording in several.items():
        if name != "empty":
            several[name] = await grown(database, recording, 3)
    await hold(database, several["held"], 60)
    await hold(database, several["tried"], 60, release=True)
    await hold(database, several["was held"], 0)
    await change(database, several["processing"], state=RecordingState.PROCESSING)
    await change(database, several["complete"], state=RecordingState.COMPLETE)

    wanted = [several["quiet"].id, several["was held"].id]
    assert await quiet(database) == wanted
    assert await quiet(database, limit=1) == wanted[:1]
    assert await quiet(database, before=several["was held"].updated_at) == wanted[:1]


async def test_empty_recordings_go_with_their_intakes_unless_somebody_adds_to_them(
    database: Database,
) -> None:
    empty, held, tried, full = [await added_recording(database) for _ in range(4)]
    young = await added_recording(database)
    await hold(database, held, 60)
    await hold(database, tried, 60, release=True)
    await grown(database, full, 3)

    counts = []
    for _ in range(2):
        async with database.begin() as transaction:
            counts.append(await recordings.remove_empty(transaction, young.updated_at, limit=10))

    assert counts == [1, 0]
    assert await find(database, empty.id) is None
    async with database.read() as connection:
        ids = [one.media_id for one in (empty, held, tried, full, young)]
        assert await intakes.existing(connection, ids) == set(ids[1:])


async def test_those_that_wait_for_a_deleted_job_are_given_to_one_worker_each(
    database: Database,
) -> None:
    jobs = JobService(database)
    waiting, lost = await added_recording(database), await added_recording(database)
    for recording in (waiting, lost):
        job = await jobs.enqueue(LOCAL_OPERATOR, job_class="x", queue="nobody", arguments={})
        await change(database, recording, state=RecordingState.PROCESSING, job_id=job.id)
    await jobs.remove(LOCAL_OPERATOR, str(job.id))
    await added_recording(database)

    async with database.begin() as one, database.begin() as other:
        found = await recordings.lock_without_job(one, limit=10)
        assert [recording.id for recording in found] == [lost.id]
        assert await recordings.lock_without_job(other, limit=10) == []
