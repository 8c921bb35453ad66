"""What only a folder does: order of fsync and rename, full disks, space kept free."""

import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediatheque.domain.errors import MediathequeError, StorageFullError, UnavailableError
from mediatheque.storage import durable as disk
from mediatheque.storage.local import INCOMING, LocalStore
from tests.support.stores import get, keys, put

MIB = 1 << 20


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

    with pytest.raises(StorageFullError, match="Nothing was kept"):
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

    with pytest.raises(StorageFullError, match="kept free"):
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
