"""Folders in which medias are processed: one for each run of a job, gone when it has ended."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from mediatheque.domain.errors import StorageFullError


@dataclass(frozen=True, slots=True)
class Bench:
    """``source`` is where a copy of the input may be put, ``folder`` where results are made.

    They lie apart: the process that makes the results may write into ``folder`` and nowhere else.
    """

    source: Path
    folder: Path


class Workbench:
    """Gives out folders below ``root``, on the disk of this machine.

    ``reserved_bytes`` of that disk stay free.

    No two benches share a folder: a worker that was stopped, and whose job another one does
    meanwhile, would spoil what that makes. Each is locked while it is used. The kernel unlocks
    those of a killed worker, and whoever makes the next bench removes them.
    """

    def __init__(self, root: Path, *, reserved_bytes: int) -> None:
        self._root = root
        self._reserved_bytes = reserved_bytes

    @contextlib.asynccontextmanager
    async def bench(self, name: str, *, room: int) -> AsyncIterator[Bench]:
        """Make an empty bench for the block; ``name`` tells people what it is for.

        Raises StorageFullError when the disk has no ``room`` for that many bytes.
        """
        place, lock = await asyncio.to_thread(self._make, name, room)
        try:
            yield Bench(place / "source", place / "made")
        finally:
            await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)
            os.close(lock)

    def _make(self, name: str, room: int) -> tuple[Path, int]:
        """Make a bench; return its folder, and the descriptor that keeps it locked."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(self._root):  # nobody sweeps what is made and not locked yet
            self._sweep()
            free = shutil.disk_usage(self._root).free
            if free < room + self._reserved_bytes:
                raise StorageFullError(
                    f"Processing needs {room} bytes in {self._root} beside the space that is kept "
                    f"free; the disk has {free}. Free some space, then retry the job."
                )
            place = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self._root))
            (place / "made").mkdir(mode=0o700)
            return place, _lock(place, fcntl.LOCK_EX)

    def _sweep(self) -> None:
        """Remove what killed workers have left."""
        for place in self._root.iterdir():
            with contextlib.suppress(OSError):  # in use, or gone just now
                os.close(_lock(place, fcntl.LOCK_EX | fcntl.LOCK_NB))
                shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = _lock(folder, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(folder: Path, operation: int) -> int:
    """Lock a folder, ``flock(2)``, until the descriptor that is returned is closed."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, operation)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
