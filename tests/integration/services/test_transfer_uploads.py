"""Transfers of large files to S3: what is there is not sent again, what is given up goes."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mediatheque.catalog.database import Database
from mediatheque.domain.access import LOCAL_OPERATOR
from mediatheque.domain.jobs import Signal
from mediatheque.domain.transfers import FileState, Transfer, TransferStatus
from mediatheque.storage.s3 import S3Store
from tests.support.database import execute
from tests.support.proxy import Fault, Harm, Proxy, answer
from tests.support.seaweedfs import SeaweedFS
from tests.support.stores import get, open_s3
from tests.support.transfers import LIMITS, TransferStage

MIB = 1 << 20
PART = "^PUT .*partNumber="
PUT = "^PUT (?!.*partNumber=)"


@pytest.fixture
async def stage(
    database: Database,
    tmp_path: Path,
    seaweedfs: SeaweedFS,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[TransferStage]:
    store = open_s3(seaweedfs, monkeypatch, endpoint=proxy.endpoint)
    yield TransferStage(
        database, store, tmp_path / "sources", replace(LIMITS, segment_bytes=10 * MIB)
    )
    await store.close()


async def unfinished(stage: TransferStage) -> int:
    """Return how many multipart uploads the store holds below this test's prefix."""
    store = stage.store
    assert isinstance(store, S3Store)
    bucket = store._bucket
    found = await asyncio.to_thread(
        bucket.client.list_multipart_uploads, Bucket=bucket.name, Prefix=bucket.prefix
    )
    return len(found.get("Uploads", []))


async def pause_in_the_middle(stage: TransferStage, started: Transfer, least: int) -> Transfer:
    """Run a transfer and pause it once the store has at least so many bytes of it.

    It must be slow enough not to be through before the pause has its effect.
    """
    running = await stage.run_beside(started)
    await stage.wait(started, lambda t: t.bytes_complete >= least)
    await stage.signal(started, Signal.PAUSE)
    return await asyncio.wait_for(running, 10)


async def test_a_paused_transfer_goes_on_with_the_parts_that_are_missing(
    stage: TransferStage, proxy: Proxy
) -> None:
    content = os.urandom(60 * MIB)
    stage.write({"large.bin": content})
    started = await stage.start(bandwidth=10 * MIB)

    paused = await pause_in_the_middle(stage, started, 16 * MIB)

    assert paused.status is TransferStatus.PAUSED
    assert 16 * MIB <= paused.bytes_complete < 60 * MIB
    file = (await stage.files(paused))["large.bin"]
    assert (file.state, file.sent) == (FileState.PENDING, paused.bytes_complete)
    assert file.upload_id is not None
    kept = file.sent // (8 * MIB)
    proxy.requests.clear()
    await stage.transfers.limit(LOCAL_OPERATOR, str(started.id), None)
    ended = await stage.run(await stage.signal(paused, Signal.RESUME))
    assert (ended.status, ended.bytes_complete) == (TransferStatus.COMPLETE, 60 * MIB)
    assert proxy.count(PART) == 8 - kept
    [media] = await stage.medias()
    assert await get(stage.store, media.object_key) == content
    assert await unfinished(stage) == 0


async def test_a_file_that_changed_while_paused_is_stored_as_it_is_now(
    stage: TransferStage,
) -> None:
    content = os.urandom(30 * MIB)
    stage.write({"large.bin": content})
    paused = await pause_in_the_middle(stage, await stage.start(bandwidth=6 * MIB), 8 * MIB)
    assert paused.status is TransferStatus.PAUSED
    changed = bytes(100) + content[100:] + b"more"
    stage.write({"large.bin": changed})

    await stage.transfers.limit(LOCAL_OPERATOR, str(paused.id), None)
    ended = await stage.run(await stage.signal(paused, Signal.RESUME))

    assert (ended.status, ended.bytes_total) == (TransferStatus.COMPLETE, len(changed))
    assert ended.bytes_complete == len(changed)
    [media] = await stage.medias()
    assert await get(stage.store, media.object_key) == changed
    assert await unfinished(stage) == 0


@pytest.mark.parametrize("how", ["running", "paused"])
async def test_cancelling_removes_what_is_unfinished_at_once(
    stage: TransferStage, how: str
) -> None:
    stage.write({"large.bin": os.urandom(40 * MIB), "a.txt": b"1"})
    started = await stage.start(bandwidth=16 * MIB)
    running = await stage.run_beside(started)
    await stage.wait(started, lambda t: t.bytes_complete > 8 * MIB)
    assert await unfinished(stage) == 1
    if how == "paused":
        await stage.signal(started, Signal.PAUSE)
        await running
        assert await unfinished(stage) == 1

    await stage.signal(started, Signal.CANCEL)

    cancelled = await asyncio.wait_for(running, 10) if how == "running" else started
    cancelled = await stage.find(cancelled)
    assert cancelled.status is TransferStatus.CANCELLED
    assert (cancelled.files_complete, cancelled.bytes_complete) == (1, 1)
    assert await unfinished(stage) == 0
    await stage.transfers.limit(LOCAL_OPERATOR, str(started.id), None)
    ended = await stage.run(await stage.signal(cancelled, Signal.RETRY))
    assert (ended.status, ended.files_complete) == (TransferStatus.COMPLETE, 2)


