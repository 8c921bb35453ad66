"""Operations of syncs' plans, as the catalog keeps them."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from sqlalchemy import text

from mediatheque.catalog import jobs, sync_operations
from mediatheque.catalog.database import Database
from mediatheque.domain.access import LOCAL_OPERATOR
from mediatheque.domain.errors import UnavailableError
from mediatheque.domain.jobs import JobStatus, Signal
from mediatheque.domain.syncs import Action, Operation, OperationState, Sync
from mediatheque.services.jobs import JobService
from tests.support.sync_rows import add_sync, an_operation

PENDING, DONE = OperationState.PENDING, OperationState.DONE
FAILED, SKIPPED = OperationState.FAILED, OperationState.SKIPPED
UPLOAD, COPY, UPDATE, DELETE = Action.UPLOAD, Action.COPY, Action.UPDATE, Action.DELETE


async def add(database: Database, sync: Sync, *operations: Operation) -> None:
    async with database.begin() as transaction:
        await jobs.lock(transaction, sync.id, owner=None)
        await sync_operations.add(transaction, sync.id, operations)


async def operations_of(database: Database, sync: Sync, **options: Any) -> list[Operation]:
    plain: dict[str, Any] = {"action": None, "state": None, "after": None, "limit": 100}
    async with database.read() as connection:
        return await sync_operations.page(connection, sync.id, **(plain | options))


def plan() -> list[Operation]:
    """Return operations in the order of work, two of every action."""
    return [
        an_operation(0),
        an_operation(1, COPY, copy_from=b"\xff", stored_etag="e", stored_size=11, blake3="0" * 64),
        an_operation(2, mtime_ns=1, ctime_ns=0, inode=2**63 - 1),
        an_operation(3, COPY),
        an_operation(0, UPDATE, key=b"a/b", path=b"a\\b", stored_etag="f", stored_size=0),
        an_operation(1, UPDATE, size=2**40),
        an_operation(0, DELETE, owned=False, state=FAILED, error="No."),
        an_operation(1, DELETE),
    ]


async def test_operations_come_back_in_the_order_of_work(database: Database) -> None:
    sync, operations = await add_sync(database), plan()
    await add(database, sync, *reversed(operations))

    assert await operations_of(database, sync) == operations
    read: list[Operation] = []
    while page := await operations_of(
        database, sync, limit=3, after=(read[-1].rank, read[-1].position) if read else None
    ):
        read += page
    assert read == operations


async def test_operations_are_listed_by_action_and_state(database: Database) -> None:
    sync, operations = await add_sync(database), plan()
    await add(database, sync, *operations)
    await add(database, await add_sync(database), *operations)

    for action, state in product([None, *Action], [None, *OperationState]):
        assert await operations_of(database, sync, action=action, state=state) == [
            each
            for each in operations
            if action in {None, each.action} and state in {None, each.state}
        ], (action, state)


async def test_operations_go_with_the_transaction_that_added_them(database: Database) -> None:
    sync = await add_sync(database)

    async with database.begin() as transaction:
        await sync_operations.clear(transaction, sync.bucket_id, sync.id, limit=1000)
        await sync_operations.add(transaction, sync.id, plan())
        await transaction.rollback()

    assert await operations_of(database, sync) == []


async def test_operations_are_not_added_outside_a_transaction(database: Database) -> None:
    sync = await add_sync(database)

    async with database.begin() as begun_by_nothing, database.read() as connection:
        for each in (begun_by_nothing, connection):
            with pytest.raises(AssertionError):
                await sync_operations.add(each, sync.id, plan())

    assert await operations_of(database, sync) == []


async def test_adding_on_a_connection_that_is_lost_says_so(database: Database) -> None:
    sync = await add_sync(database)

    async def add_on_a_lost_connection() -> None:
        async with database.begin() as transaction, database.read() as another:
            process = await transaction.scalar(text("SELECT pg_backend_pid()"))
            await another.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": process})
            await sync_operations.add(transaction, sync.id, plan())

    with pytest.raises(UnavailableError):
        await add_on_a_lost_connection()


async def test_what_is_still_to_be_done_is_read_rank_by_rank(database: Database) -> None:
    sync = await add_sync(database)
    states = [PENDING, DONE, PENDING, FAILED, PENDING, SKIPPED, PENDING]
    first = [an_operation(n, state=state) for n, state in enumerate(states)]
    await add(database, sync, *first, second := an_operation(0, UPDATE))

    async def pending(rank: int, after: int, limit: int = 100) -> list[int]:
        async with database.read() as connection:
            found = await sync_operations.pending(connection, sync.id, rank, after, limit)
        return [each.position for each in found]

    assert await pending(1, -1) == [0, 2, 4, 6]
    assert await pending(1, 2, limit=1) == [4]
    assert await pending(1, 6) == []
    assert await pending(second.rank, -1) == [0]
    assert await pending(3, -1) == []


async def test_what_became_of_operations_is_written_for_many_at_once(database: Database) -> None:
    sync, other, operations = await add_sync(database), await add_sync(database), plan()
    begun = replace(operations[0], upload_id="u")
    for each in (sync, other):
        await add(database, each, begun, *operations[1:])

    async with database.begin() as transaction:
        await sync_operations.save(
            transaction, sync.id, [(1, 0, DONE, None), (1, 2, SKIPPED, None), (3, 1, FAILED, "é")]
        )
        await sync_operations.save(transaction, sync.id, [])

    expected = list(operations)
    expected[0] = replace(operations[0], state=DONE)
    expected[2] = replace(operations[2], state=SKIPPED)
    expected[7] = replace(operations[7], state=FAILED, error="é")
    assert await operations_of(database, sync) == expected
    assert await operations_of(database, other) == [begun, *operations[1:]]


async def test_the_first_error_is_that_of_the_first_operation_that_failed(
    database: Database,
) -> None:
    sync = await add_sync(database)
    async with database.read() as connection:
        assert await sync_operations.first_error(connection, sync.id) is None

    await add(
        database,
        sync,
        an_operation(0, DELETE, state=FAILED, error="third"),
        an_operation(1, UPLOAD, state=FAILED, error="second"),
        an_operation(0, UPLOAD, state=FAILED, error="first"),
        an_operation(0, UPDATE, state=DONE),
    )

    async with database.read() as connection:
        assert await sync_operations.first_error(connection, sync.id) == "first"


async def test_multipart_uploads_are_noted_and_forgotten(database: Database) -> None:
    sync = await add_sync(database)
    await add(database, sync, *(an_operation(n) for n in range(3)))

    async def uploads() -> list[tuple[bytes, str]]:
        async with database.read() as connection:
            return sorted(await sync_operations.uploads(connection, sync.id))

    async with database.begin() as transaction:
        for position, upload_id in [(0, "u0"), (1, "u1"), (2, "u2"), (1, None)]:
            await sync_operations.set_upload(transaction, sync.id, 1, position, upload_id)
    assert await uploads() == [(b"file 0", "u0"), (b"file 2", "u2")]

    async with database.begin() as transaction:
        await sync_operations.forget_uploads(transaction, sync.id)
    assert await uploads() == []


async def test_only_uploads_of_syncs_that_may_go_on_are_in_use(database: Database) -> None:
    pending, paused, ended = [await add_sync(database) for _ in range(3)]
    for number, sync in enumerate([pending, paused, ended]):
        await add(database, sync, an_operation(0, upload_id=f"u{number}"), an_operation(1))
    service = JobService(database)
    await service.signal(LOCAL_OPERATOR, str(paused.id), Signal.PAUSE)
    await service.signal(LOCAL_OPERATOR, str(ended.id), Signal.CANCEL)

    async with database.read() as connection:
        assert await sync_operations.uploads_in_use(connection) == {"u0", "u1"}


async def test_an_earlier_plan_and_those_of_ended_syncs_go(
    database: Database,
) -> None:
    syncs = {
        "this one": await add_sync(database),
        "live": await add_sync(database),
        "of another bucket": await add_sync(database, "other"),
        "completed": await add_sync(database),
        "cancelled": await add_sync(database),
    }
    ends = {
        "of another bucket": JobStatus.COMPLETED,
        "completed": JobStatus.COMPLETED,
        "cancelled": JobStatus.CANCELLED,
    }
    for sync in syncs.values():
        await add(database, sync, *plan())
    async with database.begin() as transaction:
        for name, status in ends.items():
            await jobs.change(transaction, syncs[name].id, status=status)

        this = syncs["this one"]
        counts = [
            await sync_operations.clear(transaction, this.bucket_id, this.id, limit=2 * len(plan()))
            for _ in range(3)
        ]

    assert counts == [2 * len(plan()), len(plan()), 0]
    kept = {name for name, sync in syncs.items() if await operations_of(database, sync)}
    assert kept == {"live", "of another bucket"}
