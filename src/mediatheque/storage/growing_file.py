"""Writing to the end of a file, past the page cache where the file system lets us.

What is about to be synced gains nothing by the cache: copying the bytes there and writing them back
from there takes several times the processor time of handing them to the disk (``open(2)``,
O_DIRECT). That wants memory, offsets and lengths in whole blocks, so bytes are gathered in memory
that is aligned as the file is, and what fills no block goes through the cache. All calls block.
"""

import contextlib
import fcntl
import mmap
import os
import threading
from collections.abc import Callable, Iterable, Iterator

_BLOCK = 4096
_GATHERED_BYTES = 1152 << 10  # a whole batch of ``WriteBehind``, in one write
# Many short writes that are each synced are combined by the cache and the journal below it.
_WORTH_BYTES = 128 << 10
_O_DIRECT = getattr(os, "O_DIRECT", 0)

_own = threading.local()

Feed = Callable[[memoryview], object]


class GrowingFile:
    """The end of the file that is open as ``descriptor``, which has ``position`` bytes.

    ``past_cache`` says that it will be synced soon; else the cache is faster. Nobody else writes
    to it. Past the cache bytes that fill no block wait for those that follow, until a
    write that is ``whole``: ``position`` counts what was written, ``waiting`` what was not.
    """

    def __init__(self, descriptor: int, position: int = 0, *, past_cache: bool = True) -> None:
        self.descriptor = descriptor
        self.position = position
        self._waiting = b""
        self._past_cache = False
        self._can_pass = past_cache and _O_DIRECT != 0

    @property
    def waiting(self) -> int:
        """How many bytes were given and not written yet: less than a block."""
        return len(self._waiting)

    def write(self, pieces: Iterable[bytes], *, whole: bool, feed: Feed) -> None:
        """Write pieces in order; ``feed`` is given what is about to be written, all of it once.

        Raises OSError.
        """
        given, self._waiting = [self._waiting, *pieces], b""
        in_blocks = self._can_pass  # the cache takes bytes from anywhere, and in any length
        views = (
            _gathered(given, start=self.position % _BLOCK)
            if in_blocks
            else (memoryview(piece) for piece in given if piece)
        )
        for view in views:
            # Only the last one ends within a block, in which it may begin, too.
            in_last = (self.position + len(view)) % _BLOCK
            rest = min(in_last, len(view)) if in_blocks and not whole else 0
            written = view[: len(view) - rest]
            self._waiting = bytes(view[len(written) :])
            feed(written)
            self._write_all(written)

    def close(self) -> None:
        """Close it. What is waiting is lost."""
        os.close(self.descriptor)

    def _write_all(self, view: memoryview) -> None:
        while view:
            head = -self.position % _BLOCK
            blocks = (len(view) - head) // _BLOCK * _BLOCK
            if not self._can_pass or blocks < _WORTH_BYTES:
                count = self._write(view, past_cache=False)
            elif head:
                count = self._write(view[:head], past_cache=False)
            else:
                count = self._write_blocks(view[:blocks])
            view = view[count:]
            self.position += count

    def _write_blocks(self, blocks: memoryview) -> int:
        try:
            return self._write(blocks, past_cache=True)
        except OSError:
            # Not every file system can, and what else is wrong the other way tells as well.
            self._can_pass = False
            return self._write(blocks, past_cache=False)

    def _write(self, view: memoryview, *, past_cache: bool) -> int:
        if past_cache != self._past_cache:
            flags = fcntl.fcntl(self.descriptor, fcntl.F_GETFL)
            fcntl.fcntl(
                self.descriptor,
                fcntl.F_SETFL,
                flags | _O_DIRECT if past_cache else flags & ~_O_DIRECT,
            )
            self._past_cache = past_cache
        return os.pwrite(self.descriptor, view, self.position)


def _gathered(pieces: Iterable[bytes], *, start: int) -> Iterator[memoryview]:
    """Yield all bytes of ``pieces`` in memory of this thread, valid until the next ones.

    The first begin ``start`` bytes behind a block, and all but the last end with one.
    """
    memory = _memory()
    begin = end = start
    for piece in pieces:
        rest = memoryview(piece)
        while rest:
            taken = rest[: len(memory) - end]
            memory[end : end + len(taken)] = taken
            rest, end = rest[len(taken) :], end + len(taken)
            if end == len(memory):
                yield memory[begin:end]
                begin = end = 0
    if end > begin:
        yield memory[begin:end]


def _memory() -> memoryview:
    with contextlib.suppress(AttributeError):
        return _own.memory  # type: ignore[no-any-return]
    _own.memory = memoryview(mmap.mmap(-1, _GATHERED_BYTES + _BLOCK))  # begins with a page
    return _own.memory  # type: ignore[no-any-return]
