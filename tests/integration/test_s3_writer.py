"""How objects get into an S3 store when network, store or memory make trouble."""

import asyncio
import base64
import random
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from awscrt import checksums

from mediatheque.domain.errors import (
    MediathequeError,
    StorageFullError,
    TooLargeError,
    UnavailableError,
)
from mediatheque.storage import s3_bucket, s3_writer
from mediatheque.storage.multipart import MultipartUpload
from mediatheque.storage.part_files import PartFiles
from mediatheque.storage.part_memory import PartMemory
from mediatheque.storage.part_sizes import MOST_PARTS, part_bytes
from mediatheque.storage.s3 import S3Store
from mediatheque.storage.s3_bucket import S3Bucket
from tests.support.proxy import Fault, Harm, Proxy, answer
from tests.support.seaweedfs import SeaweedFS
from tests.support.stores import check_not_kept_waiting, get, keys, open_s3, put
from tests.support.threads import no_thread

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
CONTENT = random.Random(2).randbytes(17 * MIB + 77)
SMALL = CONTENT[: 100 * KIB]
PUT = "^PUT "
PART_TWO = "^PUT .*partNumber=2"
COMPLETE = "^POST .*uploadId="
BOTH_WAYS = pytest.mark.parametrize(
    ("content", "line"), [(SMALL, PUT), (CONTENT, PART_TWO)], ids=["put", "part"]
)


def refused(status: str, code: str) -> bytes:
    return answer(status, f"<Error><Code>{code}</Code></Error>")


def crc64nvme(content: bytes) -> str:
    return base64.b64encode(checksums.crc64nvme(content).to_bytes(8, "big")).decode()


