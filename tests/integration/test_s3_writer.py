"""How objects get into an S3 store when network, store or memory make trouble."""

import asyncio
import random
import time
from collections.abc import AsyncIterator

import pytest
from botocore.exceptions import ClientError

from mediatheque.domain.errors import StorageFullError, TooLargeError, UnavailableError
from mediatheque.storage import multipart, s3_bucket
from mediatheque.storage.multipart import MultipartUpload, part_bytes
from mediatheque.storage.s3 import S3Store
from mediatheque.storage.s3_bucket import S3Bucket
from tests.support.proxy import Fault, Harm, Proxy, answer, run_proxy
from tests.support.seaweedfs import SeaweedFS
from tests.support.stores import get, keys, open_s3, put

KIB = 1 << 10
MIB = 1 << 20
CONTENT = random.Random(2).randbytes(17 * MIB + 77)
SMALL = CONTENT[: 100 * KIB]
SEND_PUT = "PUT /"
SEND_PART_TWO = "partNumber=2"
COMPLETE = "POST "


def error_answer(status: str, code: str) -> bytes:
    return answer(status, f"<Error><Code>{code}</Code></Error>")


@pytest.fixture
async def proxy(seaweedfs: SeaweedFS) -> AsyncIterator[Proxy]:
    async with run_proxy(seaweedfs.endpoint) as running:
        yield running


@pytest.fixture
async def store(
    seaweedfs: SeaweedFS, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[S3Store]:
    """A store behind the proxy that waits only briefly before it tries again."""
    monkeypatch.setattr(s3_bucket, "_PAUSES", (0.01,) * 4)
    opened = open_s3(seaweedfs, monkeypatch, endpoint=proxy.endpoint)
    yield opened
    await opened.close()


def sent(proxy: Proxy, line: str) -> int:
    return sum(line in request for request in proxy.requests)


@pytest.mark.parametrize(
    ("content", "line"), [(SMALL, SEND_PUT), (CONTENT, SEND_PART_TWO)], ids=["put", "part"]
)
@pytest.mark.parametrize(
    "fault",
    [
        Fault("", Harm.CUT),
        Fault("", Harm.DAMAGE),
        Fault("", Harm.LOSE_ANSWER),
        Fault("", Harm.ANSWER, answer=error_answer("503 Slow Down", "SlowDown")),
        Fault("", Harm.ANSWER, answer=error_answer("500 Internal Error", "InternalError")),
        Fault("", Harm.ANSWER, answer=answer("429 Too Many Requests")),
    ],
    ids=["cut", "damaged", "answer lost", "slow down", "internal error", "too many"],
)
async def test_bytes_that_fail_to_arrive_twice_are_sent_a_third_time(
    store: S3Store, proxy: Proxy, content: bytes, line: str, fault: Fault
) -> None:
    proxy.faults.append(Fault(line, fault.harm, times=2, answer=fault.answer))

    await put(store, "a/object", content)

    assert sent(proxy, line) == 3
    assert await get(store, "a/object") == content


@pytest.mark.parametrize(
    ("content", "line"), [(SMALL, SEND_PUT), (CONTENT, SEND_PART_TWO)], ids=["put", "part"]
)
async def test_the_store_keeps_nothing_of_an_object_whose_bytes_are_always_damaged(
    store: S3Store, proxy: Proxy, content: bytes, line: str
) -> None:
    proxy.faults.append(Fault(line, Harm.DAMAGE, times=5))
    writer = store.writer("a/object", content_type="video/mp4", size_hint=None)

    with pytest.raises(UnavailableError, match="checksum"):
        await writer.write(content)
        await writer.commit()
    await writer.abort()

    assert sent(proxy, line) == 5
    assert await keys(store) == set()
    assert await bucket_of(store).run(unfinished, bucket_of(store)) == []


async def test_a_damaged_object_is_refused_on_completion(store: S3Store) -> None:
    bucket = bucket_of(store)
    right, wrong = CONTENT[: 8 * MIB], CONTENT[8 * MIB : 16 * MIB]
    right_crc, wrong_crc = (
        (await put(store, f"crc/{number}", part)).crc64nvme
        for number, part in enumerate((right, wrong))
    )

    def try_it() -> None:
        upload = MultipartUpload(bucket, "a/object", "video/mp4")
        upload.send_part(
            1, memoryview(right), crc64nvme=right_crc, give_up=s3_bucket.NEVER
        )
        upload.complete(size=len(right), crc64nvme=wrong_crc)

    with pytest.raises(UnavailableError, match="checksum"):
        await bucket.run(try_it)

    assert await store.head("a/object") is None


@pytest.mark.parametrize(
    "fault",
    [
        Fault("uploadId", Harm.LOSE_ANSWER),
        Fault(
            "uploadId", Harm.REPLACE_ANSWER, answer=error_answer("404 Not Found", "NoSuchUpload")
        ),
    ],
    ids=["repeated", "found by looking"],
)
async def test_completing_is_safe_when_the_answer_got_lost(
    store: S3Store, proxy: Proxy, fault: Fault
) -> None:
    writer = store.writer("a/object", content_type="video/mp4", size_hint=None)
    await writer.write(CONTENT)
    await asyncio.sleep(0)
    proxy.faults.append(Fault("POST ", Harm.CUT, times=0))
    while sent(proxy, "partNumber=2") == 0:
        await asyncio.sleep(0.01)
    proxy.faults.append(Fault("POST ", fault.harm, times=1, answer=fault.answer))

    stored = await writer.commit()

    assert stored.size == len(CONTENT)
    assert await get(store, "a/object") == CONTENT
