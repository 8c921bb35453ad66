"""Files and pipes that are read as they grow, until they end or somebody has had enough."""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from io import RawIOBase

PIECE_BYTES = 1 << 20

_STDIN = "-"


class LiveInput:
    """What comes out of a file or a pipe; a read that waits can be given up at any time."""

    def __init__(self, file: RawIOBase) -> None:
        self._file = file
        self._ready = asyncio.Event()
        self._over = False

    def end_within(self, seconds: float) -> None:
        """Take what still comes in so many seconds, and then nothing more."""
        asyncio.get_running_loop().call_later(seconds, self._end)

    def _end(self) -> None:
        self._over = True
        self._ready.set()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield what has arrived since the last piece, PIECE_BYTES at most. Raises OSError."""
        while True:
            await self._wait()
            if self._over:
                return
            piece = await asyncio.to_thread(self._file.read, PIECE_BYTES)
            if piece == b"":
                return
            if piece is not None:  # else nothing was there after all
                yield piece

    async def _wait(self) -> None:
        """Wait until there is something to read, or an end."""
        loop = asyncio.get_running_loop()
        if not self._over:
            self._ready.clear()
        try:
            loop.add_reader(self._file, self._ready.set)
        except PermissionError:  # a file on a disk, which never keeps a reader waiting
            return
        try:
            await self._ready.wait()
        finally:
            loop.remove_reader(self._file)


@contextlib.contextmanager
def opened(name: str) -> Iterator[LiveInput]:
    """Open a file, or standard input when it is named ``-``. Raises OSError."""
    with (
        open(0, "rb", buffering=0, closefd=False)
        if name == _STDIN
        else open(name, "rb", buffering=0, opener=_open_at_once)
    ) as file:
        # What comes while a piece is being sent waits in the pipe, and leaves as one piece.
        with contextlib.suppress(OSError, AttributeError):  # no pipe, or no Linux
            fcntl.fcntl(file, fcntl.F_SETPIPE_SZ, PIECE_BYTES)
        yield LiveInput(file)


def _open_at_once(path: str, flags: int) -> int:
    """Open also a FIFO that nobody writes yet."""
    return os.open(path, flags | os.O_NONBLOCK)
