"""Asking for transfers: who may, calls segment by segment, jobs that are retried as such."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from mediatheque.catalog.database import Database
from mediatheque.domain.access import LOCAL_OPERATOR, Principal
from mediatheque.domain.errors import ConflictError, InvalidError, NotFoundError, UnavailableError
from mediatheque.domain.jobs import RETRY_DELAYS, Signal
from mediatheque.domain.transfers import Transfer, TransferStatus
from mediatheque.storage.local import LocalStore
from mediatheque.storage.sources import SourceRoots
from mediatheque.storage.stores import Stored
from tests.support.transfers import TransferStage

ALICE = Principal("alice", "member")
BOB = Principal("bob", "member")


class AbsentStore(LocalStore):
    """A local store that is away for as long as it is told."""

    away = False

    async def send_file(self, *args: object, **options: object) -> Stored:
        if self.away:
            raise UnavailableError("The store is away.")
        return await super().send_file(*args, **options)  # type: ignore[arg-type]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[AbsentStore]:
    opened = AbsentStore(tmp_path / "objects", durable=False)
    yield opened
    await opened.close()


@pytest.fixture
def stage(database: Database, store: AbsentStore, tmp_path: Path) -> TransferStage:
    return TransferStage(database, store, tmp_path / "sources")


async def moved(stage: TransferStage, cursor: str | None, *sources: Path) -> Transfer:
    """Call for one segment while a worker stands by."""
    named = [str(source) for source in sources] or None

    async def work() -> None:
        while True:
            page = await stage.transfers.page(
                LOCAL_OPERATOR, statuses=[TransferStatus.PENDING], after=None, limit=10
            )
            for transfer in page.transfers:
                if transfer.due is None:
                    await stage.run(transfer)
            await asyncio.sleep(0.01)

    worker = asyncio.create_task(work())
    try:
        return await asyncio.wait_for(stage.transfers.move(LOCAL_OPERATOR, named, cursor), 20)
    finally:
        worker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await worker


async def test_a_store_that_is_away_ends_a_call_and_the_next_one_tries_again(
    stage: TransferStage, store: AbsentStore
) -> None:
    stage.write({"a.txt": b"1"})
    store.away = True
    first = await moved(stage, None, stage.root)
    assert (first.status, first.error) == (TransferStatus.PENDING, "The store is away.")
    assert first.due is not None

    store.away = False
    second = await moved(stage, first.cursor)

    assert second.status is TransferStatus.COMPLETE
    assert first.cursor != second.cursor == (await moved(stage, first.cursor)).cursor


async def test_calls_end_even_when_the_store_stays_away(
    stage: TransferStage, store: AbsentStore
) -> None:
    stage.write({"a.txt": b"1"})
    store.away = True
    found = await moved(stage, None, stage.root)
    cursors = [found.cursor]
    for _ in RETRY_DELAYS:
        assert not found.ended
        found = await moved(stage, cursors[-1])
        cursors.append(found.cursor)

    assert found.status is TransferStatus.FAILED
    assert len(set(cursors)) == len(cursors)
    assert (await moved(stage, cursors[0])).cursor == cursors[-1]


async def test_a_failed_transfer_whose_job_is_retried_takes_up_what_failed(
    stage: TransferStage,
) -> None:
    stage.write({"a.txt": b"1"})
    (stage.root / "b.txt").symlink_to("/etc/passwd")
    ended = await stage.transfer()
    assert ended.status is TransferStatus.FAILED
    (stage.root / "b.txt").unlink()
    stage.write({"b.txt": b"2"})

    await stage.jobs.signal(LOCAL_OPERATOR, str(ended.id), Signal.RETRY)
    ended = await stage.run(ended)

    assert (ended.status, ended.files_failed, ended.files_complete) == (
        TransferStatus.COMPLETE,
        0,
        2,
    )
    assert await stage.contents() == {"a.txt": b"1", "b.txt": b"2"}


Asked = Callable[[TransferStage, Principal, Transfer], Awaitable[Any]]
SCOPED: dict[str, Asked] = {
    "find": lambda s, who, t: s.transfers.find(who, str(t.id)),
    "find_by_cursor": lambda s, who, t: s.transfers.find_by_cursor(who, t.cursor),
    "find_with_files": lambda s, who, t: s.transfers.find_with_files(
        who, str(t.id), state=None, after=-1, limit=10
    ),
    "signal": lambda s, who, t: s.transfers.signal(who, str(t.id), Signal.PAUSE),
    "limit": lambda s, who, t: s.transfers.limit(who, str(t.id), 5),
}


@pytest.mark.parametrize("name", SCOPED)
async def test_only_the_owner_and_operators_reach_a_transfer(
    stage: TransferStage, name: str
) -> None:
    started = await stage.transfers.start(ALICE, [str(stage.root)])

    with pytest.raises(NotFoundError):
        await SCOPED[name](stage, BOB, started)
    for principal in (ALICE, LOCAL_OPERATOR):
        assert await SCOPED[name](stage, principal, started)


async def test_lists_and_calls_are_the_owners_too(stage: TransferStage) -> None:
    started = await stage.transfers.start(ALICE, [str(stage.root)])
    for principal, seen in ((ALICE, 1), (BOB, 0), (LOCAL_OPERATOR, 1)):
        page = await stage.transfers.page(principal, statuses=[], after=None, limit=10)
        assert len(page.transfers) == seen
    with pytest.raises(NotFoundError):
        await stage.transfers.move(BOB, None, started.cursor)
    with pytest.raises(ConflictError, match="runs by itself"):
        await stage.transfers.move(ALICE, None, started.cursor)


async def test_medias_are_those_of_who_started_the_transfer(stage: TransferStage) -> None:
    stage.write({"a.txt": b"1"})
    await stage.run(await stage.transfers.start(ALICE, [str(stage.root)]))

    [media] = await stage.medias()
    assert (media.created_by, media.created_role) == ("alice", "member")


async def test_without_source_roots_nothing_can_be_named(
    database: Database, store: AbsentStore, tmp_path: Path
) -> None:
    stage = TransferStage(database, store, tmp_path / "sources")
    stage.roots = SourceRoots([])
    stage.reopen()

    with pytest.raises(InvalidError, match="MEDIATHEQUE_SOURCE_ROOTS"):
        await stage.start()
