"""What a folder leaves open or behind when callers are cancelled while threads work for them."""

import asyncio
import contextlib
import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mediatheque.domain.errors import UnavailableError
from mediatheque.storage.local import LocalStore
from mediatheque.storage.local_writer import LocalWriter
from tests.support.sending import KEY
from tests.support.stores import get, put

SLOW_SECONDS = 0.2


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


def open_files() -> list[Path]:
    """Return every file that this process has open."""
    files = []
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            files.append(link.readlink())
    return files


def slowly(function: Callable[..., Any]) -> Callable[..., Any]:
    def slow(*arguments: Any) -> Any:
        time.sleep(SLOW_SECONDS)
        return function(*arguments)

    return slow


@pytest.mark.parametrize("call", ["open", "pread"])
async def test_who_stops_reading_leaves_no_file_open(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    await put(store, KEY, b"content")
    monkeypatch.setattr(os, call, slowly(getattr(os, call)))
    reading = asyncio.create_task(get(store, KEY))
    await asyncio.sleep(SLOW_SECONDS / 4)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await asyncio.sleep(2 * SLOW_SECONDS)

    assert tmp_path / KEY not in open_files()


async def test_a_writer_that_is_cancelled_while_it_gives_up_leaves_nothing(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalWriter, "_append", slowly(LocalWriter._append))
    writer = store.writer(KEY, content_type="text/plain", size_hint=None)
    for _ in range(3):
        await writer.write(b"x" * (1 << 20))
    aborting = asyncio.create_task(writer.abort())
    await asyncio.sleep(SLOW_SECONDS / 4)
    aborting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await aborting
    await asyncio.sleep(2 * SLOW_SECONDS)

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert store._budget.writers == 0


async def test_giving_up_is_no_error_when_the_disk_takes_nothing_away(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    writer = store.writer(KEY, content_type="text/plain", size_hint=None)
    await writer.write(b"x" * (1 << 20))
    await writer.write(b"x")
    monkeypatch.setattr(Path, "unlink", refuse)
    await writer.abort()


async def test_a_disk_that_cannot_be_read_does_not_answer(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    await put(store, KEY, b"content")
    monkeypatch.setattr(os, "pread", fail)
    with pytest.raises(UnavailableError, match="could not be read: Input/output error"):
        await get(store, KEY)
