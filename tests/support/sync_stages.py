"""Folders and buckets for tests of syncs: in memory, or a folder of a local store."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mediatheque.catalog.database import Database
from mediatheque.domain.errors import UnavailableError
from mediatheque.storage.folder_mirror import FolderMirror
from mediatheque.storage.keys import BUCKETS
from tests.support.door_two import fill
from tests.support.mirrors import MemoryMirror
from tests.support.syncs import BUCKET, SyncStage

CONNECTION = "error (s3 storage connection)"
OLD_NS = 1_600_000_000_123_456_789


class Memory(SyncStage):
    """Syncs into a bucket in memory, which stays what it is when it is closed."""

    def __init__(self, database: Database, root: Path, **options: Any) -> None:
        self.mirror = MemoryMirror()
        super().__init__(database, root, lambda: self.mirror, **options)

    def write(self, files: Mapping[str, bytes]) -> None:
        """Make the folder exactly this; files that have their content already stay as they are."""
        for path in sorted(self.root.rglob("*"), reverse=True):
            name = path.relative_to(self.root).as_posix()
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
            elif path.is_file() and name not in files:
                path.unlink()
        new = {
            name: content
            for name, content in files.items()
            if not (self.root / name).is_file() or (self.root / name).read_bytes() != content
        }
        fill(self.root, new)

    @property
    def stored(self) -> dict[str, bytes]:
        """What the bucket has."""
        return {key.decode(): content for key, content in self.mirror.contents.items()}

    def once(self, name: str, key: str, action: Callable[[], object]) -> None:
        """Let something happen right before a method of the mirror is called, the first time."""

        def before(called: str, called_key: bytes) -> None:
            if (called, called_key.decode()) == (name, key):
                self.mirror.before = lambda *_: None
                action()

        self.mirror.before = before


class Folder(SyncStage):
    """Syncs into a local bucket, which has real folders."""

    def __init__(self, database: Database, home: Path, **options: Any) -> None:
        self.store = home / "objects"
        self.store.mkdir()
        self.place = self.store / BUCKETS / BUCKET
        super().__init__(database, home / "uploads", self._open, **options)
        self.before_copy: Callable[[], object] = lambda: None

    def _open(self) -> FolderMirror:
        stage = self

        class Meddled(FolderMirror):
            async def copy(self, entry: Any, target: bytes) -> Any:
                stage.before_copy()
                return await super().copy(entry, target)

        return Meddled(self.store, BUCKET, durable=False)

    @property
    def stored(self) -> dict[str, bytes]:
        """What the bucket has."""
        return files_of(self.place)


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def away() -> UnavailableError:
    return UnavailableError("The store is away.")


def failing(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def a_number_of_files(count: int) -> dict[str, bytes]:
    return {f"{number:03}": f"{number}".encode() for number in range(count)}
