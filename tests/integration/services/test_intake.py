"""Holding an intake: one at a time, in all processes; who lost it commits nothing."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from mediatheque.catalog import intakes, recordings
from mediatheque.catalog.database import Database
from mediatheque.domain.errors import NotFoundError, UnavailableError
from mediatheque.domain.ids import new_id
from mediatheque.domain.intakes import Intake
from mediatheque.domain.recordings import Recording
from mediatheque.services.held_intake import HeldIntake, HoldLostError
from mediatheque.services.intake import (
    IntakeBusyError,
    IntakeClosedError,
    IntakeService,
)
from mediatheque.storage.intakes import Appended
from mediatheque.storage.local import LocalStore
from mediatheque.storage.remote import open_remote
from mediatheque.storage.stores import Store
from tests.support.database import execute
from tests.support.parts import pieces
from tests.support.recordings import added_recording
from tests.support.stores import get, keys

PATIENT = 10.0
LEASE = 0.15


@pytest.fixture
async def recording(database: Database) -> Recording:
    return await added_recording(database)


async def find(database: Database, recording: Recording) -> Intake:
    async with database.read() as connection:
        found = await intakes.find(connection, recording.media_id)
    assert found is not None
    return found


async def commit(held: HeldIntake, recording: Recording, appended: Appended) -> Recording:
    size = appended.size - held.intake.size
    return await held.commit(
        appended,
        lambda group, acknowledgement: recordings.add_chunk(
            group, acknowledgement, recording, size=size, blake3="b3"
        ),
    )


async def append(service: IntakeService, recording: Recording, *body: bytes) -> Recording:
    """Add one piece, as a request does."""
    async with service.hold(recording.media_id, patience=PATIENT) as held:
        return await commit(held, recording, await held.append(pieces(*body)))


async def received(database: Database, store: Store, recording: Recording) -> bytes:
    segments = (await find(database, recording)).segments
    return b"".join([await get(store, one.object_key, 0, one.size) for one in segments])


async def test_bytes_count_once_they_are_committed(
    database: Database, store: LocalStore, recording: Recording
) -> None:
    service = IntakeService(database, store)

    await append(service, recording, b"ab", b"c")
    async with service.hold(recording.media_id, patience=PATIENT) as held:
        await held.append(pieces(b"never committed"))
    await append(service, recording, b"d")

    assert await received(database, store, recording) == b"abcd"
    assert await keys(store) == {(await find(database, recording)).segments[0].object_key}


async def test_holders_queue_in_order_of_arrival(
    database: Database, store: LocalStore, recording: Recording
) -> None:
    service = IntakeService(database, store)
    first_may_end = asyncio.Event()

    async def add(number: int) -> None:
        async with service.hold(recording.media_id, patience=PATIENT) as held:
            if number == 0:
                await first_may_end.wait()
            await commit(held, recording, await held.append(pieces(bytes([number]))))

    adding = []
    for number in range(6):
        adding.append(asyncio.create_task(add(number)))
        await asyncio.sleep(0)
    first_may_end.set()
    await asyncio.gather(*adding)

    assert await received(database, store, recording) == bytes(range(6))


async def test_processes_take_turns(
    database: Database, store: LocalStore, recording: Recording
) -> None:
    services = [IntakeService(database, store) for _ in range(3)]
    bodies = [bytes([number]) * 1000 for number in range(9)]

    await asyncio.gather(
        *(
            append(services[n % 3], recording, body[:400], body[400:])
            for n, body in enumerate(bodies)
        )
    )

    content = await received(database, store, recording)
    assert sorted(content[start : start + 1000] for start in range(0, 9000, 1000)) == bodies


@pytest.mark.parametrize("where", ["this process", "another process"])
async def test_patience_ends_while_others_hold(
    database: Database, store: LocalStore, recording: Recording, where: str
) -> None:
    mine = IntakeService(database, store)
    other = mine if where == "this process" else IntakeService(database, store)

    async with mine.hold(recording.media_id, patience=0):
        for patience in (0, 0.05):
            with pytest.raises(IntakeBusyError):
                await other.hold(recording.media_id, patience=patience).__aenter__()

    await append(other, recording, b"free again")


async def test_a_hold_whose_process_died_ends_by_itself(
    database: Database, store: LocalStore, recording: Recording
) -> None:
    dead, alive = new_id(), IntakeService(database, store)
    async with database.read() as connection:
        await intakes.take(connection, recording.media_id, dead, seconds=LEASE)

    await append(alive, recording, b"abc")

    assert await received(database, store, recording) == b"abc"


async def test_a_hold_is_renewed_for_as_long_as_it_is_used(
    database: Database, store: LocalStore, recording: Recording
) -> None:
    lease = 1.5  # a third of it, at which it is renewed, is longer than a busy machine stands still
    mine, other = (IntakeService(database, store, lease=lease) for _ in range(2))

    async with mine.hold(recording.media_id, patience=0) as held:
        with pytest.raises(IntakeBusyError):
            await other.hold(recording.media_id, patience=2 * lease).__aenter__()
        await commit(held, recording, await held.append(pieces(b"abc")))

    assert await received(database, store, recording) == b"abc"


async def test_who_lost_its_hold_to_another_commits_nothing(
    database: Database, store: LocalStore, recording: Recording, database_url: str
) -> None:
    stopped, other = IntakeService(database, store), IntakeService(database, store)

    async def stand_still() -> None:
        async with stopped.hold(recording.media_id, patience=0) as held:
            appended = await held.append(pieces(b"too late"))
            await execute(database_url, "UPDATE intakes SET held_until = now()")
            await append(other, recording, b"in time")
            await commit(held, recording, appended)

    with pytest.raises(HoldLostError):
        await stand_still()

    assert await received(database, store, recording) == b"in time"
    await append(stopped, recording, b", again")
    assert await received(database, store, recording) == b"in time, again"


async def test_who_finds_out_that_its_hold_is_lost_reads_no_further(
    database: Database, store: LocalStore, recording: Recording
) -> None:
    service = IntakeService(database, store, lease=LEASE)
    given = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal given
        async with database.begin() as transaction:
            await intakes.close(transaction, recording.media_id)
        for _ in range(200):
            given += 1
            yield b"piece"
            await asyncio.sleep(LEASE / 10)

    with pytest.raises(HoldLostError):
        async with service.hold(recording.media_id, patience=0) as held:
            await held.append(body())

    assert given < 20
    assert await keys(store) == set()


async def test_a_hold_is_released_also_when_the_store_cannot_let_go(
    database: Database,
    store: LocalStore,
    recording: Recording,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = IntakeService(database, store)

    async def fail(_held: HeldIntake) -> None:
        raise UnavailableError("The store does not answer.")

    with monkeypatch.context() as patched:
        patched.setattr(HeldIntake, "end_appending", fail)
        with pytest.raises(UnavailableError):
            async with service.hold(recording.media_id, patience=0):
                pass

    async with IntakeService(database, store).hold(recording.media_id, patience=0):
        pass


async def test_bytes_of_a_failed_body_are_discarded_and_the_next_one_waits_for_nothing(
    database: Database, store: LocalStore, recording: Recording
) -> None:
    service = IntakeService(database, store)

    async def body() -> AsyncIterator[bytes]:
        yield b"some"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        async with service.hold(recording.media_id, patience=0) as held:
            await held.append(body())
    async with IntakeService(database, store).hold(recording.media_id, patience=0) as held:
        await commit(held, recording, await held.append(pieces(b"abc")))

    assert await received(database, store, recording) == b"abc"


async def test_what_takes_no_bytes_cannot_be_held(
    database: Database, store: LocalStore, recording: Recording
) -> None:
    service = IntakeService(database, store)
    async with database.begin() as transaction:
        await intakes.close(transaction, recording.media_id)

    with pytest.raises(IntakeClosedError):
        await service.hold(recording.media_id, patience=PATIENT).__aenter__()
    with pytest.raises(NotFoundError):
        await service.hold(new_id(), patience=PATIENT).__aenter__()


async def test_objects_that_were_merged_are_deleted(
    database: Database, recording: Recording
) -> None:
    store = open_remote("memory://")
    service = IntakeService(database, store)
    total = b""

    for number in range(40):
        await append(service, recording, body := bytes([number]) * 1000)
        total += body
    async with asyncio.timeout(5):
        while await keys(store) != {
            s.object_key for s in (await find(database, recording)).segments
        }:
            await asyncio.sleep(0.01)

    assert len(await keys(store)) < 40
    assert await received(database, store, recording) == total
    await store.close()
