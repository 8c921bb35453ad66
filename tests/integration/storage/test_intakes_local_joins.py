"""What only a folder does when several files become one object: the kernel copies, or cannot."""

import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mediatheque.domain.errors import ConflictError, StorageFullError, UnavailableError
from mediatheque.domain.intakes import Intake
from mediatheque.storage.local import LocalStore
from mediatheque.storage.segments import join_by_merging
from mediatheque.storage.stores import ObjectInfo, Store
from tests.support.intakes import acknowledged, append, new_intake, put_together
from tests.support.stores import get, keys

KEY = "originals/1/a"
CONTENT = b"one,two,"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[LocalStore]:
    opened = LocalStore(tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
async def intake(store: LocalStore) -> Intake:
    return put_together([await append(store, new_intake(), piece) for piece in (b"one,", b"two,")])


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which intakes have passed through this process."""
    passed: list[str] = []

    async def merging(store: Store, intake: Intake, key: str, *, content_type: str) -> ObjectInfo:
        passed.append(str(intake.id))
        return await join_by_merging(store, intake, key, content_type=content_type)

    monkeypatch.setattr("mediatheque.storage.local.join_by_merging", merging)
    return passed


def refuse(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let the kernel refuse to copy from now on."""

    def copy_file_range(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "copy_file_range", copy_file_range)


async def join(store: LocalStore, intake: Intake) -> bytes:
    await store.join(intake, KEY, content_type="video/webm")
    return await get(store, KEY)


async def test_the_kernel_copies(
    store: LocalStore, intake: Intake, sent: list[str], tmp_path: Path
) -> None:
    assert await join(store, intake) == CONTENT

    assert sent == []
    assert not (tmp_path / "staging" / str(intake.id)).exists()


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EXDEV, errno.EOPNOTSUPP])
async def test_what_the_kernel_cannot_copy_passes_through_this_process(
    store: LocalStore,
    intake: Intake,
    sent: list[str],
    monkeypatch: pytest.MonkeyPatch,
    number: int,
) -> None:
    refuse(monkeypatch, number)
    before = await keys(store)

    assert await join(store, intake) == CONTENT

    assert sent == [str(intake.id)]
    assert await keys(store) == before | {KEY}


async def test_another_system_than_linux_copies_in_this_process(
    store: LocalStore, intake: Intake, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr("mediatheque.storage.durable.sync_file", os.fsync)

    assert await join(store, intake) == CONTENT
    assert sent == [str(intake.id)]


@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOSPC, StorageFullError), (errno.EIO, UnavailableError)]
)
async def test_a_copy_that_fails_leaves_what_was_there(
    store: LocalStore,
    intake: Intake,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    error: type[Exception],
) -> None:
    before = await keys(store)
    with monkeypatch.context() as failing:
        refuse(failing, number)
        with pytest.raises(error):
            await join(store, intake)

    assert await keys(store) == before
    assert await acknowledged(store, intake) == CONTENT
    assert await join(store, intake) == CONTENT


async def test_a_copy_is_durable_before_it_has_the_objects_name(
    store: LocalStore, intake: Intake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    steps: list[tuple[str, bool]] = []
    fsync = os.fsync

    def recording_fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        steps.append((path.parent.name, (tmp_path / KEY).exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", recording_fsync)
    assert await join(store, intake) == CONTENT

    assert steps[0] == (str(intake.id), False)
    assert steps[-1] == ("originals", True)


async def test_space_that_is_kept_free_is_not_taken_by_a_copy(
    intake: Intake, tmp_path: Path
) -> None:
    careful = LocalStore(tmp_path, reserved_bytes=1 << 60)
    before = await keys(careful)

    with pytest.raises(StorageFullError, match="kept free"):
        await join(careful, intake)

    assert await keys(careful) == before
    await careful.close()


async def test_bytes_that_changed_on_the_disk_become_no_object(
    store: LocalStore, intake: Intake
) -> None:
    path = store.local_path(intake.segments[1].object_key)
    assert path is not None
    path.write_bytes(b"twX,")
    before = await keys(store)

    with pytest.raises(ConflictError, match="not what they were"):
        await join(store, intake)

    assert await keys(store) == before
