"""Parts of slow clients, which wait on the local disk where others have all of the memory."""

import asyncio
import contextlib
import errno
import mmap
import os
import random
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mediatheque.domain.errors import StorageFullError, UnavailableError
from mediatheque.storage import durable, part_memory
from mediatheque.storage.part_files import PartFiles
from mediatheque.storage.part_memory import PartBuffer, PartMemory
from mediatheque.storage.threads import Threads
from tests.support.threads import no_thread

MIB = 1 << 20
CONTENT = random.Random(5).randbytes(MIB)
STILL_SECONDS = 0.1
LONG_SECONDS = 10


@pytest.fixture
def files(tmp_path: Path) -> Iterator[PartFiles]:
    opened = PartFiles(tmp_path / "made" / "parts", reserved_bytes=0)
    yield opened
    opened.close()


def open_files(folder: Path) -> int:
    """Return how many descriptors this process has of files below a folder."""
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # it was closed just now
            links.append(str(descriptor.readlink()))
    return sum(link.startswith(f"{folder}/") for link in links)


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory stands still when nothing happened to it for a tenth of a second."""
    monkeypatch.setattr(part_memory, "_STILL_SECONDS", STILL_SECONDS)


async def fill(buffer: PartBuffer, content: bytes) -> None:
    """Fill a buffer in pieces that fit nowhere evenly."""
    for start in range(0, len(content), 77_777):
        assert not await buffer.fill(memoryview(content)[start : start + 77_777])


async def test_who_waits_while_the_memory_stands_still_gets_a_file(files: PartFiles) -> None:
    memory = PartMemory(2 * MIB, files)
    slow = [await memory.buffer(MIB) for _ in range(2)]

    async with asyncio.timeout(LONG_SECONDS):
        late = [await memory.buffer(MIB, start=7) for _ in range(3)]

    for number, one in enumerate(late):
        mine = CONTENT[number : MIB - 100]
        await fill(one, mine)
        await one.put(0, b"1234567")
        assert one.content() == b"1234567" + mine
        assert one.content()[7:] == mine
        room = MIB - 7 - len(mine)
        assert await one.fill(memoryview(CONTENT)[:1000]) == CONTENT[room:1000]
        assert one.is_full
        assert one.content()[7:] == mine + CONTENT[:room]
        one.release()
    for one in slow:
        one.release()


async def test_memory_is_waited_for_while_others_give_some_back(
    files: PartFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_memory, "_STILL_SECONDS", 2)
    memory = PartMemory(MIB, files)
    first = await memory.buffer(MIB)
    waiting = [asyncio.create_task(memory.buffer(MIB)) for _ in range(5)]

    for one in waiting:
        await asyncio.sleep(0.5)
        assert not one.done()
        first.release()
        first = await one

        assert open_files(tmp_path) == 0
    first.release()


async def test_what_is_free_is_taken_however_long_nothing_happened(
    files: PartFiles, tmp_path: Path
) -> None:
    memory = PartMemory(MIB, files)
    await asyncio.sleep(2 * STILL_SECONDS)

    one = await memory.buffer(MIB)

    assert open_files(tmp_path) == 0
    one.release()


async def test_files_are_for_their_owner_have_no_names_and_are_closed(
    files: PartFiles, tmp_path: Path
) -> None:
    one = await files.make(MIB)
    folder = tmp_path / "made" / "parts"

    assert open_files(folder) == 1
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(folder.iterdir()) == []

    seen = one.content()
    await one.keep(0, memoryview(CONTENT))
    one.release()
    assert seen == CONTENT, "what was returned can be read on"
    del seen
    assert open_files(tmp_path) == 0


def no_more(*_arguments: Any, **_options: Any) -> Any:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


@pytest.mark.parametrize("trouble", ["no room", "no folder", "no descriptor", "no thread"])
async def test_memory_is_waited_for_when_there_can_be_no_file(
    tmp_path: Path, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "parts"
    files = PartFiles(folder, reserved_bytes=1 << 62 if trouble == "no room" else 0)
    memory = PartMemory(MIB, files)
    slow = await memory.buffer(MIB)
    match trouble:
        case "no folder":
            folder.write_text("in the way")
        case "no descriptor":
            monkeypatch.setattr(os, "dup", no_more)
        case "no thread":
            monkeypatch.setattr(Threads, "submit", no_thread)
    with pytest.raises((OSError, StorageFullError, UnavailableError)):
        await files.make(MIB)
    waiting = asyncio.create_task(memory.buffer(MIB))
    await asyncio.sleep(3 * STILL_SECONDS)
    assert not waiting.done()
    monkeypatch.undo()

    slow.release()

    async with asyncio.timeout(LONG_SECONDS):
        last = await waiting
    assert open_files(tmp_path) == 0
    last.release()
    await memory.close()


@pytest.mark.parametrize("freed", [False, True], ids=["waiting", "just served"])
async def test_who_gives_up_takes_no_memory(files: PartFiles, tmp_path: Path, freed: bool) -> None:
    memory = PartMemory(MIB, files)
    first = await memory.buffer(MIB)
    waiting = asyncio.create_task(memory.buffer(MIB))
    await asyncio.sleep(0)
    if freed:
        first.release()
        await asyncio.sleep(0)  # it has the memory, but does not know yet
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    if not freed:
        first.release()

    async with asyncio.timeout(LONG_SECONDS):
        last = await memory.buffer(MIB)

    assert open_files(tmp_path) == 0
    last.release()


async def test_who_gives_up_keeps_no_file(
    files: PartFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    making, go_on = threading.Event(), threading.Event()

    def wait(*_: object, **__: object) -> None:
        making.set()
        assert go_on.wait(LONG_SECONDS)

    monkeypatch.setattr(durable, "check_room", wait)
    given_up = asyncio.create_task(files.make(MIB))
    await asyncio.to_thread(making.wait, LONG_SECONDS)
    given_up.cancel()
    await asyncio.sleep(0)
    go_on.set()

    with pytest.raises(asyncio.CancelledError):
        await given_up

    assert open_files(tmp_path) == 0


async def test_a_disk_that_takes_little_at_once_is_given_the_rest(
    files: PartFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, piece, at: write(file, piece[:99_999], at))
    one = await files.make(MIB)

    await one.keep(7, memoryview(CONTENT)[7:])

    assert one.content()[7:] == CONTENT[7:]
    one.release()


@pytest.mark.parametrize("lost", [0, 7, MIB // 2, MIB - 101])
async def test_bytes_that_the_disk_loses_are_noticed(
    files: PartFiles, tmp_path: Path, lost: int
) -> None:
    memory = PartMemory(MIB, files)
    slow = await memory.buffer(MIB)
    file = await files.make(MIB)
    late = PartBuffer(file, start=7)
    await fill(late, CONTENT[: MIB - 107])
    await late.put(0, b"1234567")
    assert late.content()[7:] == CONTENT[: MIB - 107]

    os.pwrite(file._descriptor, bytes([late.content()[lost] ^ 1]), lost)

    with pytest.raises(UnavailableError, match="lost bytes"):
        late.content()
    late.release()
    assert open_files(tmp_path) == 0
    slow.release()


async def test_a_file_that_cannot_be_read_is_closed_and_said_to_be_unavailable(
    files: PartFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = PartBuffer(await files.make(MIB), start=0)
    await fill(one, CONTENT)
    with monkeypatch.context() as patched:
        patched.setattr(mmap, "mmap", no_more)
        with pytest.raises(UnavailableError, match="Too many open files"):
            one.content()
    assert one.content() == CONTENT
    monkeypatch.setattr(mmap, "mmap", no_more)
    with pytest.raises(UnavailableError, match="Too many open files"):
        one.pass_on()
    assert open_files(tmp_path) == 0


async def test_what_could_not_be_written_is_not_missed(
    files: PartFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = PartBuffer(await files.make(MIB), start=0)
    await fill(one, CONTENT[:1000])
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", no_more)
        with pytest.raises(UnavailableError):
            await one.fill(memoryview(b"something else"))

    assert one.content() == CONTENT[:1000]
    await fill(one, CONTENT[1000:])
    assert one.content() == CONTENT
    one.release()


async def test_what_is_passed_on_counts_until_nobody_looks_at_it(files: PartFiles) -> None:
    memory = PartMemory(MIB)
    one = await memory.buffer(MIB)
    await fill(one, CONTENT)
    waiting = asyncio.create_task(memory.buffer(MIB))
    content = one.pass_on()
    del one
    await asyncio.sleep(STILL_SECONDS)
    assert not waiting.done()
    assert content == CONTENT

    # As where somebody else's thread has the last look at it.
    last = [content]
    del content
    await asyncio.to_thread(last.clear)

    async with asyncio.timeout(LONG_SECONDS):
        (await waiting).release()


async def test_a_disk_that_fails_is_said_to(files: PartFiles) -> None:
    one = await files.make(MIB)
    descriptor = os.open("/dev/full", os.O_WRONLY)
    one._descriptor, mine = descriptor, one._descriptor
    os.close(mine)

    with pytest.raises(StorageFullError):
        await one.keep(0, memoryview(CONTENT))
    one.release()
