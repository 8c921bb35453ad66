"""Hearing of changes below a folder, and of nothing else."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mediatheque.storage import watching
from mediatheque.storage.watching import listening


@pytest.fixture
def stop() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder" / "a" / "b").mkdir(parents=True)
    (tmp_path / "folder" / "a" / "file").write_bytes(b"content")
    return tmp_path / "folder"


async def heard(folder: Path, stop: asyncio.Event, seconds: float) -> bool:
    """Wait for a change; tell whether that ended before its time."""
    async with listening(folder, stop) as wait_for_change:
        began = time.monotonic()
        await wait_for_change(seconds)
        return time.monotonic() - began < seconds


def add_file(folder: Path) -> None:
    (folder / "a" / "b" / "new").write_bytes(b"")


def add_folder(folder: Path) -> None:
    (folder / "a" / "new" / "er").mkdir(parents=True)


def add_hidden(folder: Path) -> None:
    (folder / "a" / "b" / ".DS_Store").write_bytes(b"")


def write(folder: Path) -> None:
    with (folder / "a" / "file").open("r+b") as file:
        file.write(b"C")


def remove(folder: Path) -> None:
    (folder / "a" / "b").rmdir()


@pytest.mark.parametrize("change", [add_file, add_folder, add_hidden, write, remove])
async def test_every_change_is_heard_from_the_beginning_of_the_block(
    folder: Path, stop: asyncio.Event, change: Callable[[Path], None]
) -> None:
    async with listening(folder, stop) as wait_for_change:
        change(folder)
        await asyncio.wait_for(wait_for_change(60), 10)

    assert not stop.is_set()


async def test_waiting_in_vain_ends_in_time_and_stops_nothing(
    folder: Path, stop: asyncio.Event
) -> None:
    assert not await heard(folder, stop, 0.3)
    assert not stop.is_set()


async def test_waiting_ends_when_it_is_time_to_stop(folder: Path, stop: asyncio.Event) -> None:
    asyncio.get_running_loop().call_later(0.1, stop.set)

    assert await asyncio.wait_for(heard(folder, stop, 60), 10)


async def test_links_are_not_followed(folder: Path, stop: asyncio.Event, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (folder / "link").symlink_to(tmp_path / "outside")
    (folder / "everything").symlink_to("/")
    began = time.monotonic()

    async with listening(folder, stop) as wait_for_change:
        (tmp_path / "outside" / "new").write_bytes(b"")
        watches = sum(
            (Path("/proc/self/fdinfo") / name.name).read_text().count("inotify wd:")
            for name in Path("/proc/self/fd").iterdir()
            if name.exists()
        )
        await wait_for_change(0.5)

    assert watches == 3
    assert time.monotonic() - began < 5


async def test_a_folder_that_is_not_there_is_looked_for_again_soon(
    tmp_path: Path, stop: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_LOST_SECONDS", 0.1)

    assert await heard(tmp_path / "missing", stop, 10)


async def test_more_folders_than_can_be_watched_are_looked_at_from_time_to_time(
    folder: Path, stop: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_MOST_FOLDERS", 2)
    monkeypatch.setattr(watching, "_DEAF_SECONDS", 0.1)

    assert await heard(folder, stop, 10)


async def test_names_that_are_not_utf_8_do_not_matter(
    folder: Path, stop: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_LOST_SECONDS", 0.1)
    (folder / os.fsdecode(b"\xff")).mkdir()

    async with listening(folder, stop) as wait_for_change:
        (folder / os.fsdecode(b"\xfe")).write_bytes(b"")
        await asyncio.wait_for(wait_for_change(60), 10)
