"""What only a folder does with intakes: one growing file, locks, full disks, killed processes."""

import errno
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mediatheque.domain.errors import ConflictError, StorageFullError, UnavailableError
from mediatheque.domain.intakes import Intake, Segment
from mediatheque.storage.local import LocalStore
from mediatheque.storage.local_appender import lock_file, release_file
from tests.support.appending import content
from tests.support.intakes import acknowledged, append, new_intake, recorded
from tests.support.stores import get, keys

MIB = 1 << 20
KEY = "originals/1/a"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[LocalStore]:
    opened = LocalStore(tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What is made durable from now on, in order."""
    taken: list[str] = []
    fsync = os.fsync

    def recording_fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        taken.append("the file" if path.is_file() else path.name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", recording_fsync)
    return taken


def file_of(store: LocalStore, intake: Intake) -> Path:
    """Return the file of an intake that has one."""
    [segment] = intake.segments
    path = store.local_path(segment.object_key)
    assert path is not None
    return path


async def join(store: LocalStore, intake: Intake) -> bytes:
    await store.join(intake, KEY, content_type="video/webm")
    return await get(store, KEY)


async def test_chunks_and_what_names_them_are_durable_before_it_is_said(
    store: LocalStore, tmp_path: Path, steps: list[str]
) -> None:
    intake = await append(store, new_intake(), b"one,")
    assert steps == [tmp_path.name, "staging", "the file", str(intake.id)]
    steps.clear()

    intake = await append(store, intake, b"two,")
    assert steps == ["the file"]
    steps.clear()

    assert await join(store, intake) == b"one,two,"
    assert steps == [tmp_path.name, "originals", "1", str(intake.id)]


async def test_relaxed_durability_waits_for_no_disk(tmp_path: Path, steps: list[str]) -> None:
    store = LocalStore(tmp_path, durable=False)

    assert await join(store, await append(store, new_intake(), b"abc")) == b"abc"

    assert steps == []
    await store.close()


async def test_the_file_that_grew_becomes_the_object(store: LocalStore, tmp_path: Path) -> None:
    intake = await append(store, await append(store, new_intake(), b"abc"), b"def")
    inode = file_of(store, intake).stat().st_ino

    assert await join(store, intake) == b"abcdef"

    assert (tmp_path / KEY).stat().st_ino == inode
    assert not (tmp_path / "staging" / str(intake.id)).exists()


async def test_chunks_that_were_given_up_leave_one_file(store: LocalStore) -> None:
    intake = await append(store, new_intake(), b"abc")
    unfinished = store.appender(intake)
    await unfinished.write(b"x" * 3 * MIB)
    await unfinished.close()
    wrong = store.appender(intake)
    await wrong.write(b"x")
    await wrong.flush()
    await wrong.close(recorded=False)

    intake = await append(store, intake, b"def")

    assert len(intake.segments) == 1
    assert await join(store, intake) == b"abcdef"


async def test_a_file_that_somebody_deletes_between_two_pieces_is_told_to_be_lost(
    store: LocalStore,
) -> None:
    appender = store.appender(new_intake())
    await appender.write(b"abc")
    intake = recorded(new_intake(), await appender.flush())
    resting = await appender.rest()
    assert resting is not None
    file_of(store, intake).unlink()

    following = resting.go_on([])
    await following.write(b"def")
    with pytest.raises(ConflictError, match="not in the store any more"):
        await following.flush()
    await following.close()


async def test_a_file_that_grew_without_being_recorded_is_not_written_over(
    store: LocalStore,
) -> None:
    first = await append(store, new_intake(), b"abc")
    second = await append(store, first, b"def")

    third = await append(store, first, b"ghi")

    assert await acknowledged(store, second) == b"abcdef"
    assert await acknowledged(store, third) == b"abcghi"
    assert len(third.segments) == 2
    assert await join(store, third) == b"abcghi"


async def test_what_was_never_recorded_is_cut_off_by_the_join(
    store: LocalStore, tmp_path: Path, steps: list[str]
) -> None:
    intake = await append(store, new_intake(), b"abc")
    await append(store, intake, b"def")
    steps.clear()

    assert await join(store, intake) == b"abc"

    assert (tmp_path / KEY).stat().st_size == 3
    assert steps[0] == "the file"


async def test_a_file_that_somebody_still_writes_to_is_copied(
    store: LocalStore, tmp_path: Path
) -> None:
    intake = await append(store, new_intake(), b"abc")
    descriptor = lock_file(file_of(store, intake))
    assert descriptor is not None

    assert await join(store, intake) == b"abc"

    os.pwrite(descriptor, b"x" * 10, 0)
    release_file(descriptor)
    assert (tmp_path / KEY).read_bytes() == b"abc"


async def test_a_copy_whose_bytes_changed_on_the_disk_is_refused(store: LocalStore) -> None:
    first = await append(store, new_intake(), b"abc")
    await append(store, first, b"def")
    second = await append(store, first, b"ghi")
    path = store.local_path(first.segments[0].object_key)
    assert path is not None
    path.write_bytes(b"abx")

    with pytest.raises(ConflictError, match="not what they were"):
        await join(store, second)

    assert await store.head(KEY) is None


@pytest.mark.parametrize("left", [None, 0, 2])
async def test_a_lost_file_is_told(store: LocalStore, left: int | None) -> None:
    intake = await append(store, new_intake(), b"abc")
    path = file_of(store, intake)
    if left is None:
        path.unlink()
    else:
        os.truncate(path, left)

    with pytest.raises(ConflictError, match="not in the store any more"):
        await append(store, intake, b"def")
    with pytest.raises(ConflictError, match="not in the store any more"):
        await join(store, intake)


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond 2 MiB: writing then fails as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * MIB, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [2 * MIB, 5 * MIB])
async def test_a_chunk_that_does_not_fit_is_told_so_and_leaves_what_was_there(
    store: LocalStore, small_files: None, size: int
) -> None:
    intake = await append(store, new_intake(), b"abc")
    appender = store.appender(intake)

    async def write() -> None:
        for _ in range(0, size, MIB // 2):
            await appender.write(b"x" * (MIB // 2))
        await appender.flush()

    with pytest.raises(StorageFullError):
        await write()
    with pytest.raises(StorageFullError):
        await appender.flush()
    await appender.close()

    assert file_of(store, intake).stat().st_size == 3
    assert await join(store, await append(store, intake, b"def")) == b"abcdef"


async def test_a_disk_that_fills_up_behind_what_was_flushed_keeps_exactly_that(
    store: LocalStore, small_files: None
) -> None:
    intake = new_intake()
    appender = store.appender(intake)
    await appender.write(b"abc")
    intake = recorded(intake, await appender.flush())
    await appender.write(b"x" * 3 * MIB)

    with pytest.raises(StorageFullError):
        await appender.flush()
    await appender.close()

    assert file_of(store, intake).stat().st_size == 3


async def test_after_a_sync_that_failed_nothing_more_is_said_to_be_durable(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel says only once that it lost bytes: the next sync would succeed."""
    intake = await append(store, new_intake(), b"abc")
    appender = store.appender(intake)
    await appender.write(b"x" * MIB)
    await appender.write(b"y")

    def broken(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as failing:
        failing.setattr(os, "fsync", broken)
        with pytest.raises(UnavailableError):
            await appender.checkpoint()
    for again in (appender.checkpoint, appender.flush):
        with pytest.raises(UnavailableError):
            await again()
    await appender.close()

    assert await join(store, await append(store, intake, b"def")) == b"abcdef"


async def test_space_is_kept_free(tmp_path: Path) -> None:
    store = LocalStore(tmp_path, reserved_bytes=1 << 60)
    appender = store.appender(new_intake())
    await appender.write(b"abc")

    with pytest.raises(StorageFullError, match="kept free"):
        await appender.flush()
    await appender.close()

    assert await keys(store) == set()
    await store.close()


@contextmanager
def appending(root: Path, intake: Intake) -> Iterator[subprocess.Popen[str]]:
    """Run a process that appends to an intake for ever."""
    command = [sys.executable, "-m", "tests.support.appending", str(root), str(intake.id)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def state_of(intake: Intake, line: str) -> Intake:
    """Return an intake as a line of the process tells it."""
    size, crc64nvme, key = line.split()
    segments = (Segment(key, int(size)),)
    return replace(intake, size=int(size), crc64nvme=crc64nvme, segments=segments)


def states(intake: Intake, process: subprocess.Popen[str], seconds: float) -> Intake:
    """Return the last state that the process tells before ``seconds`` have passed."""
    assert process.stdout is not None
    line = process.stdout.readline()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        line = process.stdout.readline()
    return state_of(intake, line)


async def test_after_a_kill_exactly_what_was_recorded_is_there(
    store: LocalStore, tmp_path: Path
) -> None:
    intake = new_intake()
    with appending(tmp_path, intake) as process:
        intake = states(intake, process, random.uniform(0, 0.1))
        process.kill()
        assert process.stdout is not None
        for line in process.stdout:
            intake = state_of(intake, line)

    assert await acknowledged(store, intake) == content(intake.size)
    after = await append(store, intake, b"after")
    assert await join(store, after) == content(intake.size) + b"after"


async def test_beside_a_stopped_process_an_intake_grows_and_is_joined(
    store: LocalStore, tmp_path: Path
) -> None:
    intake = new_intake()
    with appending(tmp_path, intake) as process:
        recent = states(intake, process, 0.02)
        while True:  # until it is stopped while it has the file locked
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED)
            descriptor = lock_file(file_of(store, recent))
            if descriptor is None:
                break
            release_file(descriptor)
            process.send_signal(signal.SIGCONT)
            recent = states(intake, process, 0)
        expected = content(recent.size) + b"beside"
        successor = await append(store, recent, b"beside")
        assert await acknowledged(store, successor) == expected

        process.send_signal(signal.SIGCONT)
        states(intake, process, 0.05)  # it goes on writing
        assert await acknowledged(store, successor) == expected
        assert await join(store, successor) == expected
        states(intake, process, 0.05)

    assert await get(store, KEY) == expected


async def test_a_process_that_is_being_forked_does_not_keep_a_file_locked(
    store: LocalStore,
) -> None:
    appender = store.appender(new_intake())
    await appender.write(b"abc")
    intake = recorded(new_intake(), await appender.flush())
    assert appender._file is not None  # open since the flush
    copy = os.dup(appender._file.descriptor)

    await appender.close()

    assert len((await append(store, intake, b"def")).segments) == 1
    os.close(copy)
