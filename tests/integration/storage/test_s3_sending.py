"""How files get into an S3 store when network, store, time or the file itself make trouble."""

import asyncio
import os
import random
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mediatheque.domain.errors import MediathequeError, StorageFullError, UnavailableError
from mediatheque.storage import s3_bucket
from mediatheque.storage.digest import Digest
from mediatheque.storage.pace import Pace, SendingStoppedError
from mediatheque.storage.s3 import S3Store
from mediatheque.storage.s3_bucket import S3Bucket
from mediatheque.storage.sending import SourceChangedError
from tests.support.proxy import Fault, Harm, Proxy, answer
from tests.support.seaweedfs import SeaweedFS
from tests.support.sending import KEY, Recorder, send
from tests.support.stores import get, keys, open_s3, put
from tests.support.threads import no_thread

KIB = 1 << 10
MIB = 1 << 20
PART = 8 * MIB
CONTENT = random.Random(5).randbytes(5 * PART + 77)
TWO_PARTS = CONTENT[: PART + MIB]
SMALL = CONTENT[: 64 * KIB]
OBJECT = f"^PUT .*/{KEY}"
_BUFFERS = 8
"""Parts that are in memory at once, of all files."""
PARTS = "^PUT .*partNumber="
PART_TWO = "^PUT .*partNumber=2"
BEGIN = "^POST .*uploads"
COMPLETE = "^POST .*uploadId="
ABORT = "^DELETE .*uploadId="
BOTH_WAYS = pytest.mark.parametrize(
    ("content", "line"), [(SMALL, OBJECT), (TWO_PARTS, PART_TWO)], ids=["put", "part"]
)


def refused(status: str, code: str) -> bytes:
    return answer(status, f"<Error><Code>{code}</Code></Error>")


