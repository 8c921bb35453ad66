"""Every query of uploads, on a real database."""

from typing import Any
from uuid import UUID

import pytest

from mediatheque.catalog import uploads
from mediatheque.catalog.database import Database
from mediatheque.domain.ids import new_id
from mediatheque.domain.uploads import Upload, UploadState


async def added(database: Database, **values: Any) -> UUID:
    """Insert an upload with these values and return its id."""
    plain: dict[str, Any] = {
        "upload_id": new_id(),
        "state": UploadState.PENDING,
        "name": "a.txt",
        "size": 3,
        "tags": (),
        "created_by": "alice",
        "created_role": "member",
        "staged_key": None,
        "expires_in": 60,
    }
    chosen = plain | values
    async with database.begin() as transaction:
        await uploads.add(transaction, **chosen)
    found: UUID = chosen["upload_id"]
    return found


async def find(database: Database, upload_id: UUID, owner: str | None = None) -> Upload | None:
    async with database.read() as connection:
        return await uploads.find(connection, upload_id, owner=owner)


async def stage(database: Database, upload_id: UUID, key: str = "staging/x/1") -> bool:
    async with database.begin() as transaction:
        return await uploads.stage(
            transaction, upload_id, staged_key=key, crc64nvme="crc", blake3="b3"
        )


async def promote(database: Database, upload_id: UUID) -> Upload | None:
    async with database.begin() as transaction:
        return await uploads.start_promotion(transaction, upload_id)


async def test_an_upload_is_found_as_it_was_added(database: Database) -> None:
    upload_id = await added(database, tags=("b", "a"), size=None, staged_key="staging/x/direct")

    found = await find(database, upload_id)

    assert found is not None
    assert found.id == upload_id
    assert found.state is UploadState.PENDING
    assert (found.name, found.size, found.tags) == ("a.txt", None, ("b", "a"))
    assert (found.created_by, found.created_role) == ("alice", "member")
    assert (found.staged_key, found.crc64nvme, found.blake3) == ("staging/x/direct", None, None)
    assert (found.expires_at - found.created_at).total_seconds() == 60


async def test_only_the_owner_and_operators_find_an_upload(database: Database) -> None:
    upload_id = await added(database)

    assert await find(database, upload_id, "bob") is None
    assert await find(database, upload_id, "alice") is not None
    assert await find(database, upload_id, None) is not None
    assert await find(database, new_id(), None) is None


async def test_an_expired_upload_is_not_found_and_takes_nothing_any_more(
    database: Database,
) -> None:
    upload_id = await added(database, expires_in=0)

    assert await find(database, upload_id) is None
    assert not await stage(database, upload_id)
    assert await promote(database, upload_id) is None


async def test_bytes_are_staged_while_an_upload_is_pending(database: Database) -> None:
    upload_id = await added(database)

    assert await stage(database, upload_id, "staging/x/1")
    assert await stage(database, upload_id, "staging/x/2")

    found = await find(database, upload_id)
    assert found is not None
    assert (found.staged_key, found.crc64nvme, found.blake3) == ("staging/x/2", "crc", "b3")
    assert not await stage(database, new_id())


async def test_a_confirmed_upload_takes_no_bytes_until_it_is_opened_again(
    database: Database,
) -> None:
    upload_id = await added(database)
    await stage(database, upload_id, "staging/x/1")

    first = await promote(database, upload_id)
    assert not await stage(database, upload_id, "staging/x/2")
    again = await promote(database, upload_id)

    assert first is not None
    assert again == first
    assert first.state is UploadState.PROMOTING
    assert first.staged_key == "staging/x/1"
    async with database.begin() as transaction:
        assert not await uploads.remove_pending(transaction, upload_id)
        await uploads.reopen(transaction, upload_id)
    assert await stage(database, upload_id, "staging/x/2")


async def test_bytes_that_arrive_within_one_request_cannot_be_confirmed(database: Database) -> None:
    upload_id = await added(database, state=UploadState.RECEIVING)

    assert await promote(database, upload_id) is None
    assert not await stage(database, upload_id)
    async with database.begin() as transaction:
        assert not await uploads.remove_pending(transaction, upload_id)


async def test_an_upload_is_removed_once(database: Database) -> None:
    pending, promoting = await added(database), await added(database)
    await promote(database, promoting)

    async with database.begin() as transaction:
        assert await uploads.remove_pending(transaction, pending)
        assert not await uploads.remove_pending(transaction, pending)
        assert await uploads.remove(transaction, promoting)
        assert not await uploads.remove(transaction, promoting)


@pytest.mark.parametrize("state", UploadState)
async def test_expired_uploads_are_removed_in_any_state_a_batch_at_a_time(
    database: Database, state: UploadState
) -> None:
    expired = {await added(database, state=state, expires_in=0) for _ in range(5)}
    living = await added(database, state=state)

    batches = []
    for _ in range(3):
        async with database.begin() as transaction:
            batches.append(await uploads.remove_expired(transaction, limit=3))

    assert [len(batch) for batch in batches] == [3, 2, 0]
    assert {upload.id for batch in batches for upload in batch} == expired
    async with database.read() as connection:
        assert await uploads.existing(connection, [*expired, living]) == {living}
        assert await uploads.existing(connection, []) == set()


async def test_an_upload_ends_only_with_the_bytes_that_were_promoted(database: Database) -> None:
    upload_id = await added(database)
    await stage(database, upload_id, "staging/x/1")
    seen = await promote(database, upload_id)
    assert seen is not None
    async with database.begin() as transaction:
        await uploads.reopen(transaction, upload_id)
    await stage(database, upload_id, "staging/x/2")

    async with database.begin() as transaction:
        assert not await uploads.finish(transaction, seen)
    again = await promote(database, upload_id)
    assert again is not None
    async with database.begin() as transaction:
        assert not await uploads.finish(transaction, seen)
        assert await uploads.finish(transaction, again)
    assert await find(database, upload_id) is None
