"""What every store must do with a file of this machine: ``Store.send_file``, ``abandon``."""

import asyncio
import base64
import os
import random
import threading
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from awscrt import checksums
from blake3 import blake3

from mediatheque.storage.local import LocalStore
from mediatheque.storage.pace import Pace, SendingStoppedError
from mediatheque.storage.remote import open_remote
from mediatheque.storage.sending import SourceChangedError, SourceReadError
from mediatheque.storage.stores import Store
from tests.support.sending import KEY, Recorder, open_source, send
from tests.support.stores import get, keys, open_obstore, open_s3, put

KIB = 1 << 10
MIB = 1 << 20
# Three parts of a multipart upload, and two; no multiple of anything.
LARGEST = random.Random(4).randbytes(17 * MIB + 4_321)
LARGE = LARGEST[: 9 * MIB + 321]
BOTH_SIZES = pytest.mark.parametrize("size", [10, len(LARGE)])


@pytest.fixture(params=["local", "memory", "obstore", "s3"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Store]:
    opened: Store
    if request.param == "local":
        opened = LocalStore(tmp_path / "objects")
    elif request.param == "memory":
        opened = open_remote("memory://")
    elif request.param == "obstore":
        opened = open_obstore(request.getfixturevalue("seaweedfs"))
    else:
        opened = open_s3(request.getfixturevalue("seaweedfs"), monkeypatch)
    yield opened
    await opened.close()


@pytest.fixture
def file(tmp_path: Path) -> Callable[[bytes], Path]:
    def make(content: bytes) -> Path:
        path = tmp_path / "source"
        path.write_bytes(content)
        return path

    return make


MakeFile = Callable[[bytes], Path]


async def stop_in_the_middle(store: Store, path: Path, key: str = KEY) -> list[str]:
    """Stop a sending as soon as the store has some bytes; return the ids of its uploads."""
    sending = Recorder(pace=Pace(path.stat().st_size / 2))
    sending.on_advance = lambda _: sending.stop.set()
    with pytest.raises(SendingStoppedError):
        await send(store, path, key, sending=sending)
    assert sending.total < path.stat().st_size
    return sending.upload_ids


async def leftovers(store: Store) -> int:
    """Sweep everything that anybody left behind, however young."""
    return await store.sweep_unfinished(datetime.now(UTC) + timedelta(minutes=1))


# Sizes around those at which stores change what they do: nothing, one byte, what needs no part
# buffer, one part, a part and a byte, several parts.
@pytest.mark.parametrize(
    "size", [0, 1, 256 * KIB, 256 * KIB + 1, 8 * MIB, 8 * MIB + 1, 16 * MIB, len(LARGEST)]
)
async def test_a_sent_object_is_the_file(store: Store, file: MakeFile, size: int) -> None:
    content, sending = LARGEST[:size], Recorder()

    stored = await send(store, file(content), sending=sending)

    assert await get(store, KEY) == content
    assert (stored.key, stored.size) == (KEY, size)
    assert stored.blake3 == blake3(content).hexdigest()
    assert base64.b64decode(stored.crc64nvme) == checksums.crc64nvme(content).to_bytes(8, "big")
    assert sending.total == size
    assert await leftovers(store) == 0


async def test_many_files_may_be_sent_at_once(store: Store, tmp_path: Path) -> None:
    sizes = [0, 70 * KIB, 300 * KIB, 9 * MIB] * 5
    paths = [tmp_path / str(number) for number in range(len(sizes))]
    for number, (path, size) in enumerate(zip(paths, sizes, strict=True)):
        path.write_bytes(LARGEST[number : number + size])

    await asyncio.gather(*(send(store, path, f"originals/1/{path.name}") for path in paths))

    for path in paths:
        assert await get(store, f"originals/1/{path.name}") == path.read_bytes()


@BOTH_SIZES
async def test_sending_replaces_the_object(store: Store, file: MakeFile, size: int) -> None:
    await put(store, KEY, b"before")

    await send(store, file(LARGE[:size]))

    assert await get(store, KEY) == LARGE[:size]


def grow(path: Path) -> None:
    with path.open("ab") as target:
        target.write(b"more")


def shrink(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def rewrite(path: Path) -> None:
    with path.open("r+b") as target:
        target.write(b"other")


@BOTH_SIZES
@pytest.mark.parametrize("change", [grow, shrink, rewrite])
async def test_nothing_is_kept_of_a_file_that_changed(
    store: Store, file: MakeFile, size: int, change: Callable[[Path], None]
) -> None:
    path = file(LARGE[:size])
    with open_source(path) as source:
        change(path)

        with pytest.raises(SourceChangedError):
            await store.send_file(source, KEY, content_type="video/mp4", sending=Recorder())

    assert await keys(store) == set()
    assert await leftovers(store) == 0


@pytest.mark.parametrize("change", [grow, shrink, rewrite])
async def test_nothing_is_kept_of_a_file_that_changes_while_it_is_sent(
    store: Store, file: MakeFile, change: Callable[[Path], None]
) -> None:
    path = file(LARGE)
    sending = Recorder(on_advance=lambda _: change(path))

    with pytest.raises(SourceChangedError):
        await send(store, path, sending=sending)

    assert await keys(store) == set()
    assert await leftovers(store) == 0


async def test_a_file_that_cannot_be_read_is_told_apart_from_a_store_that_fails(
    store: Store, file: MakeFile
) -> None:
    with open_source(file(b"content")) as source:
        unreadable = os.open(file(b"content"), os.O_WRONLY)
        os.dup2(unreadable, source.descriptor)
        os.close(unreadable)

        with pytest.raises(SourceReadError, match="could not be read"):
            await store.send_file(source, KEY, content_type="video/mp4", sending=Recorder())

    assert await keys(store) == set()


@BOTH_SIZES
async def test_a_sending_that_is_stopped_before_it_begins_keeps_nothing_visible(
    store: Store, file: MakeFile, size: int
) -> None:
    sending = Recorder()
    sending.stop.set()

    with pytest.raises(SendingStoppedError):
        await send(store, file(LARGE[:size]), sending=sending)

    assert await keys(store) == set()


async def test_a_stopped_sending_can_be_continued(store: Store, file: MakeFile) -> None:
    path = file(LARGE)
    upload_ids = await stop_in_the_middle(store, path)
    assert await keys(store) == set()

    continued = Recorder(upload_id=next(iter(upload_ids), None))
    stored = await send(store, path, sending=continued)

    assert await get(store, KEY) == LARGE
    assert stored.blake3 == blake3(LARGE).hexdigest()
    assert continued.total == len(LARGE)
    assert continued.upload_ids == []
    assert await leftovers(store) == 0


async def test_nothing_is_left_of_an_abandoned_upload(store: Store, file: MakeFile) -> None:
    upload_ids = await stop_in_the_middle(store, file(LARGE))

    for upload_id in [*upload_ids, *upload_ids, "never-existed"]:
        await store.abandon(KEY, upload_id)

    assert await keys(store) == set()
    assert await leftovers(store) == 0


@pytest.mark.parametrize("store", ["s3"], indirect=True)
async def test_sweeping_spares_the_uploads_that_are_in_use(store: Store, file: MakeFile) -> None:
    wanted = await stop_in_the_middle(store, file(LARGE), "originals/1/wanted")
    await stop_in_the_middle(store, file(LARGE), "originals/1/forgotten")
    later = datetime.now(UTC) + timedelta(minutes=1)

    assert await store.sweep_unfinished(later, in_use=wanted) == 1
    assert await store.sweep_unfinished(later, in_use=wanted) == 0
    assert await store.sweep_unfinished(later) == 1


@pytest.mark.parametrize("size", [200 * KIB, 9 * MIB])
async def test_a_sending_keeps_its_pace_and_hears_of_a_new_one(
    store: Store, file: MakeFile, size: int
) -> None:
    sending = Recorder(pace=Pace(size / 20))
    task = asyncio.create_task(send(store, file(LARGE[:size]), sending=sending))
    started = time.monotonic()
    await asyncio.sleep(0.7)
    assert not task.done()

    sending.pace.limit = size * 2
    await task

    assert 0.7 + 0.3 < time.monotonic() - started < 10
    assert await get(store, KEY) == LARGE[:size]


@pytest.mark.parametrize("size", [200 * KIB, 9 * MIB])
async def test_a_sending_that_is_stopped_and_cancelled_ends_soon(
    store: Store, file: MakeFile, size: int
) -> None:
    sending = Recorder(pace=Pace(size / 60))
    path = file(LARGE[:size])
    with open_source(path) as source:
        task = asyncio.create_task(
            store.send_file(source, KEY, content_type="video/mp4", sending=sending)
        )
        await asyncio.sleep(0.2)
        threading.Timer(0.3, sending.stop.set).start()
        cancelled = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert time.monotonic() - cancelled < 5

    assert await keys(store) == set()
