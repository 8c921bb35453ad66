"""Bytes on their way to the end of an intake whose segments are files.

Normally there is one file, which grows and becomes the object by a rename. Only who holds its lock
writes to it, and only when it is exactly as long as was recorded. When it is longer, its end may
never have been recorded because of a crash, or was recorded meanwhile by a process that presumes
this one dead. Nobody can tell, so it is not written over: a new file is begun.
"""

import asyncio
import contextlib
import fcntl
import os
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from mediatheque.domain.errors import UnavailableError
from mediatheque.domain.intakes import Intake, Segment
from mediatheque.storage import durable as disk
from mediatheque.storage import keys
from mediatheque.storage.digest import RunningCrc
from mediatheque.storage.growing_file import GrowingFile
from mediatheque.storage.intakes import Appended, Hasher, lost
from mediatheque.storage.threads import Threads
from mediatheque.storage.write_behind import (
    Batch,
    WriteBehind,
    WriteBudget,
    finished,
)

_WRITE_BACK_BYTES = 8 << 20


class LocalAppender:
    """See ``Appender``. Batches are written and hashed in a thread while more arrives.

    ``path_of`` tells the file of a key. What is short costs one hop to a thread, which writes,
    hashes and syncs it.
    """

    def __init__(
        self,
        intake: Intake,
        *,
        path_of: Callable[[str], Path],
        digests: Sequence[Hasher],
        threads: Threads,
        budget: WriteBudget,
        durable: bool,
        reserved_bytes: int,
    ) -> None:
        self._intake = intake
        self._path_of = path_of
        self._digests = digests
        self._threads = threads
        self._budget = budget
        self._behind = WriteBehind(self._append, threads=threads, budget=budget)
        self._durable = durable
        self._reserved_bytes = reserved_bytes
        self._crc = RunningCrc(intake.crc64nvme)
        self._before = intake.segments  # without the one that grows
        self._key = ""
        self._file: GrowingFile | None = None
        self._begun = False  # rather than continued
        self._start = 0  # of what this appender wrote, in the file
        self._position = 0
        self._written_back = 0
        self._written = self._flushed = Appended(intake.segments, intake.size, intake.crc64nvme)
        self._kept: int | None = None  # the file's length at the last flush that returned
        self._syncing: asyncio.Future[None] | None = None
        self._resting = False
        self._looked = True  # whether the file is still there, since it rested
        self._closed = False
        budget.writers += 1

    async def write(self, piece: bytes) -> None:
        """See ``Appender.write``."""
        await self._behind.write(piece)

    async def flush(self) -> Appended:
        """See ``Appender.flush``."""
        await self._finish_sync()
        waiting = self._file is not None and self._file.waiting
        if not self._behind.idle or waiting or self._written != self._flushed:
            await self._behind.finish(self._append_and_sync)
            self._flushed = self._written
            self._kept = self._position
        return self._flushed

    async def checkpoint(self) -> Appended:
        """See ``Appender.checkpoint``: all but what fills no block of the disk."""
        await self._finish_sync()  # of a call that was cancelled
        if not self._behind.idle:
            await self._behind.finish(self._append)
        written = self._written
        if written != self._flushed:
            self._syncing = asyncio.get_running_loop().run_in_executor(self._threads, self._sync)
            await self._finish_sync()
            self._flushed, self._kept = written, written.segments[-1].size
        return written

    async def rest(self) -> "LocalAppender | None":
        """See ``Appender.rest``: the file stays open, and locked."""
        if self._file is None or not self._is_flushed():
            await self.close()
            return None
        self._resting = True
        self._budget.writers -= 1
        return self

    def go_on(self, digests: Sequence[Hasher]) -> "LocalAppender":
        """See ``RestingAppender.go_on``."""
        self._resting = False
        self._budget.writers += 1
        self._digests = digests
        self._start = self._written_back = self._position
        self._kept, self._begun = None, False
        self._looked = False
        return self

    async def close(self, *, recorded: bool = True) -> None:
        """See ``Appender.close``."""
        if self._closed:
            return
        self._closed = True
        if not self._resting:
            self._budget.writers -= 1
            if not recorded:
                self._kept = None
        if self._is_flushed():
            self._unlock()
            return
        # A cancelled caller must not leave the file locked.
        await asyncio.shield(self._let_go())

    def _is_flushed(self) -> bool:
        idle = self._behind.idle and self._syncing is None
        return idle and self._position == self._kept

    async def _let_go(self) -> None:
        syncing = self._syncing
        await self._behind.end()
        if syncing is not None:
            await asyncio.wait([syncing])
            syncing.exception()
        if self._file is None:
            return
        # Not ``_position``, which does not count what was written before a write failed.
        if self._file.position != self._kept:
            with contextlib.suppress(UnavailableError):  # it only takes room, see below
                await asyncio.get_running_loop().run_in_executor(self._threads, self._discard)
        self._unlock()

    def _unlock(self) -> None:
        if self._file is not None:
            release_file(self._file.descriptor)
            self._file = None

    async def _finish_sync(self) -> None:
        # One that has failed stays: the next one would succeed, though the bytes may be lost.
        if self._syncing is not None:
            await finished(self._syncing)
            self._syncing = None

    def _append_and_sync(self, batch: Batch) -> None:
        self._append(batch, whole=True)
        self._sync()

    def _sync(self) -> None:
        if self._durable:
            disk.sync_file(self._opened().descriptor)
            if self._begun and self._kept is None:
                disk.sync_folder(self._path_of(self._key).parent)

    def _append(self, batch: Batch, *, whole: bool = False) -> None:
        file = self._opened()
        disk.check_room(file.descriptor, reserved=self._reserved_bytes, more=sum(map(len, batch)))
        file.write(batch, whole=whole, feed=self._hash)
        self._position = file.position
        grown = Segment(self._key, self._position)
        size = sum(segment.size for segment in self._before) + grown.size
        # At once, as a checkpoint looks at it meanwhile.
        self._written = Appended((*self._before, grown), size, self._crc.value)
        pending = self._position - self._written_back
        if self._durable and pending >= _WRITE_BACK_BYTES:
            disk.start_write_back(file.descriptor, self._written_back, pending)
            self._written_back = self._position

    def _hash(self, view: memoryview) -> None:
        self._crc.update(view)
        for digest in self._digests:
            digest.update(view)

    def _opened(self) -> GrowingFile:
        if self._file is None:
            descriptor = self._continue()
            if descriptor is None:
                descriptor = self._begin()
            self._file = GrowingFile(descriptor, self._position, past_cache=self._durable)
        if not self._looked:
            if os.fstat(self._file.descriptor).st_nlink == 0:
                raise lost(self._intake)
            self._looked = True
        return self._file

    def _continue(self) -> int | None:
        """Open the last segment's file; None when that must not grow."""
        if not self._intake.segments:
            return None
        last = self._intake.segments[-1]
        path = self._path_of(last.object_key)
        try:
            descriptor = lock_file(path)
            size = (path.stat() if descriptor is None else os.fstat(descriptor)).st_size
        except FileNotFoundError as error:
            raise lost(self._intake) from error
        if descriptor is not None and size != last.size:
            release_file(descriptor)
            descriptor = None
        if size < last.size:
            raise lost(self._intake)
        if descriptor is None:
            return None
        self._before = self._intake.segments[:-1]
        self._key = last.object_key
        self._start = self._position = self._written_back = last.size
        return descriptor

    def _begin(self) -> int:
        self._key = keys.staging(self._intake.id, uuid.uuid4().hex)
        path = self._path_of(self._key)
        disk.make_folder(path.parent, durable=self._durable)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # nobody else knows its name yet
        self._begun = True
        return descriptor

    def _discard(self) -> None:
        assert self._file is not None
        # What cannot be discarded only takes room: it was never recorded.
        with contextlib.suppress(OSError):
            if self._begun and self._kept is None:
                path = self._path_of(self._key)
                path.unlink()
                path.parent.rmdir()
            else:
                os.ftruncate(
                    self._file.descriptor, self._start if self._kept is None else self._kept
                )


def lock_file(path: Path) -> int | None:
    """Open the file at ``path`` for its one writer; None while another has it. ``flock(2)``.

    The kernel unlocks the file of a process that dies, but not of one that is stopped. Raises
    OSError, FileNotFoundError also when the file was moved away meanwhile.
    """
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.stat()
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def release_file(descriptor: int) -> None:
    """Unlock and close a file.

    Closing alone would leave it locked while a process that is being forked has it open, too.
    """
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)