@pytest.fixture
async def store(
    seaweedfs: SeaweedFS, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[S3Store]:
    """A store behind the proxy that waits only briefly before it tries again.

    It has been seen to verify checksums, so that small objects go the quick way.
    """
    monkeypatch.setattr(s3_bucket, "_PAUSES", (0.01,) * 4)
    opened = open_s3(seaweedfs, monkeypatch, endpoint=proxy.endpoint)
    await put(opened, "first", b"content")
    await opened.delete("first")
    proxy.requests.clear()
    yield opened
    await opened.close()


def write(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "source"
    path.write_bytes(content)
    return path


async def stop_with_three_parts(
    store: S3Store, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, path: Path
) -> str:
    """Stop a sending when the store has three of six parts; return the upload's id."""
    proxy.faults.append(Fault("partNumber=[456]", Harm.CUT, times=99))
    sending = Recorder()
    with monkeypatch.context() as patched:
        patched.setattr(s3_bucket, "_PAUSES", (60.0,) * 4)
        begun = asyncio.create_task(send(store, path, sending=sending))
        # Until the last three were cut one may be under way, and be seen only after this.
        async with asyncio.timeout(20):
            while sending.total < 3 * PART or proxy.count("partNumber=[456]") < 3:
                await asyncio.sleep(0.01)
        sending.stop.set()
        started = time.monotonic()
        with pytest.raises(SendingStoppedError):
            await begun
        assert time.monotonic() - started < 20
    assert sending.total == 3 * PART
    proxy.faults.clear()
    proxy.requests.clear()
    return sending.upload_ids[0]


async def unfinished(seaweedfs: SeaweedFS, store: S3Store) -> int:
    """Return how many unfinished uploads the store has, without any of the code under test."""
    listed = seaweedfs.client().list_multipart_uploads(
        Bucket=seaweedfs.bucket, Prefix=await bucket_key(store, "")
    )
    return len(listed.get("Uploads", []))


async def bucket_key(store: S3Store, key: str) -> str:
    """Return the name that an object has in the bucket itself, as a signed URL shows it."""
    url = await store.signed_put(key or "x", expires_in=60)
    assert url is not None
    return urlsplit(url).path.split("/", 2)[2].removesuffix("" if key else "x")


async def test_only_missing_parts_are_sent_when_an_upload_is_continued(
    store: S3Store, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = write(tmp_path, CONTENT)
    upload_id = await stop_with_three_parts(store, proxy, monkeypatch, path)
    sending = Recorder(upload_id=upload_id)

    stored = await send(store, path, sending=sending)

    assert proxy.count(PARTS) == proxy.count("^PUT .*partNumber=[456]") == 3
    assert proxy.count(BEGIN) == 0
    assert sending.total == stored.size == len(CONTENT)
    assert await get(store, KEY) == CONTENT


async def test_parts_that_hold_other_bytes_than_the_file_are_sent_again(
    store: S3Store, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = write(tmp_path, CONTENT)
    upload_id = await stop_with_three_parts(store, proxy, monkeypatch, path)
    changed = bytearray(CONTENT)
    changed[PART + 5] ^= 1
    path.write_bytes(changed)

    await send(store, path, sending=Recorder(upload_id=upload_id))

    assert proxy.count(PARTS) == 4
    assert proxy.count(PART_TWO) == 1
    assert await get(store, KEY) == changed


async def test_an_upload_that_was_cut_into_other_parts_is_begun_anew(
    store: S3Store,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
    seaweedfs: SeaweedFS,
    tmp_path: Path,
) -> None:
    path = write(tmp_path, CONTENT)
    upload_id = await stop_with_three_parts(store, proxy, monkeypatch, path)
    shorter = CONTENT[: 2 * PART + 9]
    path.write_bytes(shorter)
    sending = Recorder(upload_id=upload_id)

    await send(store, path, sending=sending)

    assert len(sending.upload_ids) == 1
    assert proxy.count(PARTS) == 3
    assert await get(store, KEY) == shorter
    assert await unfinished(seaweedfs, store) == 0


async def test_an_upload_of_a_file_that_now_fits_in_one_part_is_removed(
    store: S3Store,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
    seaweedfs: SeaweedFS,
    tmp_path: Path,
) -> None:
    path = write(tmp_path, CONTENT)
    upload_id = await stop_with_three_parts(store, proxy, monkeypatch, path)
    path.write_bytes(SMALL)

    await send(store, path, sending=Recorder(upload_id=upload_id))

    assert await unfinished(seaweedfs, store) == 0
    assert await get(store, KEY) == SMALL


async def test_what_was_completed_before_a_crash_is_not_sent_again(
    store: S3Store, proxy: Proxy, tmp_path: Path
) -> None:
    path = write(tmp_path, TWO_PARTS)
    first = Recorder()
    stored = await send(store, path, sending=first)
    proxy.requests.clear()
    again = Recorder(upload_id=first.upload_ids[0])

    assert await send(store, path, sending=again) == stored

    assert proxy.count("^(PUT|POST) ") == 0
    assert again.total == len(TWO_PARTS)


@pytest.mark.parametrize("other", [None, b"of another size", TWO_PARTS[::-1]])
async def test_an_upload_that_somebody_removed_is_begun_anew(
    store: S3Store, tmp_path: Path, other: bytes | None
) -> None:
    if other is not None:
        await put(store, KEY, other)
    sending = Recorder(upload_id="removed")

    stored = await send(store, write(tmp_path, TWO_PARTS), sending=sending)

    assert len(sending.upload_ids) == 1
    assert sending.total == stored.size == len(TWO_PARTS)
    assert await get(store, KEY) == TWO_PARTS


async def test_the_id_of_an_upload_is_kept_before_its_first_part_is_sent(
    store: S3Store, proxy: Proxy, seaweedfs: SeaweedFS, tmp_path: Path
) -> None:
    class Forgetful(Recorder):
        async def begun(self, upload_id: str) -> None:
            assert upload_id
            assert proxy.count(BEGIN) == 1
            raise UnavailableError("The catalogue does not answer.")

    with pytest.raises(UnavailableError, match="catalogue"):
        await send(store, write(tmp_path, TWO_PARTS), sending=Forgetful())

    assert proxy.count(PARTS) == 0
    assert await unfinished(seaweedfs, store) == 0


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
    store: S3Store, proxy: Proxy, tmp_path: Path, *, content: bytes, line: str, fault: Fault
) -> None:
    proxy.faults.append(replace(fault, line=line, times=2))
    sending = Recorder()

    await send(store, write(tmp_path, content), sending=sending)

    assert proxy.count(line) == 3
    assert sending.total == len(content)
    assert await get(store, KEY) == content


@BOTH_WAYS
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("", Harm.DAMAGE), UnavailableError),
        (Fault("", Harm.CUT), UnavailableError),
        (Fault("", Harm.ANSWER, answer=answer("507 Insufficient Storage")), StorageFullError),
        (Fault("", Harm.ANSWER, answer=refused("403 Forbidden", "AccessDenied")), UnavailableError),
    ],
    ids=["damaged", "cut", "full", "forbidden"],
)
async def test_what_never_arrives_is_an_error_and_no_object(
    store: S3Store,
    proxy: Proxy,
    tmp_path: Path,
    *,
    content: bytes,
    line: str,
    fault: Fault,
    error: type[MediathequeError],
) -> None:
    proxy.faults.append(replace(fault, line=line, times=99))

    with pytest.raises(error):
        await send(store, write(tmp_path, content))

    assert await keys(store) == set()


