"""What only S3 does with intakes: objects put together inside the store, answers that get lost."""

import asyncio
import random
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mediatheque.domain.errors import StorageFullError, UnavailableError
from mediatheque.domain.intakes import Intake
from mediatheque.storage import s3, s3_bucket
from mediatheque.storage.multipart import MultipartUpload
from mediatheque.storage.s3 import S3Store
from tests.support.intakes import acknowledged, append, new_intake, put_together
from tests.support.proxy import Fault, Harm, Proxy, answer
from tests.support.seaweedfs import SeaweedFS
from tests.support.stores import get, keys, open_s3

MIB = 1 << 20
CONTENT = random.Random(5).randbytes(16 * MIB + 77)
KEY = "originals/1/a"
REFUSED = answer("403 Forbidden", "<Error><Code>AccessDenied</Code></Error>")
FULL = answer("507 Insufficient Storage")


@pytest.fixture
async def store(
    seaweedfs: SeaweedFS, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[S3Store]:
    """A store behind the proxy that waits only briefly before it tries again."""
    monkeypatch.setattr(s3_bucket, "_PAUSES", (0.01,) * 4)
    opened = open_s3(seaweedfs, monkeypatch, endpoint=proxy.endpoint)
    yield opened
    await opened.close()


@pytest.fixture
async def intake(store: S3Store) -> Intake:
    """Two full segments, and two tails."""
    intake = await append(store, new_intake(), CONTENT[: 16 * MIB + 7])
    return await append(store, intake, CONTENT[16 * MIB + 7 :])


async def join(store: S3Store, intake: Intake) -> bytes:
    await store.join(intake, KEY, content_type="video/webm")
    return await get(store, KEY)


async def unfinished(store: S3Store) -> int:
    return await store.sweep_unfinished(datetime.now(UTC) + timedelta(minutes=1))


async def test_only_tails_leave_the_store_when_it_is_joined(
    store: S3Store, proxy: Proxy, intake: Intake
) -> None:
    proxy.requests.clear()

    info = await store.join(intake, KEY, content_type="video/webm")

    assert info.crc64nvme == intake.crc64nvme
    assert proxy.count("^PUT .*partNumber=") == 3
    assert proxy.count("^GET /") == 2
    assert proxy.count("^PUT ") == 3
    assert await get(store, KEY) == CONTENT
    assert await unfinished(store) == 0


async def test_a_cancelled_join_ends_when_its_threads_have_and_leaves_nothing(
    store: S3Store, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    sending, go_on, real = threading.Event(), threading.Event(), MultipartUpload.send_part

    def slow(*args: Any, **kwargs: Any) -> str:
        sending.set()
        assert go_on.wait(10)
        return real(*args, **kwargs)

    monkeypatch.setattr(MultipartUpload, "send_part", slow)
    joining = asyncio.create_task(join(store, intake))
    assert await asyncio.to_thread(sending.wait, 10)
    for _ in range(2):
        joining.cancel()
        await asyncio.wait([joining], timeout=0.2)
        assert not joining.done()
    go_on.set()

    with pytest.raises(asyncio.CancelledError):
        await joining
    assert await unfinished(store) == 0
    monkeypatch.undo()
    assert await join(store, intake) == CONTENT


async def test_a_tail_that_is_damaged_when_it_is_read_does_not_take_its_own_place(
    store: S3Store, proxy: Proxy
) -> None:
    intake = await append(store, new_intake(), CONTENT[: 3 * MIB])
    proxy.faults.append(Fault("^GET /.*/staging/", Harm.DAMAGE_ANSWER))

    with pytest.raises(UnavailableError, match="were damaged on their way"):
        await append(store, intake, CONTENT[3 * MIB :])

    assert proxy.faults[0].times == 0
    assert await join(store, await append(store, intake, CONTENT[3 * MIB :])) == CONTENT


async def test_what_is_damaged_on_its_way_through_a_join_is_sent_again(
    store: S3Store, proxy: Proxy, intake: Intake
) -> None:
    proxy.faults.append(Fault("^GET /.*/staging/", Harm.DAMAGE_ANSWER))

    assert await join(store, intake) == CONTENT

    assert proxy.faults[0].times == 0
    assert await unfinished(store) == 0


async def test_a_lone_tail_becomes_a_part_without_an_object_of_its_own(
    store: S3Store, proxy: Proxy
) -> None:
    intake = await append(store, new_intake(), CONTENT[: 8 * MIB + 9])
    proxy.requests.clear()

    await store.join(intake, KEY, content_type="video/webm")

    assert proxy.count("^GET /") == 1
    assert proxy.count("^PUT ") == proxy.count("^PUT .*partNumber=") == 2
    assert await get(store, KEY) == CONTENT[: 8 * MIB + 9]


async def test_only_small_segments_leave_the_store_and_what_they_lack(
    store: S3Store, proxy: Proxy
) -> None:
    sizes = [8 * MIB, 3 * MIB, 5 * MIB + 77]
    starts = [sum(sizes[:number]) for number in range(3)]
    parts = [
        await append(store, new_intake(), CONTENT[start : start + size])
        for start, size in zip(starts, sizes, strict=True)
    ]
    proxy.requests.clear()

    assert await join(store, put_together(parts)) == CONTENT

    assert proxy.count("^PUT .*partNumber=") == 2
    assert proxy.count("^GET /.*/staging/") == 2


async def test_more_segments_than_s3_takes_parts_pass_through_this_process(
    store: S3Store, intake: Intake, monkeypatch: pytest.MonkeyPatch, proxy: Proxy
) -> None:
    monkeypatch.setattr(s3, "MOST_PARTS", 2)
    proxy.requests.clear()

    assert await join(store, intake) == CONTENT

    assert proxy.count("^GET /.*/staging/") == len(intake.segments)


async def test_the_object_has_the_content_type_that_was_asked_for(
    store: S3Store, seaweedfs: SeaweedFS, intake: Intake
) -> None:
    small = await append(store, new_intake(), b"abc")
    for key, one in (("originals/1/large", intake), ("originals/1/small", small)):
        await store.join(one, key, content_type="video/webm")
        found = seaweedfs.client().head_object(
            Bucket=seaweedfs.bucket, Key=store._bucket.full_key(key)
        )
        assert found["ContentType"] == "video/webm"


async def test_a_join_that_fails_at_any_step_leaves_the_segments_and_may_be_repeated(
    store: S3Store, proxy: Proxy, intake: Intake
) -> None:
    for line in (
        "^GET /",
        "^POST .*uploads",
        "^PUT ",
        "^PUT .*partNumber=2",
        "^PUT .*partNumber=3",
        "^POST .*uploadId=",
    ):
        proxy.faults.append(Fault(line, Harm.ANSWER, times=2, answer=REFUSED))

        with pytest.raises(UnavailableError):
            await store.join(intake, KEY, content_type="video/webm")
        proxy.faults.clear()

        assert await store.head(KEY) is None, line
        assert await unfinished(store) == 0, line
    assert await acknowledged(store, intake) == CONTENT
    assert await join(store, intake) == CONTENT


async def test_a_join_whose_last_answer_is_lost_is_done(
    store: S3Store, proxy: Proxy, intake: Intake
) -> None:
    proxy.faults.append(Fault("^POST .*uploadId=", Harm.LOSE_ANSWER))

    assert await join(store, intake) == CONTENT


async def test_what_an_ended_join_left_does_not_disturb_the_next(
    store: S3Store, proxy: Proxy, intake: Intake
) -> None:
    """A process that ends cannot remove its upload: so does one whose removal is refused."""
    proxy.faults.append(Fault("^POST .*uploadId=", Harm.ANSWER, answer=REFUSED))
    proxy.faults.append(Fault("^DELETE .*uploadId=", Harm.ANSWER, answer=REFUSED))
    with pytest.raises(UnavailableError):
        await store.join(intake, KEY, content_type="video/webm")

    assert await join(store, intake) == CONTENT
    assert await unfinished(store) == 1


@pytest.mark.parametrize("size", [100, 9 * MIB])
@pytest.mark.parametrize(
    ("reply", "error"), [(FULL, StorageFullError), (REFUSED, UnavailableError)]
)
async def test_a_chunk_that_cannot_be_stored_leaves_what_was_there(
    store: S3Store, proxy: Proxy, size: int, reply: bytes, error: type[Exception]
) -> None:
    intake = await append(store, new_intake(), b"before")
    objects = await keys(store)
    appender = store.appender(intake)
    proxy.faults.append(Fault("^PUT ", Harm.ANSWER, times=9, answer=reply))

    async def write() -> None:
        await appender.write(CONTENT[:size])
        await appender.flush()

    with pytest.raises(error):
        await write()
    with pytest.raises(error):
        await appender.flush()
    await appender.close()
    proxy.faults.clear()

    assert await keys(store) == objects
    assert await join(store, await append(store, intake, b" and after")) == b"before and after"


@pytest.mark.parametrize("harm", [Harm.CUT, Harm.DAMAGE, Harm.LOSE_ANSWER])
async def test_a_chunk_that_fails_to_arrive_is_sent_again(
    store: S3Store, proxy: Proxy, harm: Harm
) -> None:
    proxy.faults.append(replace(Fault("^PUT ", harm), times=2))

    intake = await append(store, new_intake(), CONTENT[: 300 << 10])

    assert await acknowledged(store, intake) == CONTENT[: 300 << 10]


async def test_closing_never_fails(store: S3Store, proxy: Proxy) -> None:
    appender = store.appender(new_intake())
    await appender.write(b"abc")
    await appender.flush()
    proxy.faults.append(Fault("", Harm.ANSWER, times=99, answer=REFUSED))

    await appender.close(recorded=False)

    proxy.faults.clear()
    assert len(await keys(store)) == 1
