"""Every query of intakes, on a real database."""

import asyncio
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from mediatheque.catalog import intakes
from mediatheque.catalog.database import Database
from mediatheque.domain.ids import new_id
from mediatheque.domain.intakes import NO_BYTES_CRC64NVME, Intake, Part, Segment
from tests.support.recordings import acknowledged, added_recording

A, B, C = Segment("staging/x/a", 5), Segment("staging/x/b", 7), Segment("staging/x/c", 12)


async def added(database: Database) -> UUID:
    intake_id = new_id()
    async with database.begin() as transaction:
        await intakes.add(transaction, intake_id)
    return intake_id


async def find(database: Database, intake_id: UUID) -> Intake | None:
    async with database.read() as connection:
        return await intakes.find(connection, intake_id)


async def take(
    database: Database, intake_id: UUID, holder: UUID, *, seconds: float = 60
) -> Intake | None:
    async with database.read() as connection:
        return await intakes.take(connection, intake_id, holder, seconds=seconds)


async def renew(database: Database, intake_id: UUID, holder: UUID) -> bool:
    async with database.read() as connection:
        return await intakes.renew(connection, intake_id, holder, seconds=60)


async def release(database: Database, intake_id: UUID, holder: UUID) -> None:
    async with database.read() as connection:
        await intakes.release(connection, intake_id, holder)


async def close(database: Database, intake_id: UUID) -> None:
    async with database.begin() as transaction:
        await intakes.close(transaction, intake_id)


async def test_a_new_intake_has_no_bytes(database: Database) -> None:
    found = await find(database, await added(database))

    assert found is not None
    assert (found.size, found.crc64nvme, found.segments) == (0, NO_BYTES_CRC64NVME, ())
    assert not found.closed
    assert found.touched_at == found.created_at
    assert await find(database, new_id()) is None


async def test_one_holder_at_a_time_has_an_intake(database: Database) -> None:
    intake_id, one, other = await added(database), uuid4(), uuid4()

    taken = await take(database, intake_id, one)

    assert taken == await find(database, intake_id)
    assert await take(database, intake_id, other) is None
    assert await take(database, intake_id, one) is not None, "the answer may have got lost"
    await release(database, intake_id, other)
    assert await take(database, intake_id, other) is None
    await release(database, intake_id, one)
    assert await take(database, intake_id, other) is not None
    assert await take(database, new_id(), one) is None


async def test_a_hold_ends_by_itself_unless_it_is_renewed(database: Database) -> None:
    ending, renewed = await added(database), await added(database)
    one, other = uuid4(), uuid4()
    for intake_id in (ending, renewed):
        await take(database, intake_id, one, seconds=0.05)
    assert await renew(database, renewed, one)
    await asyncio.sleep(0.06)

    assert await take(database, ending, other) is not None
    assert await take(database, renewed, other) is None
    assert not await renew(database, ending, one)


async def test_a_hold_that_has_ended_is_good_until_somebody_else_takes_it(
    database: Database,
) -> None:
    intake_id, holder = await added(database), uuid4()
    await take(database, intake_id, holder, seconds=0)

    assert await renew(database, intake_id, holder)


async def test_a_closed_intake_can_be_neither_taken_nor_kept(database: Database) -> None:
    intake_id, holder = await added(database), uuid4()
    await take(database, intake_id, holder)

    await close(database, intake_id)

    assert not await renew(database, intake_id, holder)
    assert await take(database, intake_id, holder) is None
    found = await find(database, intake_id)
    assert found is not None
    assert found.closed


each_history = pytest.mark.parametrize(
    "steps",
    [
        [(A,), (Segment(A.object_key, 9),), (Segment(A.object_key, 10),)],
        [(A, B), (A, Segment(B.object_key, 9)), (A, Segment(B.object_key, 10))],
        [(A,), (A, B), (A, B, A)],
        [(A, B), (C, A), (C, A, B)],
        [(A, B, A), (A, Segment("staging/x/merged", 20))],
        [(A, B), (A, Segment("staging/x/other", 9))],
        [(A,), (Segment(A.object_key, 9, Part("upload", 1, "etag")),)],
    ],
    ids=[
        "one that grows",
        "the last one that grows",
        "more and more",
        "merged at the front",
        "merged at the end",
        "another in place of the last",
        "a part in place of an object",
    ],
)


@each_history
async def test_segments_are_as_they_were_acknowledged_last(
    database: Database, steps: list[tuple[Segment, ...]]
) -> None:
    recording = await added_recording(database)

    for segments in steps:
        await acknowledged(database, recording, *segments)

        found = await find(database, recording.media_id)
        assert found is not None
        assert found.segments == segments
        assert found.size == sum(segment.size for segment in segments)
        assert found.crc64nvme == f"crc of {found.size}"


@each_history
async def test_bytes_that_mean_nothing_by_themselves_are_acknowledged_alike(
    database: Database, steps: list[tuple[Segment, ...]]
) -> None:
    intake_id, holder = await added(database), uuid4()
    intake = await take(database, intake_id, holder)
    for segments in steps:
        assert intake is not None
        size = sum(segment.size for segment in segments)
        acknowledgement = intakes.Acknowledgement(
            before=intake,
            holder=holder,
            segments=segments,
            size=size,
            crc64nvme=f"crc of {size}",
            kept_for=60,
        )
        touched_at = await intakes.acknowledge(database.group, acknowledgement)

        intake = await find(database, intake_id)
        assert intake is not None
        assert (intake.segments, intake.size, intake.crc64nvme, intake.touched_at) == (
            segments,
            size,
            f"crc of {size}",
            touched_at,
        )
        stranger = replace(acknowledgement, before=intake, holder=uuid4())
        assert await intakes.acknowledge(database.group, stranger) is None
        assert await find(database, intake_id) == intake


async def test_who_acknowledges_lets_go(database: Database) -> None:
    recording = await added_recording(database)
    await acknowledged(database, recording, A)

    found = await take(database, recording.media_id, uuid4())

    assert found is not None
    assert found.segments == (A,)


async def test_who_waited_for_the_row_sees_what_was_acknowledged_meanwhile(
    database: Database,
) -> None:
    recording = await added_recording(database)
    before = await take(database, recording.media_id, holder := uuid4(), seconds=0)
    assert before is not None
    acknowledgement = intakes.Acknowledgement(
        before=before, holder=holder, segments=(A, B), size=12, crc64nvme="crc"
    )
    async with database.begin() as transaction:
        await intakes._ACKNOWLEDGE.one(transaction, {**acknowledgement.values, "caller": 0})
        waiting = asyncio.create_task(take(database, recording.media_id, uuid4()))
        await asyncio.sleep(0.05)
        assert not waiting.done()

    taken = await waiting
    assert taken is not None
    assert (taken.size, taken.segments) == (12, (A, B))


async def test_an_intake_goes_once_with_its_segments(database: Database) -> None:
    recording = await added_recording(database)
    await acknowledged(database, recording, A, B)
    other = await added(database)
    ids = [recording.media_id, other, new_id()]

    async with database.begin() as transaction:
        assert await intakes.existing(transaction, ids) == {recording.media_id, other}
        assert await intakes.remove(transaction, recording.media_id)
        assert not await intakes.remove(transaction, recording.media_id)
        assert await intakes.existing(transaction, ids) == {other}
        assert await intakes.existing(transaction, []) == set()
        await intakes.add(transaction, recording.media_id)
    found = await find(database, recording.media_id)
    assert found is not None
    assert found.segments == ()