async def test_a_store_that_verifies_no_checksum_is_not_trusted_with_small_files(
    seaweedfs: SeaweedFS, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = open_s3(seaweedfs, monkeypatch, endpoint=proxy.endpoint)
    careless = answer("200 OK", headers='ETag: "0123"\r\n')
    proxy.faults.append(Fault(OBJECT, Harm.ANSWER, times=99, answer=careless))

    with pytest.raises(UnavailableError, match="CRC64NVME"):
        await send(store, write(tmp_path, SMALL))
    await store.close()


@pytest.mark.parametrize(
    ("harm", "other_answer"),
    [
        (Harm.LOSE_ANSWER, b""),
        (Harm.REPLACE_ANSWER, refused("404 Not Found", "NoSuchUpload")),
    ],
    ids=["completed twice", "found by looking"],
)
async def test_completing_is_safe_when_the_answer_got_lost(
    store: S3Store, proxy: Proxy, tmp_path: Path, harm: Harm, other_answer: bytes
) -> None:
    proxy.faults.append(Fault(COMPLETE, harm, answer=other_answer))

    await send(store, write(tmp_path, TWO_PARTS))

    assert await get(store, KEY) == TWO_PARTS


async def test_parts_that_the_store_refuses_to_put_together_are_not_continued_with(
    store: S3Store, proxy: Proxy, seaweedfs: SeaweedFS, tmp_path: Path
) -> None:
    mismatch = refused("400 Bad Request", "BadDigest")
    proxy.faults.append(Fault(COMPLETE, Harm.ANSWER, times=99, answer=mismatch))

    with pytest.raises(UnavailableError, match="checksum"):
        await send(store, write(tmp_path, TWO_PARTS))

    assert await unfinished(seaweedfs, store) == 0
    assert await keys(store) == set()


async def test_an_upload_waits_for_a_store_that_does_not_answer_any_more(
    store: S3Store, proxy: Proxy, seaweedfs: SeaweedFS, tmp_path: Path
) -> None:
    path = write(tmp_path, CONTENT)
    proxy.faults.append(Fault("partNumber=5", Harm.CUT, times=99))
    first = Recorder()
    with pytest.raises(UnavailableError):
        await send(store, path, sending=first)
    assert await unfinished(seaweedfs, store) == 1
    proxy.faults.clear()
    proxy.requests.clear()

    await send(store, path, sending=Recorder(upload_id=first.upload_ids[0]))

    assert proxy.count(PARTS) <= 2
    assert await get(store, KEY) == CONTENT


async def test_the_parts_of_a_file_that_shrinks_meanwhile_are_removed(
    store: S3Store, seaweedfs: SeaweedFS, tmp_path: Path
) -> None:
    path = write(tmp_path, CONTENT * 2)
    sending = Recorder(on_advance=lambda _: os.truncate(path, PART))

    with pytest.raises(SourceChangedError):
        await send(store, path, sending=sending)

    assert await unfinished(seaweedfs, store) == 0
    assert await keys(store) == set()


@BOTH_WAYS
async def test_the_content_type_is_kept(
    store: S3Store, seaweedfs: SeaweedFS, tmp_path: Path, content: bytes, line: str
) -> None:
    del line
    await send(store, write(tmp_path, content), content_type="video/x-matroska")

    key = await bucket_key(store, KEY)
    head = seaweedfs.client().head_object(Bucket=seaweedfs.bucket, Key=key)
    assert head["ContentType"] == "video/x-matroska"


async def test_a_slow_file_does_not_keep_a_quick_one_from_being_sent(
    store: S3Store, tmp_path: Path
) -> None:
    slow, quick = write(tmp_path, CONTENT * 3), tmp_path / "quick"
    quick.write_bytes(TWO_PARTS)
    sending = Recorder(pace=Pace(MIB))
    waiting = asyncio.create_task(send(store, slow, "a/slow", sending=sending))
    await asyncio.sleep(0.5)

    async with asyncio.timeout(30):
        await asyncio.gather(*(send(store, quick, f"a/{number}") for number in range(3)))

    assert not waiting.done()
    sending.stop.set()
    with pytest.raises(SendingStoppedError):
        await waiting


async def test_parts_that_no_thread_can_send_keep_no_memory(
    store: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, TWO_PARTS)

    with monkeypatch.context() as patch:
        patch.setattr(S3Bucket, "submit", no_thread)
        for _ in range(_BUFFERS + 1):
            with pytest.raises(UnavailableError, match="No thread"):
                await asyncio.wait_for(send(store, path), 10)

    await asyncio.wait_for(send(store, path), 30)
    assert await get(store, KEY) == TWO_PARTS


async def test_abandoning_says_when_the_store_does_not_answer(store: S3Store, proxy: Proxy) -> None:
    proxy.faults.append(
        Fault(ABORT, Harm.ANSWER, times=99, answer=refused("403 Forbidden", "AccessDenied"))
    )

    with pytest.raises(UnavailableError):
        await store.abandon(KEY, "some-id")


async def test_fewer_requests_are_under_way_after_the_store_said_it_has_too_many(
    seaweedfs: SeaweedFS, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_bucket, "_PAUSES", (0.01,) * 4)
    await open_s3(seaweedfs, monkeypatch).close()  # sets the credentials
    bucket = S3Bucket(seaweedfs.bucket, "fewer", endpoint=proxy.endpoint, region=None)
    digest = Digest()
    digest.update(SMALL)

    async def put_one(number: int) -> None:
        await bucket.transfer(
            bucket.put,
            f"a/{number}",
            "video/mp4",
            memoryview(SMALL),
            crc64nvme=digest.crc64nvme,
            give_up=threading.Event(),
        )

    await put_one(0)
    at_first = bucket.requests.limit
    busy = refused("503 Slow Down", "SlowDown")
    proxy.faults.append(Fault("^PUT ", Harm.ANSWER, times=3, answer=busy))
    await put_one(1)
    after_trouble = bucket.requests.limit
    await asyncio.gather(*map(put_one, range(100)))

    assert after_trouble < at_first
    assert bucket.requests.limit > after_trouble
    bucket.close()
