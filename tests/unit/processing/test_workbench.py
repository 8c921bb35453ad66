"""Folders in which medias are processed: nobody's are anybody else's, and none is left."""

from pathlib import Path

import pytest

from mediatheque.domain.errors import StorageFullError
from mediatheque.processing.workbench import Workbench


async def test_benches_of_one_name_are_apart_and_gone_at_the_end(tmp_path: Path) -> None:
    root = tmp_path / "processing"
    async with Workbench(root, reserved_bytes=0).bench("job", room=0) as successor:
        async with Workbench(root, reserved_bytes=0).bench("job", room=0) as stopped:
            assert stopped.folder != successor.folder
            (stopped.folder / "made").touch()
            stopped.source.touch()
            assert list(successor.folder.iterdir()) == []
        assert successor.folder.is_dir()
        assert not stopped.folder.exists()
    assert list(root.iterdir()) == []


async def test_what_killed_workers_left_goes_and_what_is_in_use_stays(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, reserved_bytes=0).bench
    async with bench("in-use", room=0) as used:
        (tmp_path / "left" / "made").mkdir(parents=True)
        (tmp_path / "left" / "made" / "processed.webm").touch()
        async with bench("next", room=0):
            assert used.folder.is_dir()
            assert not (tmp_path / "left").exists()


async def test_a_disk_without_room_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(StorageFullError, match="needs 5 bytes"):
        async with Workbench(tmp_path, reserved_bytes=1 << 60).bench("job", room=5):
            pass
    assert list(tmp_path.iterdir()) == []
