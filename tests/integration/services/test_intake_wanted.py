"""Asking who holds an intake to let go of it: in one process, and across processes."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from mediatheque.catalog import intakes
from mediatheque.catalog.database import Database
from mediatheque.catalog.notices import Notices
from mediatheque.domain.ids import new_id
from mediatheque.services.intake import IntakeBusyError, IntakeService
from mediatheque.storage.local import LocalStore
from tests.support.parts import pieces

PATIENT = 10.0
LEASE = 60.0  # nobody gets a hold in these tests because another one ended by itself
SOON = 1.0

Processes = tuple[IntakeService, IntakeService]


@pytest.fixture
async def processes(
    database: Database, database_url: str, store: LocalStore
) -> AsyncIterator[Processes]:
    """Two services that hear each other as two processes do."""
    services = (
        IntakeService(database, store, lease=LEASE),
        IntakeService(database, store, lease=LEASE),
    )
    async with asyncio.TaskGroup() as group:
        listening = []
        for service in services:
            notices, connected = Notices(database_url), asyncio.Event()
            await notices.subscribe(intakes.CHANNEL, service.hear)
            await notices.subscribe("ready", lambda _: None, connected.set)
            listening.append(group.create_task(notices.run()))
            await connected.wait()
        yield services
        for task in listening:
            task.cancel()


@pytest.fixture
async def intake_id(database: Database) -> UUID:
    added = new_id()
    async with database.begin() as transaction:
        await intakes.add(transaction, added)
    return added


async def hold_until_wanted(
    service: IntakeService, intake_id: UUID, content: bytes, held_now: asyncio.Event
) -> None:
    """Add to an intake, and wait for more in vain, as a request of a stalled client does."""
    wanted = asyncio.Event()
    async with service.hold(intake_id, patience=PATIENT, insist=True, wanted=wanted) as held:
        appended = await held.append(pieces(content))
        held_now.set()
        await wanted.wait()
        await held.advance(appended)


@contextlib.asynccontextmanager
async def stalled(
    service: IntakeService, intake_id: UUID, content: bytes
) -> AsyncIterator[asyncio.Task[None]]:
    """Let another request hold an intake, until it is asked to let go."""
    held_now = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        holding = group.create_task(hold_until_wanted(service, intake_id, content, held_now))
        await held_now.wait()
        yield holding


@pytest.mark.parametrize("other", [0, 1], ids=["this process", "another process"])
async def test_who_is_asked_lets_go_soon_and_keeps_what_it_had(
    processes: Processes, intake_id: UUID, other: int
) -> None:
    async with stalled(processes[0], intake_id, b"kept"):
        asked = time.monotonic()
        wanted = asyncio.Event()
        async with processes[other].hold(
            intake_id, patience=PATIENT, insist=True, wanted=wanted
        ) as held:
            assert time.monotonic() - asked < SOON
            assert held.intake.size == 4
            await asyncio.sleep(0.05)  # for what it asked to come back to it
            assert not wanted.is_set()


@pytest.mark.parametrize("other", [0, 1], ids=["this process", "another process"])
async def test_who_does_not_insist_asks_nobody(
    processes: Processes, intake_id: UUID, other: int
) -> None:
    async with stalled(processes[0], intake_id, b"kept") as holding:
        with pytest.raises(IntakeBusyError):
            await processes[other].hold(intake_id, patience=0.1).__aenter__()
        assert not holding.done()
        async with processes[other].hold(intake_id, patience=PATIENT, insist=True):
            pass


async def test_each_of_several_that_insist_has_its_turn(
    processes: Processes, intake_id: UUID
) -> None:
    holding: list[asyncio.Task[None]] = []
    async with asyncio.TaskGroup() as group:
        for number in range(6):
            held_now = asyncio.Event()
            service = processes[number % 2]
            holding.append(
                group.create_task(hold_until_wanted(service, intake_id, bytes([number]), held_now))
            )
            await held_now.wait()
        async with processes[0].hold(intake_id, patience=PATIENT, insist=True) as held:
            assert held.intake.size == 6


async def test_who_waits_for_its_turn_is_asked_as_soon_as_it_has_it(
    processes: Processes, intake_id: UUID
) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(
                hold_until_wanted(processes[0], intake_id, bytes([number]), asyncio.Event())
            )
            await asyncio.sleep(0)
        asked = time.monotonic()
        async with processes[0].hold(intake_id, patience=PATIENT, insist=True) as held:
            assert time.monotonic() - asked < SOON
            assert held.intake.size == 3


async def test_a_hold_that_ended_hears_nothing(processes: Processes, intake_id: UUID) -> None:
    wanted = asyncio.Event()
    async with processes[0].hold(intake_id, patience=0, wanted=wanted) as held:
        holder = held.holder

    for notice in (str(holder), str(uuid4()), "not an id", ""):
        processes[0].hear(notice)

    assert not wanted.is_set()


async def test_a_cancelled_holder_lets_go_all_the_same(
    processes: Processes, intake_id: UUID
) -> None:
    """Also when it is cancelled twice, the second time while it lets go."""
    for pause in (0, 0.001, 0.005):
        async with stalled(processes[0], intake_id, b"x") as holding:
            holding.cancel()
            await asyncio.sleep(pause)
            holding.cancel()
            async with processes[1].hold(intake_id, patience=SOON):
                pass
