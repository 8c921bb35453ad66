"""What only S3 does with long runs of bytes: numbers of parts, memory, uploads that are gone."""

import asyncio
import random
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mediatheque.domain.errors import UnavailableError
from mediatheque.domain.intakes import Intake
from mediatheque.storage import s3_appender, s3_runs
from mediatheque.storage.intakes import Target
from mediatheque.storage.multipart import MultipartUpload
from mediatheque.storage.part_files import PartFiles
from mediatheque.storage.part_memory import PartMemory
from mediatheque.storage.s3 import S3Store
from mediatheque.storage.s3_bucket import S3Bucket
from tests.support.intakes import append, new_intake, put_together, recorded
from tests.support.proxy import Fault, Harm, Proxy, answer
from tests.support.seaweedfs import SeaweedFS
from tests.support.stores import get, keys, open_s3
from tests.support.threads import no_thread

KIB = 1 << 10
MIB = 1 << 20
SOON = 30
PART_BYTES = 8 * MIB
CONTENT = random.Random(13).randbytes(24 * MIB + 77)
KEY = "originals/1/film.mp4"
TARGET = Target(key=KEY, content_type="video/mp4", expected=1 << 30)


@pytest.fixture
async def store(
    seaweedfs: SeaweedFS, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[S3Store]:
    """A store behind the proxy, with memory for one part only."""
    opened = open_s3(seaweedfs, monkeypatch, endpoint=proxy.endpoint, memory=PartMemory(PART_BYTES))
    yield opened
    await opened.close()


@pytest.fixture(autouse=True)
def _numbered_as_s3_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be as strict with the numbers of parts as AWS is; the store of the tests is not."""
    complete = MultipartUpload.complete

    def check_and_complete(upload: MultipartUpload, *, size: int, crc64nvme: str | None) -> None:
        assert sorted(upload._etags) == list(range(1, len(upload._etags) + 1))
        complete(upload, size=size, crc64nvme=crc64nvme)

    monkeypatch.setattr(MultipartUpload, "complete", check_and_complete)


async def run(store: S3Store, intake: Intake, size: int, *, expected: int = 1 << 30) -> Intake:
    """Append the next bytes of ``CONTENT`` as one request does that was to bring many."""
    appender = store.appender(intake, target=replace(TARGET, expected=expected))
    try:
        await appender.write(CONTENT[intake.size : intake.size + size])
        appended = await appender.flush()
    finally:
        await appender.close()
    return recorded(intake, appended)


async def plain(store: S3Store, intake: Intake, size: int) -> Intake:
    """Append the next bytes as one request does that brings few."""
    return await append(store, intake, CONTENT[intake.size : intake.size + size])


async def check_joined(store: S3Store, intake: Intake) -> None:
    made = await store.join(intake, KEY, content_type="video/mp4")
    assert await get(store, made.key) == CONTENT[: intake.size]


@pytest.mark.parametrize("expected", [1 << 30, 32 * MIB], ids=["larger", "smaller"])
@pytest.mark.parametrize("before", [0, 8 * MIB])
async def test_parts_of_every_object_are_numbered_from_one_without_gaps(
    store: S3Store, before: int, expected: int
) -> None:
    intake = new_intake()
    if before:
        intake = await plain(store, intake, before)
    for _ in range(3):
        intake = await run(store, intake, 5 * MIB, expected=expected)
        expected = 32 * MIB if expected == 1 << 30 else 1 << 30

    await check_joined(store, await plain(store, intake, 77))


@pytest.mark.parametrize("sizes", [(5, 5, 5), (1, 2, 9, 6)], ids=["parts", "tails"])
async def test_an_upload_does_not_wait_for_slow_ones_that_have_all_the_memory(
    seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sizes: tuple[int, ...]
) -> None:
    files = PartFiles(tmp_path, reserved_bytes=0)
    store = open_s3(seaweedfs, monkeypatch, memory=PartMemory(PART_BYTES, files))
    slow = store.appender(new_intake(), target=TARGET)
    await slow.write(b"x")
    intake = new_intake()
    async with asyncio.timeout(SOON):
        for size in sizes:
            intake = await run(store, intake, size * MIB)

        await check_joined(store, await plain(store, intake, 300 * KIB))

    await slow.close()
    await store.close()


async def test_a_tail_that_is_damaged_when_it_is_read_does_not_take_its_own_place(
    store: S3Store, proxy: Proxy
) -> None:
    intake = await run(store, new_intake(), 3 * MIB)
    proxy.faults.append(Fault("^GET /.*/staging/", Harm.DAMAGE_ANSWER))

    with pytest.raises(UnavailableError, match="were damaged on their way"):
        await run(store, intake, 9 * MIB)

    assert proxy.faults[0].times == 0
    await check_joined(store, await run(store, intake, 9 * MIB))


async def test_what_is_damaged_on_its_way_through_a_join_is_sent_again(
    store: S3Store, proxy: Proxy
) -> None:
    intake = await run(store, await run(store, new_intake(), 9 * MIB), 2 * MIB)
    proxy.faults.append(Fault("^GET /.*/staging/", Harm.DAMAGE_ANSWER))

    await check_joined(store, intake)

    assert proxy.faults[0].times == 0


async def test_an_appender_is_closed_without_a_fuss_where_no_thread_can_be_had_for_it(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    appender = store.appender(new_intake(), target=TARGET)
    await appender.write(CONTENT[: PART_BYTES + 1])
    with monkeypatch.context() as patched:
        patched.setattr(S3Bucket, "run", no_thread)
        await appender.close()

    assert await store.sweep_unfinished(datetime.now(UTC) + timedelta(minutes=1)) == 1


async def test_more_parts_than_one_object_can_have_become_several_runs(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_appender, "MOST_RUN_PARTS", 1)

    intake = await run(store, new_intake(), 22 * MIB)

    assert len({one.part.upload_id for one in intake.segments if one.part}) == 3
    await check_joined(store, intake)


async def test_many_runs_do_not_become_objects_one_after_the_other(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_appender, "MOST_RUN_PARTS", 1)
    intake = await run(store, new_intake(), 22 * MIB)
    monkeypatch.setattr(s3_runs, "MOST_PARTS", 1)
    complete = s3_runs.S3Runs._make_object
    together = threading.Barrier(3)

    def complete_together(self: s3_runs.S3Runs, *arguments: Any) -> None:
        together.wait(SOON)
        complete(self, *arguments)

    monkeypatch.setattr(s3_runs.S3Runs, "_make_object", complete_together)
    await check_joined(store, intake)


async def test_a_run_that_left_numbers_becomes_an_object_also_when_very_much_follows(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake = await run(store, await plain(store, new_intake(), 8 * MIB), 5 * MIB)
    for _ in range(2):
        intake = await run(store, intake, 5 * MIB, expected=32 * MIB)
    # As after thousands of them.
    monkeypatch.setattr(s3_runs, "MOST_PARTS", 3)

    await check_joined(store, intake)
    await check_joined(store, intake)


async def test_runs_that_were_not_recorded_are_all_discarded(
    store: S3Store, monkeypatch: pytest.MonkeyPatch, proxy: Proxy
) -> None:
    monkeypatch.setattr(s3_appender, "MOST_RUN_PARTS", 1)
    appender = store.appender(new_intake(), target=TARGET)
    await appender.write(CONTENT[: 14 * MIB])
    await appender.flush()

    await appender.close(recorded=False)

    assert proxy.count("^DELETE .*uploadId=") == 2
    assert await keys(store) == set()


async def test_small_segments_that_are_larger_than_a_part_go_into_one(store: S3Store) -> None:
    halves = [
        await append(store, new_intake(), CONTENT[start : start + 5 * MIB])
        for start in (0, 5 * MIB)
    ]

    intake = await run(store, put_together(halves), 6 * MIB)

    await check_joined(store, intake)


async def test_a_tail_is_kept_when_no_memory_is_left(store: S3Store) -> None:
    async with asyncio.timeout(SOON):
        intake = await run(store, new_intake(), MIB)
        intake = await run(store, intake, MIB)
        await check_joined(store, intake)


async def test_tails_are_merged_when_no_memory_is_left(store: S3Store) -> None:
    async with asyncio.timeout(SOON):
        intake = await plain(store, new_intake(), MIB)
        intake = await plain(store, intake, 7 * MIB + 300 * KIB)
    assert len(intake.segments) == 2
    await check_joined(store, intake)


async def test_a_run_that_becomes_an_object_while_the_answer_is_lost_is_one(
    store: S3Store, proxy: Proxy
) -> None:
    intake = await run(store, await run(store, new_intake(), 6 * MIB), 6 * MIB)
    gone = answer("404 Not Found", "<Error><Code>NoSuchUpload</Code></Error>")
    proxy.faults.append(Fault("^POST .*uploadId=", Harm.LOSE_ANSWER))
    proxy.faults.append(Fault("^POST .*uploadId=", Harm.ANSWER, answer=gone))

    await check_joined(store, intake)

    assert proxy.count("^POST .*uploadId=") == 3


async def test_an_upload_that_another_call_completes_meanwhile_is_not_lost(
    store: S3Store, proxy: Proxy
) -> None:
    intake = await plain(store, await run(store, new_intake(), 6 * MIB), 77)
    await check_joined(store, intake)
    proxy.faults.append(Fault("^HEAD ", Harm.ANSWER, answer=answer("404 Not Found")))

    await check_joined(store, intake)