@pytest.fixture
async def store(
    seaweedfs: SeaweedFS, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[S3Store]:
    """A store behind the proxy that waits only briefly before it tries again."""
    monkeypatch.setattr(s3_bucket, "_PAUSES", (0.01,) * 4)
    opened = open_s3(seaweedfs, monkeypatch, endpoint=proxy.endpoint)
    yield opened
    await opened.close()


async def fails(store: S3Store, content: bytes) -> MediathequeError:
    """Write an object that cannot be written; return the error after nothing was left behind."""
    writer = store.writer("a/object", content_type="video/mp4", size_hint=len(content))

    async def write() -> None:
        await writer.write(content)
        await writer.commit()

    with pytest.raises(MediathequeError) as caught:
        await write()
    await writer.abort()
    assert await store.head("a/object") is None
    assert await keys(store) == set()
    return caught.value


@BOTH_WAYS
@pytest.mark.parametrize(
    "fault",
    [
        Fault("", Harm.CUT),
        Fault("", Harm.DAMAGE),
        Fault("", Harm.LOSE_ANSWER),
        Fault("", Harm.ANSWER, answer=refused("503 Slow Down", "SlowDown")),
        Fault("", Harm.ANSWER, answer=refused("500 Internal Server Error", "InternalError")),
        Fault("", Harm.ANSWER, answer=answer("429 Too Many Requests")),
    ],
    ids=["cut", "damaged", "answer lost", "slow down", "internal error", "too many"],
)
async def test_bytes_that_fail_to_arrive_twice_are_sent_a_third_time(
    store: S3Store, proxy: Proxy, content: bytes, line: str, fault: Fault
) -> None:
    proxy.faults.append(replace(fault, line=line, times=2))

    await put(store, "a/object", content)

    assert proxy.count(line) == 3
    assert await get(store, "a/object") == content


@BOTH_WAYS
async def test_nothing_is_kept_of_an_object_whose_bytes_are_damaged_every_time(
    store: S3Store, proxy: Proxy, content: bytes, line: str
) -> None:
    proxy.faults.append(Fault(line, Harm.DAMAGE, times=99))

    error = await fails(store, content)

    assert isinstance(error, UnavailableError)
    assert "checksum" in error.detail
    assert proxy.count(line) == 5


async def test_the_store_compares_the_checksum_over_all_parts(
    seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_s3(seaweedfs, monkeypatch).close()  # sets the credentials
    bucket = S3Bucket(seaweedfs.bucket, "whole", endpoint=seaweedfs.endpoint, region=None)

    def complete_with_the_checksum_of_something_else() -> None:
        upload = MultipartUpload.begin(bucket, "a/object", "video/mp4")
        upload.send_part(
            1, memoryview(SMALL), crc64nvme=crc64nvme(SMALL), give_up=threading.Event()
        )
        try:
            upload.complete(size=len(SMALL), crc64nvme=crc64nvme(b"something else"))
        finally:
            upload.abort()

    with pytest.raises(UnavailableError, match="checksum"):
        await bucket.run(complete_with_the_checksum_of_something_else)
    bucket.close()


@BOTH_WAYS
async def test_a_store_that_verifies_no_checksum_is_not_trusted(
    store: S3Store, proxy: Proxy, content: bytes, line: str
) -> None:
    proxy.faults.append(
        Fault(line, Harm.ANSWER, answer=answer("200 OK", headers='ETag: "0123"\r\n'))
    )

    error = await fails(store, content)

    assert isinstance(error, UnavailableError)
    assert "CRC64NVME" in error.detail


@pytest.mark.parametrize(
    ("harm", "other_answer"),
    [
        (Harm.LOSE_ANSWER, b""),
        (Harm.REPLACE_ANSWER, refused("404 Not Found", "NoSuchUpload")),
    ],
    ids=["completed twice", "found by looking"],
)
async def test_completing_is_safe_when_the_answer_got_lost(
    store: S3Store, proxy: Proxy, harm: Harm, other_answer: bytes
) -> None:
    proxy.faults.append(Fault(COMPLETE, harm, answer=other_answer))

    stored = await put(store, "a/object", CONTENT)

    assert stored.size == len(CONTENT)
    assert await get(store, "a/object") == CONTENT


async def test_completing_an_upload_that_somebody_removed_fails(
    store: S3Store, proxy: Proxy
) -> None:
    proxy.faults.append(
        Fault(COMPLETE, Harm.ANSWER, times=99, answer=refused("404 Not Found", "NoSuchUpload"))
    )

    assert isinstance(await fails(store, CONTENT), UnavailableError)


@BOTH_WAYS
@pytest.mark.parametrize(
    "full",
    [
        answer("507 Insufficient Storage"),
        refused("507 Insufficient Storage", "XMinioStorageFull"),
        refused("403 Forbidden", "QuotaExceeded"),
    ],
    ids=["status", "minio", "quota"],
)
async def test_a_full_store_is_said_to_be_full_at_once(
    store: S3Store, proxy: Proxy, content: bytes, line: str, full: bytes
) -> None:
    proxy.faults.append(Fault(line, Harm.ANSWER, times=99, answer=full))

    assert isinstance(await fails(store, content), StorageFullError)
    assert proxy.count(line) == 1


@BOTH_WAYS
async def test_a_store_that_never_recovers_is_unavailable(
    store: S3Store, proxy: Proxy, content: bytes, line: str
) -> None:
    proxy.faults.append(Fault(line, Harm.CUT, times=99))

    error = await fails(store, content)

    assert isinstance(error, UnavailableError)
    assert "does not answer" in error.detail


async def test_abort_does_not_wait_until_all_tries_are_used_up(
    store: S3Store, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_bucket, "_PAUSES", (60.0,) * 4)
    proxy.faults.append(Fault(PART_TWO, Harm.CUT, times=99))
    writer = store.writer("a/object", content_type="video/mp4", size_hint=None)
    await writer.write(CONTENT)
    while proxy.count(PART_TWO) == 0:
        await asyncio.sleep(0.01)

    started = time.monotonic()
    await writer.abort()

    assert time.monotonic() - started < 5
    assert proxy.count("^DELETE .*uploadId=") == 1


async def test_many_uploads_at_once_share_little_memory_and_all_finish(
    seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_s3(seaweedfs, monkeypatch, memory=PartMemory(16 * MIB))
    contents = {f"a/{number}": CONTENT[number : number + 9 * MIB] for number in range(12)}

    await asyncio.gather(*(put(store, key, content) for key, content in contents.items()))

    for key, content in contents.items():
        assert await get(store, key) == content
    await store.close()


async def test_objects_of_fast_clients_do_not_wait_for_those_of_slow_ones(
    seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files = PartFiles(tmp_path, reserved_bytes=0)
    store = open_s3(seaweedfs, monkeypatch, memory=PartMemory(8 * MIB, files))

    await check_not_kept_waiting(store, CONTENT)

    await store.close()


async def test_a_small_object_does_not_wait_for_a_large_one(
    seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_s3(seaweedfs, monkeypatch, memory=PartMemory(8 * MIB))
    slow = store.writer("a/slow", content_type="video/mp4", size_hint=None)
    await slow.write(CONTENT[: 7 * MIB])
    second = store.writer("a/second", content_type="video/mp4", size_hint=None)
    waiting = asyncio.create_task(second.write(CONTENT[: 7 * MIB]))

    await put(store, "a/small", SMALL)

    assert not waiting.done()
    assert await get(store, "a/small") == SMALL
    await slow.commit()
    await waiting
    await second.commit()
    assert await keys(store) == {"a/slow", "a/small", "a/second"}
    await store.close()


async def test_an_aborted_upload_gives_its_memory_back(
    seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_s3(seaweedfs, monkeypatch, memory=PartMemory(8 * MIB))
    async with asyncio.timeout(30):
        for size in (MIB, 9 * MIB, 17 * MIB):
            writer = store.writer("a/aborted", content_type="video/mp4", size_hint=None)
            await writer.write(CONTENT[:size])
            await writer.abort()

        await put(store, "a/object", CONTENT)

    await store.close()


async def test_an_upload_is_aborted_without_a_fuss_where_no_thread_can_be_had_for_it(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = store.writer("originals/1/a", content_type="video/mp4", size_hint=None)
    await writer.write(CONTENT)
    with monkeypatch.context() as patched:
        patched.setattr(S3Bucket, "run", no_thread)
        await writer.abort()

    assert await store.sweep_unfinished(datetime.now(UTC) + timedelta(minutes=1)) == 1


async def test_a_writer_that_was_cancelled_while_it_waited_for_memory_takes_none(
    seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_s3(seaweedfs, monkeypatch, memory=PartMemory(8 * MIB))
    first = store.writer("a/first", content_type="video/mp4", size_hint=None)
    await first.write(CONTENT[:MIB])
    second = store.writer("a/second", content_type="video/mp4", size_hint=None)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(second.write(CONTENT[:MIB]), timeout=0.05)
    await second.abort()
    await first.commit()

    await asyncio.wait_for(put(store, "a/object", CONTENT), timeout=30)

    await store.close()


async def test_the_content_type_is_kept(
    seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_s3(seaweedfs, monkeypatch)
    for content in (SMALL, CONTENT):
        await put(store, "a/object", content, content_type="video/x-matroska")
        url = await store.signed_put("a/object", expires_in=60)
        assert url is not None
        key = urlsplit(url).path.removeprefix(f"/{seaweedfs.bucket}/")
        head = seaweedfs.client().head_object(Bucket=seaweedfs.bucket, Key=key)
        assert head["ContentType"] == "video/x-matroska"
    await store.close()


@pytest.mark.parametrize("size", [1, 8 * MIB, 70 * GIB, 78 * GIB, 500 * GIB, 5 * 1024 * GIB])
def test_an_object_of_the_expected_size_fits_into_the_parts_that_s3_takes(size: int) -> None:
    part = part_bytes(size, 1)

    assert part % MIB == 0
    assert 8 * MIB <= part <= 5 * GIB
    assert -(-size // part) <= 9_900
    assert part_bytes(size, MOST_PARTS) == part


def test_an_object_of_unknown_size_may_become_as_large_as_s3_allows() -> None:
    parts = [part_bytes(None, number) for number in range(1, MOST_PARTS + 1)]

    assert parts[0] == 8 * MIB
    assert max(parts) <= 5 * GIB
    assert sum(parts) >= 5 * 1024 * GIB


async def test_more_bytes_than_s3_can_hold_are_refused(
    seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_writer, "MOST_PARTS", 1)
    store = open_s3(seaweedfs, monkeypatch)

    assert isinstance(await fails(store, CONTENT), TooLargeError)
    await store.close()
