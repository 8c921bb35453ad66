"""Files of this machine that are uploaded: read in stretches, and watched for changes."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mediatheque.client.digest import RunningCrc
from mediatheque.client.errors import InvalidError, SourceChangedError

PIECE_BYTES = 1 << 20


class SourceFile:
    """An open file, and what it looked like when it was opened: ``size``, ``modified_ns``.

    ``uri`` is its absolute path as a ``file`` URI.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise InvalidError(f"{path} is not a file.")
        self.path = path
        self.uri = path.absolute().as_uri()
        self.size = status.st_size
        self.modified_ns = status.st_mtime_ns
        self._file = file

    def read(self, position: int, most: int) -> bytes:
        """Return at least one byte from ``position``. Raises OSError and SourceChangedError."""
        piece = os.pread(self._file.fileno(), most, position)
        if not piece:
            raise SourceChangedError(f"{self.path} became shorter while it was uploaded.")
        return piece

    def check(self) -> None:
        """Raise SourceChangedError when the file does not look as it did at first."""
        status = os.fstat(self._file.fileno())
        if (status.st_size, status.st_mtime_ns) != (self.size, self.modified_ns):
            raise SourceChangedError(f"{self.path} changed while it was uploaded.")


@contextlib.contextmanager
def opened(path: Path) -> Iterator[SourceFile]:
    """Open a regular file; a FIFO is not waited for. Raises OSError and InvalidError."""
    with open(path, "rb", buffering=0, opener=_open_at_once) as file:
        yield SourceFile(path, file)


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


class Stretch:
    """``size`` bytes of a file from ``start``; ``crc`` is of those that were read, each once."""

    def __init__(self, source: SourceFile, start: int, size: int) -> None:
        self.size = size
        self.crc = RunningCrc()
        self._source = source
        self._start = start

    def read(self, position: int, end: int | None = None) -> bytes:
        """Return the next bytes from ``position`` of the stretch, none of it unread before that.

        None from ``end`` on. Raises OSError, and SourceChangedError when the file has changed
        meanwhile.
        """
        most = min(PIECE_BYTES, (self.size if end is None else end) - position)
        piece = self._source.read(self._start + position, most)
        reached = position + len(piece)
        if reached > self.crc.size:
            self.crc.update(memoryview(piece)[self.crc.size - position :])
        if reached == self.size:
            self._source.check()
        return piece
