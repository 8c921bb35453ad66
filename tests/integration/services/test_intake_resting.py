"""The file of an intake stays open between two pieces, for as long as the hold is kept."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from sqlalchemy import select

from mediatheque.catalog import intakes, tables
from mediatheque.catalog.database import Database, Transaction
from mediatheque.domain.ids import new_id
from mediatheque.domain.intakes import Intake
from mediatheque.services import held_intake
from mediatheque.services import intake as intake_services
from mediatheque.services.held_intake import HoldLostError
from mediatheque.services.intake import IntakeService
from mediatheque.storage.local import LocalStore
from tests.support.database import execute
from tests.support.intakes import open_files
from tests.support.parts import pieces
from tests.support.stores import get

PATIENT = 10.0
KEY = "originals/1/a"


@pytest.fixture
async def service(database: Database, store: LocalStore) -> AsyncIterator[IntakeService]:
    """A service that keeps holds."""
    opened = IntakeService(database, store)
    opened.keep_while(lambda: True)
    yield opened
    await opened.close()


async def add_piece(service: IntakeService, intake_id: UUID, content: bytes) -> Intake:
    async with service.hold(intake_id, patience=PATIENT, insist=True) as held:
        appended = await held.append(pieces(content))
        await held.commit(appended, intakes.acknowledge, touched_at=lambda at: at)
        return held.intake


async def until_closed(intake_id: UUID) -> None:
    async with asyncio.timeout(PATIENT):
        while open_files(intake_id):
            await asyncio.sleep(0.02)


async def test_one_file_stays_open_from_piece_to_piece(
    service: IntakeService, store: LocalStore, intake_id: UUID
) -> None:
    await add_piece(service, intake_id, b"a")
    [opened] = open_files(intake_id)
    for content in (b"b" * 500_000, b"c"):
        intake = await add_piece(service, intake_id, content)
        assert open_files(intake_id) == [opened]
    await service.close()
    assert open_files(intake_id) == []

    await store.join(intake, KEY, content_type="video/webm")
    assert await get(store, KEY) == b"a" + b"b" * 500_000 + b"c"


async def test_it_is_closed_when_no_piece_comes(
    service: IntakeService, intake_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_intake, "_KEPT_SECONDS", 0.7)
    await add_piece(service, intake_id, b"a")
    assert open_files(intake_id)
    await until_closed(intake_id)
    assert len((await add_piece(service, intake_id, b"b")).segments) == 1


async def test_it_is_closed_when_too_many_others_are_open(
    service: IntakeService,
    database: Database,
    store: LocalStore,
    intake_id: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake_services, "_MOST_KEPT", 2)
    others = [new_id(), new_id()]
    async with database.begin() as transaction:
        for other in others:
            await intakes.add(transaction, other)
    for one in (others[0], intake_id, others[0], others[1]):
        await add_piece(service, one, b"a")

    await until_closed(intake_id)
    assert all(open_files(other) for other in others)
    async with asyncio.timeout(1):  # nobody has to wait for the end of its hold
        await add_piece(IntakeService(database, store), intake_id, b"b")


async def test_it_is_closed_before_another_process_goes_on(
    service: IntakeService,
    database: Database,
    store: LocalStore,
    intake_id: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    intake = await add_piece(service, intake_id, b"a")
    async with database.read() as connection:
        this = tables.intakes.c.id == intake_id
        holder = await connection.scalar(select(tables.intakes.c.holder).where(this))
    release = intakes.release
    open_then: list[list[str]] = []

    async def noted(connection: Transaction, intake_id: UUID, holder: UUID) -> None:
        open_then.append(open_files(intake_id))
        await release(connection, intake_id, holder)

    monkeypatch.setattr(intakes, "release", noted)
    service.hear(str(holder))
    other = IntakeService(database, store)
    continued = await add_piece(other, intake_id, b"b")
    assert open_then == [[]]
    assert [one.object_key for one in continued.segments] == [intake.segments[0].object_key]


async def test_it_is_closed_when_the_hold_ends_without_a_piece(
    service: IntakeService, intake_id: UUID
) -> None:
    await add_piece(service, intake_id, b"a")
    async with service.hold(intake_id, patience=PATIENT, insist=True) as held:
        await held.end_appending()
        assert open_files(intake_id) == []
        assert held.intake.size == 1
    assert len((await add_piece(service, intake_id, b"b")).segments) == 1


async def test_a_piece_that_fails_leaves_those_before_it_and_nothing_open(
    service: IntakeService, store: LocalStore, intake_id: UUID
) -> None:
    await add_piece(service, intake_id, b"right, ")

    async def broken() -> AsyncIterator[bytes]:
        yield b"wrong" * 300_000
        raise ConnectionError

    with pytest.raises(ConnectionError):
        async with service.hold(intake_id, patience=PATIENT, insist=True) as held:
            await held.append(broken())
    assert open_files(intake_id) == []

    intake = await add_piece(service, intake_id, b"and right")
    assert len(intake.segments) == 1
    await service.close()
    await store.join(intake, KEY, content_type="video/webm")
    assert await get(store, KEY) == b"right, and right"


async def test_nothing_is_counted_behind_what_a_crash_of_the_database_has_taken_back(
    service: IntakeService, store: LocalStore, intake_id: UUID, database_url: str
) -> None:
    """With relaxed durability; the process that holds the intake notices nothing of the crash."""
    before = await add_piece(service, intake_id, b"one,")
    await add_piece(service, intake_id, b"two,")
    await execute(database_url, "UPDATE intake_segments SET size = 4")
    await execute(database_url, f"UPDATE intakes SET size = 4, crc64nvme = '{before.crc64nvme}'")

    with pytest.raises(HoldLostError):
        await add_piece(service, intake_id, b"three")

    await add_piece(service, intake_id, b"two again,")
    intake = await add_piece(service, intake_id, b"three")
    await service.close()
    await store.join(intake, KEY, content_type="video/webm")
    assert await get(store, KEY) == b"one,two again,three"
