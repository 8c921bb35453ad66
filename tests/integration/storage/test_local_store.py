"""What only a folder does: order of fsync and rename, full disks, space kept free."""

import asyncio
import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediatheque.domain.errors import MediathequeError, StorageFullError, UnavailableError
from mediatheque.storage import durable as disk
from mediatheque.storage.digest import Digest
from mediatheque.storage.local import INCOMING, LocalStore
from mediatheque.storage.pace import Pace, SendingStoppedError
from mediatheque.storage.sending import SourceChangedError
from tests.support.sending import KEY, Recorder, send
from tests.support.stores import get, keys, put

MIB = 1 << 20
GIB = 1 << 30


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What is made durable and renamed from now on, in order, as paths below ``tmp_path``."""
    taken: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def name(path: Path) -> str:
        return (
            "a temporary file" if path.parent.name == INCOMING else str(path.relative_to(tmp_path))
        )

    def recording_fsync(descriptor: int) -> None:
        taken.append(f"sync {name(Path(f'/proc/self/fd/{descriptor}').readlink())}")
        fsync(descriptor)

    def recording_rename(source: Path, target: Path) -> Path:
        taken.append(f"rename {name(source)} to {name(target)}")
        return rename(source, target)

    monkeypatch.setattr(os, "fsync", recording_fsync)
    monkeypatch.setattr(Path, "rename", recording_rename)
    return taken


async def test_an_object_is_durable_before_it_is_visible_and_its_name_before_it_is_said(
    tmp_path: Path, steps: list[str]
) -> None:
    store = LocalStore(tmp_path, durable=True)

    await put(store, "originals/1/a", b"abc")

    assert steps == [
        "sync a temporary file",
        "sync .",
        "sync originals",
        "rename a temporary file to originals/1/a",
        "sync originals/1",
    ]
    await store.close()


async def test_a_sent_file_is_durable_before_it_is_visible(
    tmp_path: Path, steps: list[str]
) -> None:
    store = LocalStore(tmp_path, durable=True)
    (tmp_path / "source").write_bytes(b"abc")

    await send(store, tmp_path / "source", "originals/1/a")

    assert steps == [
        "sync a temporary file",
        "sync .",
        "sync originals",
        "rename a temporary file to originals/1/a",
        "sync originals/1",
    ]
    await store.close()


async def test_a_move_is_durable_on_both_sides(tmp_path: Path, steps: list[str]) -> None:
    store = LocalStore(tmp_path, durable=True)
    await put(store, "staging/1/a", b"abc")
    seen = await store.head("staging/1/a")
    assert seen is not None
    steps.clear()

    await store.promote(seen, "originals/1/a")

    assert steps == [
        "sync .",
        "sync originals",
        "rename staging/1/a to originals/1/a",
        "sync originals/1",
        "sync staging/1",
    ]
    await store.close()


async def test_relaxed_durability_waits_for_no_disk(tmp_path: Path, steps: list[str]) -> None:
    store = LocalStore(tmp_path, durable=False)

    await put(store, "staging/1/a", b"abc")
    seen = await store.head("staging/1/a")
    assert seen is not None
    await store.promote(seen, "originals/1/a")

    assert steps == [
        "rename a temporary file to staging/1/a",
        "rename staging/1/a to originals/1/a",
    ]
    assert await get(store, "originals/1/a") == b"abc"
    await store.close()


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond 2 MiB: writing then fails as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * MIB, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [2 * MIB + 1, 5 * MIB])
async def test_a_write_that_does_not_fit_is_told_so_and_leaves_nothing(
    tmp_path: Path, small_files: None, size: int
) -> None:
    store = LocalStore(tmp_path)
    writer = store.writer("a/b", content_type="", size_hint=None)

    async def write() -> None:
        for _ in range(0, size, MIB // 2):
            await writer.write(b"x" * (MIB // 2))
        await writer.write(b"x")
        await writer.commit()

    with pytest.raises(StorageFullError, match="no room"):
        await write()
    await writer.abort()

    assert await keys(store) == set()
    assert list((tmp_path / INCOMING).iterdir()) == []
    await put(store, "a/b", b"x" * MIB)
    await store.close()


@pytest.mark.parametrize("hint", [None, 3])
async def test_space_is_kept_free(tmp_path: Path, hint: int | None) -> None:
    store = LocalStore(tmp_path, reserved_bytes=1 << 60)
    writer = store.writer("a/b", content_type="", size_hint=hint)
    await writer.write(b"abc")

    with pytest.raises(StorageFullError, match=r"of \d+ MB that .* \d+ MB are kept free"):
        await writer.commit()
    await writer.abort()

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    await store.close()


async def test_an_upload_that_cannot_fit_is_refused_at_its_first_batch(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    writer = store.writer("a/b", content_type="", size_hint=1 << 60)

    async def write() -> None:
        for _ in range(4):
            await writer.write(b"x" * MIB)

    with pytest.raises(StorageFullError):
        await write()
    await writer.abort()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    await store.close()


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, StorageFullError),
        (errno.EDQUOT, StorageFullError),
        (errno.EFBIG, StorageFullError),
        (errno.EIO, UnavailableError),
        (errno.EROFS, UnavailableError),
    ],
)
def test_what_the_disk_says_is_translated(number: int, expected: type[MediathequeError]) -> None:
    translated = disk.storage_error(OSError(number, os.strerror(number), "/srv/secret"))

    assert type(translated) is expected
    assert "/srv" not in translated.detail


async def test_a_folder_that_is_a_file_is_told_by_the_check(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = LocalStore(tmp_path / "file")

    with pytest.raises(UnavailableError, match="cannot be written"):
        await store.check()
    await store.close()


@pytest.mark.parametrize("key", ["", "/", "a//b", "../a", "a/../b", "./a", "a\0", "/a", "a/"])
async def test_a_key_that_could_lead_elsewhere_is_a_defect(tmp_path: Path, key: str) -> None:
    store = LocalStore(tmp_path)

    with pytest.raises(ValueError, match="not an object key"):
        store.local_path(key)
    await store.close()


async def test_the_folder_of_an_object_goes_with_it(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    await put(store, "originals/1/a", b"a")
    await put(store, "originals/1/b", b"b")

    await store.delete("originals/1/a")
    assert (tmp_path / "originals/1").is_dir()
    await store.delete("originals/1/b")

    assert not (tmp_path / "originals/1").exists()
    await store.close()


def make_sparse(path: Path, size: int, data: dict[int, bytes]) -> Path:
    """Make a file of ``size`` bytes that has data only where they are given, by offset."""
    with path.open("wb") as file:
        file.truncate(size)
        for offset, content in data.items():
            file.seek(offset)
            file.write(content)
    return path


@pytest.mark.parametrize(
    "data",
    [{}, {0: b"begin"}, {3 * GIB // 2: b"x" * (3 * MIB)}, {0: b"begin", 2 * GIB - 3: b"end"}],
    ids=["nothing", "begin", "middle", "both ends"],
)
async def test_holes_stay_holes(tmp_path: Path, data: dict[int, bytes]) -> None:
    store = LocalStore(tmp_path / "objects")
    source = make_sparse(tmp_path / "source", 2 * GIB, data)
    sending = Recorder()

    stored = await send(store, source, sending=sending)

    path = store.local_path(KEY)
    assert path is not None
    assert stored.size == sending.total == path.stat().st_size == 2 * GIB
    assert path.stat().st_blocks * 512 <= source.stat().st_blocks * 512 + 2 * MIB
    for offset, content in data.items():
        assert await get(store, KEY, offset, offset + len(content)) == content
    await store.close()


async def test_the_digest_of_a_file_with_holes_is_that_of_its_bytes(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "objects")
    data = {3 * MIB + 1: b"one", 9 * MIB: b"two" * 5000, 20 * MIB - 5: b"three"}
    source = make_sparse(tmp_path / "source", 20 * MIB, data)

    stored = await send(store, source)

    digest = Digest()
    digest.update(source.read_bytes())
    assert (stored.crc64nvme, stored.blake3) == (digest.crc64nvme, digest.blake3)
    assert await get(store, KEY) == source.read_bytes()
    await store.close()


async def test_of_blocks_that_the_copy_shares_the_copy_is_digested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def share(source: int, target: int) -> bool:
        """Do what the file system of a test machine cannot; other bytes show who reads what."""
        os.pwrite(target, os.pread(source, 100, 0).upper(), 0)
        return True

    monkeypatch.setattr(disk, "clone", share)
    store = LocalStore(tmp_path / "objects")
    source = tmp_path / "source"
    source.write_bytes(b"shared")

    stored = await send(store, source)

    digest = Digest()
    digest.update(b"SHARED")
    assert (stored.crc64nvme, stored.blake3) == (digest.crc64nvme, digest.blake3)
    assert await get(store, KEY) == b"SHARED"

    source.write_bytes(b"x" * 101)  # as if it had grown just before its blocks were shared
    with pytest.raises(SourceChangedError):
        await send(store, source, "a/other")
    assert await keys(store) == {KEY}
    await store.close()


async def test_holes_pass_at_any_pace(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "objects")
    source = make_sparse(tmp_path / "source", 100 * MIB, {0: b"begin"})

    async with asyncio.timeout(10):
        await send(store, source, sending=Recorder(pace=Pace(MIB)))

    await store.close()


async def test_only_what_a_sparse_file_occupies_must_fit(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "objects")
    source = make_sparse(tmp_path / "source", 1 << 40, {0: b"begin"})
    sending = Recorder()
    sending.on_advance = lambda _: sending.stop.set()

    with pytest.raises(SendingStoppedError):
        await send(store, source, sending=sending)

    assert list((tmp_path / "objects" / INCOMING).iterdir()) == []
    await store.close()


async def test_space_is_kept_free_when_a_file_is_sent(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "objects", reserved_bytes=1 << 60)
    (tmp_path / "source").write_bytes(b"abc")

    with pytest.raises(StorageFullError, match=r"of \d+ MB that .* \d+ MB are kept free"):
        await send(store, tmp_path / "source")

    assert [path for path in (tmp_path / "objects").rglob("*") if path.is_file()] == []
    await store.close()


async def test_a_sent_file_that_does_not_fit_is_told_so_and_leaves_nothing(
    tmp_path: Path, small_files: None
) -> None:
    store = LocalStore(tmp_path / "objects")
    source = tmp_path / "source"
    source.write_bytes(b"x" * (2 * MIB))
    with source.open("ab") as file:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4 * MIB, limits[1]))
        file.write(b"x" * MIB)
        file.flush()
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    with pytest.raises(StorageFullError, match="no room"):
        await send(store, source)

    assert await keys(store) == set()
    assert list((tmp_path / "objects" / INCOMING).iterdir()) == []
    await store.close()