async def test_bandwidth_is_kept_and_follows_a_change(stage: TransferStage) -> None:
    stage.write({"large.bin": os.urandom(24 * MIB)})
    started = await stage.start(bandwidth=4 * MIB)
    running = await stage.run_beside(started)
    loop = asyncio.get_running_loop()
    began = loop.time()
    seen = await stage.wait(started, lambda t: t.rate is not None and t.rate > 0)
    assert seen.eta is not None
    await asyncio.sleep(max(0.0, began + 3 - loop.time()))
    assert not running.done()
    slow = (await stage.find(started)).bytes_complete
    assert slow <= 16 * MIB

    await stage.transfers.limit(LOCAL_OPERATOR, str(started.id), None)

    ended = await asyncio.wait_for(running, 5)
    assert (ended.status, ended.bandwidth) == (TransferStatus.COMPLETE, None)
    assert (ended.rate, ended.eta) == (None, None)


async def test_a_store_that_answers_503_for_a_while_gets_everything_in_the_end(
    stage: TransferStage, proxy: Proxy
) -> None:
    files = {f"{n}.bin": os.urandom(1000 + n) for n in range(40)} | {"large.bin": bytes(20 * MIB)}
    stage.write(files)
    busy = answer("503 Slow Down", "<Error><Code>SlowDown</Code></Error>")
    proxy.faults += [Fault("^PUT ", Harm.ANSWER, times=25, answer=busy)]

    ended = await stage.transfer()

    assert ended.status is TransferStatus.COMPLETE, ended.error
    assert await stage.contents() == files


@pytest.mark.parametrize(("size", "line"), [(1000, PUT), (20 * MIB, PART)])
async def test_bytes_that_arrive_damaged_are_sent_again(
    stage: TransferStage, proxy: Proxy, size: int, line: str
) -> None:
    files = {"a.bin": os.urandom(size)}
    stage.write(files)
    proxy.faults += [Fault(line, Harm.DAMAGE)]

    ended = await stage.transfer()

    assert ended.status is TransferStatus.COMPLETE, ended.error
    assert await stage.contents() == files
    assert not any(fault.times for fault in proxy.faults)


async def sweep_all(stage: TransferStage, url: str) -> None:
    """Let the janitor find everything old."""
    await execute(url, "UPDATE jobs SET finished_at = finished_at - interval '1 hour'")
    await asyncio.sleep(1.1)
    await stage.janitor.sweep()


async def test_the_janitor_keeps_what_a_transfer_may_still_use(
    stage: TransferStage, database_url: str, proxy: Proxy
) -> None:
    content = os.urandom(30 * MIB)
    stage.write({"large.bin": content})
    paused = await pause_in_the_middle(stage, await stage.start(bandwidth=6 * MIB), 8 * MIB)

    await sweep_all(stage, database_url)

    assert await unfinished(stage) == 1
    proxy.requests.clear()
    await stage.transfers.limit(LOCAL_OPERATOR, str(paused.id), None)
    ended = await stage.run(await stage.signal(paused, Signal.RESUME))
    assert ended.status is TransferStatus.COMPLETE
    assert proxy.count(PART) < 4


ENDS: dict[str, Callable[[TransferStage, Transfer, str], object]] = {
    "deleted": lambda stage, transfer, _: stage.jobs.remove(LOCAL_OPERATOR, str(transfer.id)),
    "cancelled by its job": lambda stage, transfer, _: stage.jobs.signal(
        LOCAL_OPERATOR, str(transfer.id), Signal.CANCEL
    ),
}


@pytest.mark.parametrize("how", ENDS)
async def test_the_janitor_removes_what_no_transfer_can_use_any_more(
    stage: TransferStage, database_url: str, how: str
) -> None:
    stage.write({"large.bin": os.urandom(30 * MIB), "small.bin": b"1"})
    paused = await pause_in_the_middle(stage, await stage.start(bandwidth=6 * MIB), 8 * MIB)
    small = (await stage.files(paused))["small.bin"]
    if small.state is FileState.COMPLETE:  # as if the crash had come before its record
        await execute(database_url, "DELETE FROM medias")
        await execute(
            database_url,
            "UPDATE transfer_files SET state = 'pending' WHERE position = $1",
            small.position,
        )
    assert len(await stage.objects()) == 1
    await sweep_all(stage, database_url)
    assert len(await stage.objects()) == 1

    await ENDS[how](stage, paused, database_url)  # type: ignore[misc]
    await sweep_all(stage, database_url)

    assert await unfinished(stage) == 0
    assert await stage.objects() == set()


async def test_a_retry_after_the_janitor_begins_anew(
    stage: TransferStage, database_url: str
) -> None:
    content = os.urandom(30 * MIB)
    stage.write({"large.bin": content})
    paused = await pause_in_the_middle(stage, await stage.start(bandwidth=6 * MIB), 8 * MIB)
    before = (await stage.files(paused))["large.bin"]
    await stage.jobs.signal(LOCAL_OPERATOR, str(paused.id), Signal.CANCEL)
    await sweep_all(stage, database_url)
    assert (await stage.find(paused)).bytes_complete == 0

    await stage.transfers.limit(LOCAL_OPERATOR, str(paused.id), None)
    ended = await stage.run(await stage.signal(paused, Signal.RETRY))

    assert (ended.status, ended.bytes_complete) == (TransferStatus.COMPLETE, len(content))
    [media] = await stage.medias()
    assert media.id != before.media_id
    assert media.id.version == 7
    assert await get(stage.store, media.object_key) == content
    assert abs((media.id.int >> 80) - time.time() * 1000) < 60_000
