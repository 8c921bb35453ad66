"""One object on its way into a folder."""

import asyncio
import contextlib
import os
from pathlib import Path

from mediatheque.domain.errors import UnavailableError
from mediatheque.storage import durable as disk
from mediatheque.storage.digest import Digest
from mediatheque.storage.growing_file import GrowingFile
from mediatheque.storage.stores import Stored
from mediatheque.storage.threads import Threads
from mediatheque.storage.write_behind import Batch, WriteBehind, WriteBudget

_WRITE_BACK_BYTES = 8 << 20


class LocalWriter:
    """See ``ObjectWriter``. Batches are written and hashed in a thread while more arrives."""

    def __init__(
        self,
        *,
        key: str,
        temporary: Path,
        target: Path,
        threads: Threads,
        budget: WriteBudget,
        durable: bool,
        reserved_bytes: int,
        size_hint: int | None,
    ) -> None:
        self._key = key
        self._temporary = temporary
        self._target = target
        self._threads = threads
        self._budget = budget
        self._behind = WriteBehind(self._append, threads=threads, budget=budget)
        self._durable = durable
        self._reserved_bytes = reserved_bytes
        self._size_hint = size_hint or 0
        self._digest = Digest()
        self._file: GrowingFile | None = None
        self._written_back = 0
        self._closed = False
        self._published = False
        budget.writers += 1

    async def write(self, piece: bytes) -> None:
        """See ``ObjectWriter.write``."""
        await self._behind.write(piece)

    async def commit(self) -> Stored:
        """See ``ObjectWriter.commit``."""
        await self._behind.finish(self._publish)
        self._close()
        digest = self._digest
        return Stored(self._key, digest.size, digest.crc64nvme, digest.blake3)

    async def abort(self) -> None:
        """See ``ObjectWriter.abort``."""
        if self._closed:
            return
        self._close()
        # A cancelled caller must not leave its file behind.
        await asyncio.shield(self._let_go())

    async def _let_go(self) -> None:
        await self._behind.end()
        with contextlib.suppress(OSError, UnavailableError):  # what stays is swept as after a crash
            await asyncio.get_running_loop().run_in_executor(self._threads, self._discard)

    def _close(self) -> None:
        self._closed = True
        self._budget.writers -= 1

    def _opened(self) -> GrowingFile:
        if self._file is None:
            disk.make_folder(self._temporary.parent, durable=False)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            self._file = GrowingFile(
                os.open(self._temporary, flags, 0o600), past_cache=self._durable
            )
            self._check_room(self._file, self._size_hint)
        return self._file

    def _append(self, batch: Batch, *, whole: bool = False) -> None:
        file = self._opened()
        file.write(batch, whole=whole, feed=self._digest.update)
        pending = file.position - self._written_back
        if pending >= _WRITE_BACK_BYTES:
            self._check_room(file, 0)
            if self._durable:
                disk.start_write_back(file.descriptor, self._written_back, pending)
            self._written_back = file.position

    def _check_room(self, file: GrowingFile, more: int) -> None:
        disk.check_room(file.descriptor, reserved=self._reserved_bytes, more=more)

    def _publish(self, batch: Batch) -> None:
        self._append(batch, whole=True)
        file = self._opened()
        if self._durable:
            disk.sync_file(file.descriptor)
        file.close()
        self._file = None
        disk.rename(self._temporary, self._target, durable=self._durable)
        self._published = True

    def _discard(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        self._temporary.unlink(missing_ok=True)
        if self._published:
            # The caller was cancelled while it waited for the rename: it does not know of it.
            self._target.unlink(missing_ok=True)
