"""Creating resumable uploads."""

import asyncio

import pytest

from mediatheque.catalog.database import Database
from mediatheque.domain.errors import ConflictError, ExistsError, InvalidError
from mediatheque.domain.resumable_uploads import ResumableState
from mediatheque.storage.local import LocalStore
from tests.support.resumable import BOB, ResumableStage


@pytest.fixture
def stage(database: Database, store: LocalStore) -> ResumableStage:
    return ResumableStage(database, store)


async def test_the_same_request_creates_one_upload(stage: ResumableStage) -> None:
    first, *others = await asyncio.gather(*(stage.create(3, idempotency_key="k") for _ in range(4)))
    assert {one.id for one in others} == {first.id}
    await stage.append(first, b"abc")

    again = await stage.create(3, idempotency_key="k")

    assert (again.id, again.state) == (first.id, ResumableState.COMPLETE)
    assert (await stage.create(3, idempotency_key="k", principal=BOB)).id != first.id


async def test_a_key_belongs_to_one_request(stage: ResumableStage) -> None:
    upload = await stage.create(3, idempotency_key="k")

    for other in ({"length": 4}, {"length": 3, "filename": "b"}, {"length": 3, "partial": True}):
        with pytest.raises(ConflictError, match="Idempotency-Key"):
            await stage.create(**other, idempotency_key="k")

    await stage.terminate(upload)
    assert (await stage.create(4, idempotency_key="k")).id != upload.id


async def test_what_no_database_keeps_is_refused(stage: ResumableStage) -> None:
    with pytest.raises(InvalidError, match="NUL"):
        await stage.create(3, meta={"note": "a\0b"})


async def test_an_address_that_is_taken_is_refused_before_the_bytes_come(
    stage: ResumableStage,
) -> None:
    await stage.append(await stage.create(3, resource="film"), b"abc")

    with pytest.raises(ExistsError):
        await stage.create(3, resource="film")
