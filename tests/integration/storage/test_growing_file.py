"""Files that grow past the page cache, or through it."""

import errno
import fcntl
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediatheque.storage import growing_file
from mediatheque.storage.growing_file import GrowingFile

KIB = 1 << 10
MIB = 1 << 20
CONTENT = random.Random(3).randbytes(5 * MIB + 4321)
SIZES = [1, 4095, 4096, 4097, 64 * KIB, 100_000, 256 * KIB, 390_000, MIB, MIB + 1, 2 * MIB + 77]


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    opened = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT, 0o600)
    yield opened
    os.close(opened)


def content_of(descriptor: int) -> bytes:
    """Read the file as others do, who opened it themselves."""
    return Path(f"/proc/self/fd/{descriptor}").read_bytes()


def is_past_cache(descriptor: int) -> bool:
    return bool(fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_DIRECT)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("past_cache", [True, False])
def test_pieces_of_any_size_come_in_order_and_once(
    descriptor: int, monkeypatch: pytest.MonkeyPatch, seed: int, *, past_cache: bool
) -> None:
    if not past_cache:
        monkeypatch.setattr(growing_file, "_O_DIRECT", 0)
    moments = random.Random(seed)
    file = GrowingFile(descriptor)
    hashed = bytearray()
    given = 0
    while given < len(CONTENT):
        pieces = []
        for _ in range(moments.randrange(4)):
            pieces.append(CONTENT[given : given + moments.choice(SIZES)])
            given += len(pieces[-1])
        whole = moments.random() < 0.3
        file.write(pieces, whole=whole, feed=hashed.extend)
        assert file.position + file.waiting == given
        assert not (whole and file.waiting)
        assert bytes(hashed) == content_of(descriptor) == CONTENT[: file.position]
    file.write([], whole=True, feed=hashed.extend)
    assert content_of(descriptor) == hashed == CONTENT


def test_blocks_pass_the_cache_and_the_rest_does_not(descriptor: int) -> None:
    file = GrowingFile(descriptor)
    file.write([CONTENT[:MIB]], whole=False, feed=len)
    assert is_past_cache(descriptor), "this file system takes no direct writes"
    file.write([CONTENT[MIB : MIB + 10]], whole=True, feed=len)
    assert not is_past_cache(descriptor)
    assert content_of(descriptor) == CONTENT[: MIB + 10]


def test_a_file_is_continued_where_it_ends(descriptor: int) -> None:
    os.write(descriptor, CONTENT[:12_345])
    file = GrowingFile(descriptor, 12_345)
    file.write([CONTENT[12_345:]], whole=True, feed=len)
    assert content_of(descriptor) == CONTENT


def test_what_begins_and_ends_within_one_block_is_written_once(descriptor: int) -> None:
    os.write(descriptor, CONTENT[:100])
    file = GrowingFile(descriptor, 100)
    file.write([CONTENT[100:300]], whole=False, feed=len)
    assert (file.position, file.waiting) == (100, 200)
    file.write([], whole=True, feed=len)
    assert content_of(descriptor) == CONTENT[:300]


@pytest.mark.parametrize("refuses", ["the flag", "the write"])
def test_a_file_system_that_cannot_is_written_through_the_cache(
    descriptor: int, monkeypatch: pytest.MonkeyPatch, refuses: str
) -> None:
    set_flags, write = fcntl.fcntl, os.pwrite

    def refuse_flag(opened: int, command: int, *arguments: int) -> int:
        if command == fcntl.F_SETFL and arguments[0] & os.O_DIRECT:
            raise OSError(errno.EINVAL, "Invalid argument")
        return set_flags(opened, command, *arguments)

    def refuse_write(opened: int, view: memoryview, position: int) -> int:
        if is_past_cache(opened):
            raise OSError(errno.EINVAL, "Invalid argument")
        return write(opened, view, position)

    if refuses == "the flag":
        monkeypatch.setattr(fcntl, "fcntl", refuse_flag)
    else:
        monkeypatch.setattr(os, "pwrite", refuse_write)
    file = GrowingFile(descriptor)
    for start in range(0, len(CONTENT), MIB):
        file.write([CONTENT[start : start + MIB]], whole=False, feed=len)
    file.write([], whole=True, feed=len)
    assert content_of(descriptor) == CONTENT


def test_a_disk_that_takes_less_than_it_was_given_gets_the_rest(
    descriptor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.pwrite
    monkeypatch.setattr(
        os, "pwrite", lambda opened, view, position: write(opened, view[:8192], position)
    )
    file = GrowingFile(descriptor)
    file.write([CONTENT], whole=True, feed=len)
    assert content_of(descriptor) == CONTENT
