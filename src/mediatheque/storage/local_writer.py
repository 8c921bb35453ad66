"""One object on its way into a folder.

Pieces are gathered into batches and each batch is written and hashed in a thread while the next
one arrives: hopping to a thread for every piece would cost more than writing it, and doing the
work on the event loop would keep every other request waiting.
"""

import asyncio
import contextlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mediatheque.storage import durable as disk
from mediatheque.storage.digest import Digest
from mediatheque.storage.growing_file import GrowingFile
from mediatheque.storage.stores import Stored

_BATCH_BYTES = 1 << 20
_WRITE_BACK_BYTES = 8 << 20


class WriteBudget:
    """Keeps the batches of all writers of one process together under ``total`` bytes.

    With few writers a batch is large and threads are cheap; with a hundred it is small.
    """

    def __init__(self, total: int) -> None:
        self.writers = 0
        self._total = total

    @property
    def batch_bytes(self) -> int:
        """How many bytes one writer may gather before it hands them to a thread."""
        return min(_BATCH_BYTES, self._total // max(1, self.writers))

    @property
    def crowded(self) -> bool:
        """Whether a writer should wait for its batch rather than gather the next meanwhile.

        With many writers there is always another one to receive for.
        """
        return self.batch_bytes < _BATCH_BYTES


class LocalWriter:
    """See ``ObjectWriter``. At most one batch is being written while one is being gathered."""

    def __init__(
        self,
        *,
        key: str,
        temporary: Path,
        target: Path,
        threads: ThreadPoolExecutor,
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
        self._durable = durable
        self._reserved_bytes = reserved_bytes
        self._size_hint = size_hint or 0
        self._digest = Digest()
        self._file: GrowingFile | None = None
        self._gathered: list[bytes] = []
        self._gathered_bytes = 0
        self._writing: asyncio.Future[None] | None = None
        self._written_back = 0
        self._closed = False
        self._published = False
        budget.writers += 1

    async def write(self, piece: bytes) -> None:
        """See ``ObjectWriter.write``."""
        self._gathered.append(piece)
        self._gathered_bytes += len(piece)
        if self._gathered_bytes >= self._budget.batch_bytes:
            await self._finish_batch()
            batch, self._gathered, self._gathered_bytes = self._gathered, [], 0
            self._writing = self._in_thread(batch)
            del batch, piece
            if self._budget.crowded:
                await self._finish_batch()

    async def commit(self) -> Stored:
        """See ``ObjectWriter.commit``."""
        await self._finish_batch()
        self._writing = asyncio.get_running_loop().run_in_executor(self._threads, self._publish)
        await self._finish_batch()
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
        if self._writing is not None:
            await asyncio.wait([self._writing])
            self._writing.exception()
        with contextlib.suppress(OSError):  # what stays is swept as after a crash
            await asyncio.get_running_loop().run_in_executor(self._threads, self._discard)

    def _close(self) -> None:
        self._closed = True
        self._gathered = []
        self._budget.writers -= 1

    def _in_thread(self, batch: Sequence[bytes]) -> asyncio.Future[None]:
        return asyncio.get_running_loop().run_in_executor(self._threads, self._append, batch)

    async def _finish_batch(self) -> None:
        if self._writing is None:
            return
        try:
            # A cancelled caller must not lose sight of a thread that holds the descriptor.
            await asyncio.shield(self._writing)
        except OSError as error:
            raise disk.storage_error(error) from error
        self._writing = None

    def _opened(self) -> GrowingFile:
        if self._file is None:
            disk.make_folder(self._temporary.parent, durable=False)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            self._file = GrowingFile(
                os.open(self._temporary, flags, 0o600), past_cache=self._durable
            )
            self._check_room(self._file, self._size_hint)
        return self._file

    def _append(self, batch: Sequence[bytes], *, whole: bool = False) -> None:
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

    def _publish(self) -> None:
        self._append(self._gathered, whole=True)
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
