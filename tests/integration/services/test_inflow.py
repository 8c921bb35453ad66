"""The bytes of one request on their way into an intake: what arrived is kept, whatever ends it."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest

from mediatheque.catalog import intakes
from mediatheque.catalog.database import Database
from mediatheque.catalog.group_commit import GroupCommit
from mediatheque.domain.errors import DisconnectedError, UnavailableError
from mediatheque.domain.ids import new_id
from mediatheque.domain.intakes import Intake
from mediatheque.services import inflow
from mediatheque.services.held_intake import HoldLostError
from mediatheque.services.inflow import CHECKPOINT_BYTES, Inflow
from mediatheque.services.intake import IntakeService
from mediatheque.storage.stores import Store
from tests.support.database import execute
from tests.support.intakes import acknowledged
from tests.support.stores import keys, open_kind
from tests.support.watched import Watched, taking

MIB = 1 << 20
CONTENT = random.Random(8).randbytes(14 * MIB + 99)
PIECE_BYTES = 64 << 10


@dataclass(frozen=True)
class Upload:
    """An intake, and what it is received with. ``url``: of the database."""

    intake_id: UUID
    service: IntakeService
    store: Store
    url: str

    async def take(self, pieces: AsyncIterator[bytes]) -> None:
        """Receive some pieces, as a request does."""
        async with self.service.hold(self.intake_id, patience=1) as held:
            await Inflow(held, ends=lambda _: False).take(pieces)

    async def size(self) -> int:
        """Return how many bytes are acknowledged."""
        return (await self._intake()).size

    async def check_kept(self, content: bytes) -> None:
        """Check what is acknowledged, and that the next holder finds those bytes."""
        intake = await self._intake()
        assert intake.size == len(content)
        assert await acknowledged(self.store, intake) == content

    async def _intake(self) -> Intake:
        async with self.service._database.read() as connection:
            found = await intakes.find(connection, self.intake_id)
        assert found is not None
        return found


@pytest.fixture(params=["local", "memory"])
async def upload(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    database: Database,
    database_url: str,
) -> AsyncIterator[Upload]:
    store = open_kind(request.param, request, tmp_path, monkeypatch)
    intake_id = new_id()
    async with database.begin() as transaction:
        await intakes.add(transaction, intake_id)
    yield Upload(intake_id, IntakeService(database, store), store, database_url)
    await store.close()


async def arriving(
    size: int, *, then: BaseException | None = None, stall: asyncio.Event | None = None
) -> AsyncIterator[bytes]:
    """Yield the first ``size`` bytes; end then, or raise, or set ``stall`` and stand still."""
    for start in range(0, size, PIECE_BYTES):
        yield CONTENT[start : min(start + PIECE_BYTES, size)]
    if stall is not None:
        stall.set()
        await asyncio.Event().wait()
    if then is not None:
        raise then


async def test_no_piece_stays_in_memory_while_the_next_one_is_waited_for(upload: Upload) -> None:
    watched = Watched()
    async with taking(upload.take(watched.pieces(CONTENT[:MIB], CONTENT[MIB:]))):
        await watched.check_forgotten()
    await upload.check_kept(CONTENT)


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES, len(CONTENT)])
async def test_everything_counts_when_it_is_through(upload: Upload, size: int) -> None:
    await upload.take(arriving(size))

    await upload.check_kept(CONTENT[:size])


@pytest.mark.parametrize(("size", "released"), [(0, False), (99, False), (100, True)])
async def test_the_hold_ends_with_the_last_bytes_where_that_is_said(
    upload: Upload,
    size: int,
    released: bool,
) -> None:
    async with upload.service.hold(upload.intake_id, patience=1) as held:
        await Inflow(held, ends=lambda has: has == 100).take(arriving(size))
        assert held.released is released
        if released:
            another = IntakeService(upload.service._database, upload.store)
            async with another.hold(upload.intake_id, patience=0) as other:
                assert other.intake.size == size

    await upload.check_kept(CONTENT[:size])


async def test_what_follows_comes_behind(
    upload: Upload,
) -> None:
    sizes = [100, 5 * MIB, 1, 9 * MIB - 2, 100]
    ends = [sum(sizes[:number]) for number in range(len(sizes) + 1)]

    async def some(start: int, end: int) -> AsyncIterator[bytes]:
        yield CONTENT[start:end]

    for start, end in pairwise(ends):
        await upload.take(some(start, end))

    await upload.check_kept(CONTENT[: sum(sizes)])


@pytest.mark.parametrize("size", [0, 100, 5 * MIB + 3, len(CONTENT)])
async def test_what_arrived_before_a_broken_connection_counts(upload: Upload, size: int) -> None:
    broken = DisconnectedError("The client went away.")

    with pytest.raises(DisconnectedError) as raised:
        await upload.take(arriving(size, then=broken))

    assert raised.value is broken
    await upload.check_kept(CONTENT[:size])


@pytest.mark.parametrize("size", [100, 5 * MIB + 3, len(CONTENT)])
async def test_what_arrived_before_the_request_was_cancelled_counts(
    upload: Upload, size: int
) -> None:
    stalled = asyncio.Event()
    taking = asyncio.create_task(upload.take(arriving(size, stall=stalled)))
    await stalled.wait()

    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking

    await upload.check_kept(CONTENT[:size])


async def test_a_request_that_was_cancelled_takes_no_more_of_its_body(
    upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, writing, go_on = Inflow._write, asyncio.Event(), asyncio.Event()

    async def slowly(self: Inflow, piece: bytes) -> None:
        writing.set()
        await go_on.wait()
        await write(self, piece)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0)
            yield b"abc"

    monkeypatch.setattr(Inflow, "_write", slowly)
    taking = asyncio.create_task(upload.take(endless()))
    await writing.wait()
    taking.cancel()
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.wait([taking], timeout=5)

    assert taking.cancelled()
    await upload.check_kept(b"abc")


async def test_a_request_that_is_cancelled_again_and_again_at_any_moment_leaves_a_beginning(
    upload: Upload,
) -> None:
    for number in range(12):
        start = await upload.size()
        yielded = start

        async def rest(start: int = start) -> AsyncIterator[bytes]:
            nonlocal yielded
            for position in range(start, len(CONTENT), PIECE_BYTES):
                piece = CONTENT[position : position + PIECE_BYTES]
                yielded = position + len(piece)
                yield piece

        taking = asyncio.create_task(upload.take(rest()))
        for _ in range(3):
            await asyncio.sleep(0.001 * number)
            taking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await taking
        await upload.check_kept(CONTENT[:yielded])


async def test_bytes_are_acknowledged_while_more_arrive(
    upload: Upload,
) -> None:
    """At most what two checkpoints take, and what the store has not finished, is in doubt."""
    unfinished = MIB if upload.store.local_path("x") is not None else 8 * MIB
    behind = 0

    async def watched() -> AsyncIterator[bytes]:
        nonlocal behind
        sent = 0
        async for piece in arriving(len(CONTENT)):
            if sent % MIB == 0:
                size = await upload.size()
                behind = max(behind, sent - size)
            sent += len(piece)
            yield piece

    await upload.take(watched())

    assert 0 < behind <= 2 * CHECKPOINT_BYTES + unfinished
    await upload.check_kept(CONTENT)


async def test_bytes_of_a_slow_client_are_acknowledged_within_a_second(
    upload: Upload,
) -> None:
    stalled = asyncio.Event()
    taking = asyncio.create_task(upload.take(arriving(1000, stall=stalled)))
    await stalled.wait()

    await asyncio.sleep(1.0)

    await upload.check_kept(CONTENT[:1000])
    taking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await taking


async def test_who_lost_its_hold_adds_nothing_and_spoils_nothing(
    upload: Upload,
) -> None:
    others = new_id()

    async def robbed() -> AsyncIterator[bytes]:
        yield b"x" * MIB
        await execute(upload.url, f"UPDATE intakes SET holder = '{others}'")
        yield b"x" * (9 * MIB)

    await upload.take(arriving(MIB))
    # What of them was acknowledged before is kept.
    with pytest.raises(HoldLostError, match=r"before all of these bytes were through\.$"):
        await upload.take(robbed())

    await upload.check_kept(CONTENT[:MIB])


async def test_who_lost_its_hold_is_told_so_though_its_bytes_are_somewhere_else_by_now(
    upload: Upload,
) -> None:
    async def robbed() -> AsyncIterator[bytes]:
        yield b"x" * MIB
        await asyncio.sleep(0.2)  # for what is written beside
        await execute(upload.url, f"UPDATE intakes SET holder = '{new_id()}'")
        for key in await keys(upload.store):
            await upload.store.delete(key)

    with pytest.raises(HoldLostError, match=r"before all of these bytes were through\.$"):
        await upload.take(robbed())

    assert await upload.size() == 0


async def test_after_an_acknowledgement_that_failed_no_other_is_tried(
    upload: Upload,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its answer may have been lost: what is there then, only the next request can tell."""
    acknowledge = intakes.acknowledge
    tried = 0

    async def lose_answer(group: GroupCommit, acknowledgement: intakes.Acknowledgement) -> None:
        nonlocal tried
        tried += 1
        await acknowledge(group, acknowledgement)
        raise UnavailableError("The database is away.")

    async def slow() -> AsyncIterator[bytes]:
        yield CONTENT[:100]
        await asyncio.sleep(5 * inflow._TICK_SECONDS)
        yield b"x"

    monkeypatch.setattr(inflow, "_TICK_SECONDS", 0.02)
    with monkeypatch.context() as failing:
        failing.setattr(intakes, "acknowledge", lose_answer)
        with pytest.raises(UnavailableError, match="away"):
            await upload.take(slow())

    assert tried == 1
    await upload.check_kept(CONTENT[:100])
    await upload.take(arriving(0))
    assert len(await keys(upload.store)) == 1


async def test_a_store_that_fails_in_the_middle_ends_the_request(
    upload: Upload,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with upload.service.hold(upload.intake_id, patience=0) as held:
        taking = Inflow(held, ends=lambda _: False)
        assert held._appender is not None
        write = held._appender.write
        written = 0

        async def failing(piece: bytes) -> None:
            nonlocal written
            written += len(piece)
            if written > 13 * MIB:
                raise UnavailableError("The store is away.")
            await write(piece)
            if written == 12 * MIB:
                await asyncio.sleep(0.2)  # for what is being finished beside

        monkeypatch.setattr(held._appender, "write", failing)
        with pytest.raises(UnavailableError, match="store is away"):
            await taking.take(arriving(len(CONTENT)))

    size = await upload.size()
    assert 0 < size <= 13 * MIB
    await upload.check_kept(CONTENT[:size])
