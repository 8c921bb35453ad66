"""Every query of resumable uploads, on a real database."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from mediatheque.catalog import intakes, medias, resumable_uploads
from mediatheque.catalog.database import Database
from mediatheque.domain.ids import new_id
from mediatheque.domain.intakes import Segment
from mediatheque.domain.resumable_uploads import (
    Concatenation,
    Destination,
    ResumableState,
    ResumableUpload,
)
from tests.support.database import a_media, add_medias

LIFETIME = timedelta(hours=1)
DESTINATION = Destination(
    filename="a.txt",
    resource="film",
    key="k",
    public=True,
    project_id="p",
    tags=("x", "y"),
    meta={"camera": "z"},
    file_id=UUID(int=7),
)


async def add(database: Database, upload_id: UUID | None = None, **values: Any) -> UUID | None:
    """Insert an upload of alice with its intake; None when its key was taken."""
    upload_id = upload_id or new_id()
    plain: dict[str, Any] = {
        "state": ResumableState.RECEIVING,
        "concatenation": Concatenation.WHOLE,
        "length": 5,
        "ending": True,
        "parts": (),
        "destination": Destination(filename="a.txt"),
        "metadata": None,
        "concat": None,
        "digests": {},
        "idempotency_key": None,
        "request": "r",
        "created_by": "alice",
        "created_role": "member",
    }
    async with database.begin() as transaction:
        if not await resumable_uploads.add(transaction, upload_id, **(plain | values)):
            return None
        await intakes.add(transaction, upload_id)
    return upload_id


async def added(database: Database, size: int = 0, **values: Any) -> UUID:
    """Insert an upload that has ``size`` bytes."""
    upload_id = await add(database, **values)
    assert upload_id is not None
    if size:
        async with database.begin() as transaction:
            await intakes.remove(transaction, upload_id)
            await intakes.add(
                transaction, upload_id, segments=[Segment("staging/x/a", size)], crc64nvme="c"
            )
    return upload_id


async def find(
    database: Database, upload_id: UUID, owner: str | None = None
) -> ResumableUpload | None:
    async with database.read() as connection:
        return await resumable_uploads.find(connection, upload_id, owner=owner, lifetime=LIFETIME)


async def change(database: Database, *ids: UUID, **values: Any) -> None:
    async with database.begin() as transaction:
        await resumable_uploads.change(transaction, ids, **values)


async def unfinished(database: Database, before: datetime, limit: int = 10) -> list[UUID]:
    async with database.read() as connection:
        return await resumable_uploads.unfinished(connection, before, limit=limit)


async def expired(
    database: Database, before: datetime, after: UUID | None = None, limit: int = 10
) -> list[UUID]:
    async with database.read() as connection:
        return await resumable_uploads.expired(connection, before, after=after, limit=limit)


async def test_an_upload_is_found_as_it_was_written(database: Database) -> None:
    upload_id = await added(
        database, 3, destination=DESTINATION, metadata="m", concat="partial", digests={"md5": "00"}
    )

    found = await find(database, upload_id, "alice")

    assert found is not None
    assert (found.id, found.size, found.length, found.destination) == (upload_id, 3, 5, DESTINATION)
    assert (found.metadata, found.concat) == ("m", "partial")
    assert (found.digests, found.media_id) == ({"md5": "00"}, None)
    assert found.expires_at - found.touched_at == LIFETIME
    assert await find(database, upload_id, "bob") is None
    assert await find(database, new_id()) is None
    async with database.begin() as transaction:
        locked = await resumable_uploads.lock(transaction, [upload_id, new_id()], lifetime=LIFETIME)
    assert locked == {upload_id: found}


async def test_without_an_intake_an_upload_has_its_length(database: Database) -> None:
    upload_id = await added(database, 3)
    async with database.begin() as transaction:
        await intakes.remove(transaction, upload_id)

    found = await find(database, upload_id)

    assert found is not None
    assert found.size == 5


async def test_a_key_is_taken_once_for_each_creator(database: Database) -> None:
    upload_id = await added(database, idempotency_key="k", request="first")

    assert await add(database, idempotency_key="k") is None
    assert await add(database, idempotency_key="k", created_by="bob")
    assert await add(database)
    assert await add(database)
    async with database.read() as connection:
        earlier = await resumable_uploads.find_request(
            connection, owner="alice", idempotency_key="k"
        )
        requests = await resumable_uploads.requests(connection, [upload_id])
    assert earlier == (upload_id, "first")
    assert requests == {upload_id: ("alice", "first")}


async def test_only_who_holds_the_intake_settles_an_upload(database: Database) -> None:
    upload_id, holder = await added(database), uuid4()
    before = await find(database, upload_id)
    assert before is not None
    async with database.read() as connection:
        taken = await intakes.take(connection, upload_id, holder, seconds=60)
        assert taken is not None
        assert taken.touched_at == before.touched_at
        refused = await resumable_uploads.settle(connection, upload_id, uuid4(), length=7)
        settled_at = await resumable_uploads.settle(connection, upload_id, holder, length=9)

    found = await find(database, upload_id)
    assert found is not None
    assert (refused, found.length, found.touched_at) == (None, 9, settled_at)
    assert found.touched_at > before.touched_at


async def test_what_was_tried_last_waits_behind_all_others(database: Database) -> None:
    first, second, third = [await added(database, 5) for _ in range(3)]
    await added(database, 4)
    await added(database, 5, ending=False)
    await added(database, 5, state=ResumableState.COMPLETE)
    now = datetime.now(UTC)
    assert await unfinished(database, now - timedelta(minutes=1)) == []
    assert await unfinished(database, now, limit=2) == [first, second]

    await change(database, first)
    async with database.read() as connection:
        await intakes.take(connection, second, uuid4(), seconds=60)

    assert await unfinished(database, now) == [third]
    assert await unfinished(database, datetime.now(UTC)) == [third, first]


async def test_what_expires_is_found_page_by_page(database: Database) -> None:
    first, second, part, held = [await added(database) for _ in range(4)]
    media = a_media()
    await add_medias(database, media)
    await change(database, await added(database), media_id=media.id)
    await change(database, part, final_id=new_id())
    async with database.read() as connection:
        await intakes.take(connection, held, uuid4(), seconds=60)
    now = datetime.now(UTC)

    assert await expired(database, now - timedelta(minutes=1)) == []
    assert await expired(database, now, limit=1) == [first]
    assert await expired(database, now, after=first) == [second]
    assert await expired(database, now, after=second) == []


async def test_only_what_has_no_bytes_and_is_no_media_is_forgotten(database: Database) -> None:
    receiving, expired_one, finished = [await added(database) for _ in range(3)]
    media = a_media()
    await add_medias(database, media)
    await change(database, finished, media_id=media.id)
    async with database.begin() as transaction:
        for one in (expired_one, finished):
            await intakes.remove(transaction, one)
    now = datetime.now(UTC)
    async with database.begin() as transaction:
        early = await resumable_uploads.forget(transaction, now - timedelta(minutes=1), limit=10)
        forgotten = await resumable_uploads.forget(transaction, now, limit=10)

    assert (early, forgotten) == (0, 1)
    assert await find(database, expired_one) is None
    assert await find(database, receiving) is not None
    assert await find(database, finished) is not None


async def test_an_upload_goes_with_its_media(database: Database) -> None:
    upload_id, media = await added(database), a_media(resource="film")
    await add_medias(database, media)
    await change(database, upload_id, media_id=media.id)

    async with database.begin() as transaction:
        await medias.remove_resource(transaction, media.id, owner=None)

    assert await find(database, upload_id) is None
    async with database.begin() as transaction:
        assert await resumable_uploads.remove(transaction, [upload_id]) == set()
