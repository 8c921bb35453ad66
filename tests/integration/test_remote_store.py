"""What the conformance suite cannot see of a store behind obstore: unfinished uploads, memory."""

import asyncio
import contextlib
import gc
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediatheque.domain.errors import InvalidError, UnavailableError
from mediatheque.storage.digest import Digest
from mediatheque.storage.part_files import PartFiles
from mediatheque.storage.part_memory import PartMemory
from mediatheque.storage.remote import open_remote
from tests.support.proxy import Fault, Harm, Proxy, answer
from tests.support.seaweedfs import SeaweedFS
from tests.support.stores import check_not_kept_waiting, get, open_obstore, put

MIB = 1 << 20
PART_BYTES = 8 * MIB
CONTENT = random.Random(3).randbytes(17 * MIB + 77)
SOON = 30


def unfinished(server: SeaweedFS) -> int:
    return len(server.client().list_multipart_uploads(Bucket=server.bucket).get("Uploads", []))


@pytest.mark.parametrize("parts", [1, 2, 3])
async def test_an_aborted_upload_is_removed_from_the_store(
    seaweedfs: SeaweedFS, parts: int
) -> None:
    store = open_obstore(seaweedfs)
    before = unfinished(seaweedfs)
    writer = store.writer("a/object", content_type="video/mp4", size_hint=None)
    await writer.write(bytes(parts * 8 * MIB + 1))

    await writer.abort()

    assert unfinished(seaweedfs) == before
    assert await store.head("a/object") is None


@pytest.mark.parametrize("size", [MIB, 9 * MIB, 17 * MIB, 25 * MIB, 33 * MIB])
@pytest.mark.parametrize("refused", [False, True], ids=["aborted", "refused"])
async def test_an_upload_that_fails_gives_its_memory_back(
    seaweedfs: SeaweedFS, size: int, refused: bool
) -> None:
    server = SeaweedFS(seaweedfs.endpoint, secret_key="another-secret") if refused else seaweedfs
    memory = PartMemory(5 * PART_BYTES)
    store = open_obstore(server, memory=memory)
    writer = store.writer("a/object", content_type="video/mp4", size_hint=None)
    async with asyncio.timeout(SOON):
        with contextlib.suppress(UnavailableError):
            await writer.write(bytes(size))
            if refused:
                await writer.commit()
        await writer.abort()

        (await memory.buffer(5 * PART_BYTES)).release()

    await store.close()


@pytest.fixture
def no_garbage_collection() -> Iterator[None]:
    """What is freed only by the collector of garbage may stay for very long."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_garbage_collection")
@pytest.mark.parametrize(
    "line", ["PUT .*partNumber=1", "PUT .*partNumber=2", "PUT .*object [^?]*$"]
)
@pytest.mark.parametrize("size", [MIB, 17 * MIB, 33 * MIB])
async def test_an_upload_whose_bytes_are_refused_gives_its_memory_back_at_once(
    seaweedfs: SeaweedFS, proxy: Proxy, line: str, size: int
) -> None:
    proxy.faults.append(Fault(line, Harm.ANSWER, 99, answer("403 Forbidden")))
    memory = PartMemory(5 * PART_BYTES)
    store = open_obstore(seaweedfs, endpoint=proxy.endpoint, memory=memory)
    writer = store.writer("a/object", content_type="video/mp4", size_hint=None)
    with contextlib.suppress(UnavailableError):
        await writer.write(bytes(size))
        await writer.commit()
    await writer.abort()

    async with asyncio.timeout(SOON):
        (await memory.buffer(5 * PART_BYTES)).release()

    await store.close()


@pytest.mark.usefixtures("no_garbage_collection")
async def test_a_part_that_cannot_be_hashed_gives_its_memory_back(
    seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    memory = PartMemory(PART_BYTES)
    store = open_obstore(seaweedfs, memory=memory)
    writer = store.writer("a/object", content_type="video/mp4", size_hint=None)
    await writer.write(bytes(MIB))
    monkeypatch.setattr(Digest, "update", fail)
    with pytest.raises(MemoryError):
        await writer.commit()
    await writer.abort()

    async with asyncio.timeout(SOON):
        (await memory.buffer(PART_BYTES)).release()

    await store.close()


async def test_parts_that_the_store_does_not_take_yet_count(
    seaweedfs: SeaweedFS, proxy: Proxy
) -> None:
    proxy.faults.append(Fault("PUT .*partNumber=", Harm.HOLD, 99))
    memory = PartMemory(2 * PART_BYTES)
    store = open_obstore(seaweedfs, endpoint=proxy.endpoint, memory=memory)
    uploads = [
        asyncio.create_task(put(store, f"a/{number}", CONTENT[: PART_BYTES + number]))
        for number in (1, 2)
    ]
    try:
        async with asyncio.timeout(SOON):
            while proxy.count("PUT .*partNumber=") < 1:
                await asyncio.sleep(0.02)
        waiting = asyncio.create_task(memory.buffer(2 * PART_BYTES))
        await asyncio.sleep(1)
        assert not waiting.done()
    finally:
        proxy.released.set()

    async with asyncio.timeout(SOON):
        (await waiting).release()
        await asyncio.gather(*uploads)
    await store.close()


async def test_many_uploads_share_little_memory_and_all_finish(seaweedfs: SeaweedFS) -> None:
    store = open_obstore(seaweedfs, memory=PartMemory(2 * PART_BYTES))
    contents = {f"a/{number}": CONTENT[number:] for number in range(8)}
    async with asyncio.timeout(SOON):
        await asyncio.gather(*(put(store, key, content) for key, content in contents.items()))

    for key, content in contents.items():
        assert await get(store, key) == content
    await store.close()


async def test_objects_of_fast_clients_do_not_wait_for_those_of_slow_ones(
    seaweedfs: SeaweedFS, tmp_path: Path
) -> None:
    memory = PartMemory(PART_BYTES, PartFiles(tmp_path, reserved_bytes=0))
    store = open_obstore(seaweedfs, memory=memory)

    await check_not_kept_waiting(store, CONTENT)

    await store.close()


async def test_a_refused_store_is_unavailable_and_its_keys_stay_secret(
    seaweedfs: SeaweedFS,
) -> None:
    store = open_obstore(SeaweedFS(seaweedfs.endpoint, secret_key="another-secret"))

    with pytest.raises(UnavailableError) as caught:
        await store.check()

    assert "credentials" in caught.value.detail
    assert seaweedfs.access_key not in caught.value.detail


async def test_a_store_that_does_not_answer_is_unavailable() -> None:
    store = open_obstore(SeaweedFS("http://127.0.0.1:1"))

    with pytest.raises(UnavailableError, match="The test store"):
        await store.head("a/object")


@pytest.mark.parametrize("url", ["ftp://host/folder", "az://container"])
def test_a_url_that_names_no_complete_store_is_invalid(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)

    with pytest.raises(InvalidError):
        open_remote(url)


def test_the_stores_of_google_and_microsoft_are_opened_without_contacting_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")

    open_remote("az://container/prefix")
    open_remote("gs://bucket/prefix")
