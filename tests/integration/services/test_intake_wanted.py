"""Asking who holds an intake, or keeps it for the next piece, to let go of it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from mediatheque.catalog import intakes
from mediatheque.catalog.database import Database, Transaction
from mediatheque.catalog.notices import Notices
from mediatheque.domain.intakes import Intake
from mediatheque.services import held_intake
from mediatheque.services.held_intake import HoldLostError
from mediatheque.services.intake import IntakeBusyError, IntakeClosedError, IntakeService
from mediatheque.storage.local import LocalStore
from tests.support.database import fetch
from tests.support.parts import pieces
from tests.support.stores import get

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
            service.keep_while(lambda: True)
        yield services
        for task in listening:
            task.cancel()


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


async def test_a_process_that_stops_asks_everybody_to_let_go(
    processes: Processes, intake_id: UUID
) -> None:
    first, wanted = processes[0], asyncio.Event()
    async with first.hold(intake_id, patience=0, wanted=wanted):
        assert not wanted.is_set()
        first.stop()
        assert wanted.is_set()
    late = asyncio.Event()
    async with first.hold(intake_id, patience=0, wanted=late):
        assert late.is_set()


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


async def test_who_was_not_heard_asks_again(
    processes: Processes, intake_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, asked = intakes.ask_for, 0

    async def ask_in_vain_at_first(connection: Transaction, intake_id: UUID) -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            await ask(connection, intake_id)

    monkeypatch.setattr(intakes, "ask_for", ask_in_vain_at_first)
    async with (
        stalled(processes[0], intake_id, b"a"),
        processes[1].hold(intake_id, patience=PATIENT, insist=True) as held,
    ):
        assert held.intake.size == 1


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


async def add_piece(service: IntakeService, intake_id: UUID, *content: bytes) -> None:
    """Add to an intake, and keep the hold for the next piece."""
    async with service.hold(intake_id, patience=PATIENT, insist=True) as held:
        appended = await held.append(pieces(*content))
        await held.commit(appended, intakes.acknowledge, touched_at=lambda touched_at: touched_at)


async def find(database: Database, intake_id: UUID) -> Intake:
    async with database.read() as connection:
        found = await intakes.find(connection, intake_id)
    assert found is not None
    return found


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """The names under which holds are taken, each time that one is."""
    names: list[UUID] = []
    take = intakes.take

    async def noted(
        connection: Transaction, intake_id: UUID, holder: UUID, *, seconds: float
    ) -> Intake | None:
        found = await take(connection, intake_id, holder, seconds=seconds)
        if found is not None:
            names.append(holder)
        return found

    monkeypatch.setattr(intakes, "take", noted)
    return names


async def test_the_next_piece_uses_the_hold_of_the_last_one(
    processes: Processes, database: Database, intake_id: UUID, taken: list[UUID]
) -> None:
    for content in (b"a", b"b", b"c"):
        await add_piece(processes[0], intake_id, content)
    assert len(taken) == 1
    assert (await find(database, intake_id)).size == 3


async def test_another_process_is_given_a_kept_hold_soon(
    processes: Processes, database: Database, intake_id: UUID, taken: list[UUID]
) -> None:
    for number in range(6):
        began = time.monotonic()
        await add_piece(processes[number % 2], intake_id, bytes([number]))
        assert time.monotonic() - began < SOON
    assert len(set(taken)) == 6
    assert (await find(database, intake_id)).size == 6


async def test_a_busy_process_leaves_room_for_another(
    processes: Processes, intake_id: UUID, taken: list[UUID]
) -> None:
    async def send_on() -> None:
        while True:
            await add_piece(processes[0], intake_id, b"a")
            await asyncio.sleep(0.005)  # as long as the next request takes to come

    async with asyncio.TaskGroup() as group:
        busy = group.create_task(send_on())
        await asyncio.sleep(0.2)
        async with asyncio.timeout(PATIENT):
            while len(set(taken)) <= 3:  # each takes it from the other, again and again
                await add_piece(processes[1], intake_id, b"b")
                await asyncio.sleep(0.1)  # the busy one takes it back meanwhile
        busy.cancel()


async def test_nothing_is_kept_where_nobody_hears_who_asks(
    database: Database, store: LocalStore, intake_id: UUID, taken: list[UUID]
) -> None:
    deaf, other = (IntakeService(database, store, lease=LEASE) for _ in range(2))
    await add_piece(deaf, intake_id, b"a")
    async with other.hold(intake_id, patience=0):
        pass
    assert len(set(taken)) == 2


async def test_what_is_kept_is_let_go_of_at_the_end(
    processes: Processes, database: Database, store: LocalStore, intake_id: UUID
) -> None:
    await add_piece(processes[0], intake_id, b"a")
    await processes[0].close()
    async with IntakeService(database, store).hold(intake_id, patience=0):
        pass


async def test_who_is_cancelled_while_it_takes_a_hold_leaves_none(
    processes: Processes, intake_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, done = intakes.take, asyncio.Event()

    async def slow(
        connection: Transaction, intake_id: UUID, holder: UUID, *, seconds: float
    ) -> Intake | None:
        found = await take(connection, intake_id, holder, seconds=seconds)
        done.set()
        await asyncio.sleep(PATIENT)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(intakes, "take", slow)
        taking = asyncio.create_task(add_piece(processes[0], intake_id, b"a"))
        await done.wait()
        taking.cancel()
        await asyncio.wait([taking])
    async with processes[1].hold(intake_id, patience=SOON):
        pass


async def test_a_hold_is_not_kept_from_those_who_want_it(
    processes: Processes, intake_id: UUID, taken: list[UUID]
) -> None:
    holding = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"a"
        holding.set()
        while len(waiting) == 0 or not processes[0]._wanted[taken[0]].is_set():
            await asyncio.sleep(0.01)
        yield b"b"

    waiting: list[asyncio.Task[None]] = []
    async with asyncio.TaskGroup() as group:

        async def hold() -> None:
            async with processes[0].hold(intake_id, patience=PATIENT) as held:
                appended = await held.append(slowly())
                await held.commit(appended, intakes.acknowledge, touched_at=lambda at: at)
                assert held.kept_until == 0

        group.create_task(hold())
        await holding.wait()
        waiting.append(group.create_task(add_piece(processes[1], intake_id, b"c")))
    assert len(set(taken)) == 2


async def test_a_kept_hold_whose_process_died_ends_by_itself(
    database: Database, store: LocalStore, intake_id: UUID
) -> None:
    dead, alive = (IntakeService(database, store, lease=LEASE) for _ in range(2))
    dead.keep_while(lambda: True)
    await add_piece(dead, intake_id, b"abc")  # and hears nothing
    async with asyncio.timeout(PATIENT):
        await add_piece(alive, intake_id, b"def")
    assert (await find(database, intake_id)).size == 6


async def test_a_piece_that_comes_late_waits_for_nothing(
    processes: Processes, intake_id: UUID, taken: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_intake, "_KEPT_SECONDS", 0.4)  # too little to use it again
    for content in (b"a", b"b"):
        async with processes[0].hold(intake_id, patience=0) as held:
            appended = await held.append(pieces(content))
            await held.commit(appended, intakes.acknowledge, touched_at=lambda at: at)
    assert taken[0] == taken[1]


async def test_a_kept_hold_of_what_was_closed_and_moved_is_lost(
    processes: Processes, database: Database, store: LocalStore, intake_id: UUID
) -> None:
    await add_piece(processes[0], intake_id, b"abc")
    async with database.begin() as transaction:
        await intakes.close(transaction, intake_id)
    await store.join(await find(database, intake_id), "originals/abc", content_type="text/plain")

    with pytest.raises(HoldLostError):
        await add_piece(processes[0], intake_id, b"too late")
    assert await get(store, "originals/abc") == b"abc"
    with pytest.raises(IntakeClosedError):
        await add_piece(processes[0], intake_id, b"too late")


async def test_a_hold_that_was_renewed_while_it_was_to_be_kept_is_given_back(
    database: Database, database_url: str, store: LocalStore, intake_id: UUID
) -> None:
    """It may last longer than its process believes, and nobody would hear that it is wanted."""
    service = IntakeService(database, store, lease=0.6)
    service.keep_while(lambda: True)
    async with service.hold(intake_id, patience=PATIENT) as held:
        appended = await held.append(pieces(b"abc"))
        async with database.begin() as transaction:
            await transaction.execute(text("SELECT FROM intakes FOR UPDATE"))
            committing = asyncio.create_task(
                held.commit(appended, intakes.acknowledge, touched_at=lambda at: at)
            )
            await asyncio.sleep(0.4)  # more than a third of the lease
        await committing

    assert await fetch(database_url, "SELECT 1 FROM intakes WHERE holder IS NULL")
