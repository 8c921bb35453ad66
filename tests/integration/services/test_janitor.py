"""The janitor removes what nobody refers to any more, and nothing else."""

import asyncio
import os
import time
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from mediatheque.catalog import sync_operations
from mediatheque.catalog.database import Database
from mediatheque.domain.access import LOCAL_OPERATOR
from mediatheque.domain.errors import UnavailableError
from mediatheque.domain.ids import new_id
from mediatheque.domain.jobs import Signal
from mediatheque.services.identity import IdentityService
from mediatheque.services.janitor import Janitor, Swept
from mediatheque.services.jobs import JobService
from mediatheque.storage import keys as layout
from tests.support.database import a_media, add_medias, execute, fetch
from tests.support.parts import Parts, pieces
from tests.support.seaweedfs import SeaweedFS
from tests.support.stores import open_s3, put
from tests.support.sync_rows import add_sync, an_operation

NOTHING = Swept(0, 0, 0)
DAY = timedelta(days=1).total_seconds()


def age(folder: Path) -> None:
    """Make every file below a folder a day old."""
    for file in folder.rglob("*"):
        if file.is_file():
            os.utime(file, (time.time() - DAY,) * 2)


async def pending(parts: Parts, content: bytes = b"abc") -> str:
    upload_id, _ = await parts.files.create(
        LOCAL_OPERATOR, name="a.txt", size=len(content), tags=(), base_url=""
    )
    await parts.files.receive(upload_id, pieces(content), length=len(content))
    return str(upload_id)


async def test_what_is_in_use_stays_however_old(parts: Parts, tmp_path: Path) -> None:
    media = a_media()
    await put(parts.store, media.object_key, b"abc")
    await add_medias(parts.database, media)
    upload_id = await pending(parts)
    before = await parts.objects()
    age(tmp_path)

    assert await parts.janitor.sweep() == NOTHING

    assert await parts.objects() == before
    await parts.files.confirm(LOCAL_OPERATOR, upload_id)


async def test_objects_that_nothing_refers_to_go_once_they_are_old(
    parts: Parts, tmp_path: Path
) -> None:
    media = a_media()
    await add_medias(parts.database, media)
    orphans = [
        layout.original(new_id(), "a.txt"),
        layout.staging(new_id(), "attempt"),
        # Of a media, but not the object that it refers to.
        layout.original(media.id, "another.txt"),
        layout.staging(media.id, "direct"),
    ]
    for key in (*orphans, media.object_key):
        await put(parts.store, key, b"abc")

    assert await parts.janitor.sweep() == NOTHING
    age(tmp_path)
    await put(parts.store, young := layout.original(new_id(), "young.txt"), b"abc")

    assert await parts.janitor.sweep() == Swept(uploads=0, objects=4, unfinished=0)
    assert await parts.objects() == {media.object_key, young}


async def test_objects_of_other_people_stay(parts: Parts, tmp_path: Path) -> None:
    foreign = {"backup.tar", "originals/backup.tar", "originals/photos/a.jpg", "staging/x/y"}
    for key in foreign:
        await put(parts.store, key, b"abc")
    age(tmp_path)

    assert await parts.janitor.sweep() == NOTHING
    assert await parts.objects() == foreign


async def test_uploads_that_expired_go_with_their_bytes(parts: Parts, database_url: str) -> None:
    upload_id = await pending(parts)
    living = await pending(parts)
    # What a confirmation that died has moved already.
    await put(parts.store, f"originals/{upload_id}/a.txt", b"abc")
    await execute(
        database_url, "UPDATE uploads SET expires_at = now() WHERE id = $1", UUID(upload_id)
    )

    assert (await parts.janitor.sweep()).uploads == 1

    assert {key.split("/")[1] for key in await parts.objects()} == {living}
    assert [str(row[0]) for row in await fetch(database_url, "SELECT id FROM uploads")] == [living]


async def test_the_store_of_another_catalog_is_left_alone(parts: Parts, tmp_path: Path) -> None:
    await put(parts.store, layout.CATALOG_ID, str(new_id()).encode())
    await put(parts.store, orphan := layout.original(new_id(), "a"), b"abc")
    age(tmp_path)

    with pytest.raises(UnavailableError, match="another database"):
        await parts.janitor.sweep()

    assert await parts.objects() == {orphan}


async def test_more_leftovers_than_a_batch_all_go(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediatheque.services.janitor._BATCH", 20)
    for _ in range(21):
        path = parts.store.local_path(layout.original(new_id(), "a"))
        assert path is not None
        path.parent.mkdir(parents=True)
        path.touch()
    age(tmp_path)

    assert (await parts.janitor.sweep()).objects == 21
    assert await parts.objects() == set()


async def test_unfinished_writes_go_once_they_are_old(parts: Parts, tmp_path: Path) -> None:
    writer = parts.store.writer("originals/x/y", content_type="text/plain", size_hint=None)
    await writer.write(b"x" * (2 << 20))
    await writer.write(b"x" * (2 << 20))

    assert await parts.janitor.sweep() == NOTHING
    age(tmp_path)

    assert await parts.janitor.sweep() == Swept(uploads=0, objects=0, unfinished=1)
    await writer.abort()


async def test_a_media_that_is_being_received_is_left_alone(parts: Parts, tmp_path: Path) -> None:
    async with parts.medias.receive(LOCAL_OPERATOR) as reception:
        await reception.take("a.txt", pieces(b"abc"), size_hint=None)
        age(tmp_path)
        assert await parts.janitor.sweep() == NOTHING
        media = await reception.keep(resource="r", key="", public=False, project_id=None)

    assert await parts.objects() == {media.object_key}


async def test_uploads_that_a_sync_may_continue_stay(
    database: Database, seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_s3(seaweedfs, monkeypatch)
    bucket = store._bucket

    def begin(name: str) -> str:
        key = bucket.full_key(f"buckets/photos/{name}")
        created = bucket.client.create_multipart_upload(Bucket=bucket.name, Key=key)
        return created["UploadId"]

    def unfinished() -> set[str]:
        found = bucket.client.list_multipart_uploads(Bucket=bucket.name, Prefix=bucket.prefix)
        return {upload["UploadId"] for upload in found.get("Uploads", [])}

    janitor = Janitor(
        database, store, IdentityService(database, store), orphan_age=3600, unfinished_age=0
    )
    live, ended = await add_sync(database), await add_sync(database)
    await JobService(database).signal(LOCAL_OPERATOR, str(ended.id), Signal.CANCEL)
    ids = {name: await asyncio.to_thread(begin, name) for name in ("live", "ended", "nobody's")}
    async with database.begin() as transaction:
        for sync, name in ((live, "live"), (ended, "ended")):
            operation = an_operation(0, upload_id=ids[name])
            await sync_operations.clear(transaction, sync.bucket_id, sync.id, limit=1000)
            await sync_operations.add(transaction, sync.id, [operation])

    assert await asyncio.to_thread(unfinished) == set(ids.values())
    assert (await janitor.sweep()).unfinished == 2
    assert await asyncio.to_thread(unfinished) == {ids["live"]}
    await store.close()
