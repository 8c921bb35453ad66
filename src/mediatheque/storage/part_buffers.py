"""Memory for the parts of large objects."""

import contextlib
import mmap
import threading


def anonymous_pages(size: int) -> mmap.mmap:
    """Return ``size`` bytes of zeros.

    Not a bytearray: these pages go straight back to the system, whatever the allocator does.
    Private and huge pages, because faults on shared small ones cost 0.9 s of CPU per GiB.
    """
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # not every kernel has them
            pages.madvise(mmap.MADV_HUGEPAGE)
    return pages


class PartBuffers:
    """Part buffers for threads, together at most ``limit`` bytes, used again and again.

    A buffer larger than the limit is given out when no other is. Thread-safe.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._idle: list[mmap.mmap] = []
        self._freed = threading.Condition()

    def take(self, size: int) -> mmap.mmap:
        """Return a buffer of ``size`` bytes; blocks until there is room for it."""
        with self._freed:
            self._freed.wait_for(lambda: not self._taken or self._taken + size <= self._limit)
            self._taken += size
            for position, buffer in enumerate(self._idle):
                if len(buffer) == size:
                    return self._idle.pop(position)
            self._idle.clear()  # of another size: together they could exceed the limit
        try:
            return anonymous_pages(size)
        except BaseException:
            with self._freed:
                self._taken -= size
                self._freed.notify_all()
            raise

    def give_back(self, buffer: mmap.mmap) -> None:
        """Take a buffer back that nobody looks at any more."""
        with self._freed:
            self._taken -= len(buffer)
            self._idle.append(buffer)
            if not self._taken:
                self._idle.clear()  # nothing is being sent: the system can use the memory better
            self._freed.notify_all()
