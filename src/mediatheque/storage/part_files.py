"""Parts that wait on the local disk for the rest of their bytes, in files that have no names."""

import mmap
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from mediatheque.domain.errors import UnavailableError
from mediatheque.domain.intakes import NO_BYTES_CRC64NVME
from mediatheque.storage import durable as disk
from mediatheque.storage.digest import RunningCrc
from mediatheque.storage.threads import Threads, in_thread

_THREADS = 4


class PartFiles:
    """Makes such files in ``folder``, which is made when it is first needed.

    ``reserved_bytes`` of that disk stay free.
    """

    def __init__(self, folder: Path, *, reserved_bytes: int) -> None:
        self._folder = folder
        self._reserved_bytes = reserved_bytes
        self._threads = Threads(_THREADS, thread_name_prefix="part-files")

    async def make(self, size: int) -> "PartFile":
        """Return a file that has ``size`` bytes of the disk.

        Raises OSError, StorageFullError or UnavailableError when it cannot be had.
        """
        made: list[PartFile] = []
        try:
            # Kept where it is found even when whoever waits for it is cancelled.
            await in_thread(self._threads, lambda: made.append(self._make(size)))
        except BaseException:
            for file in made:
                file.release()
            raise
        return made[0]

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()

    def _make(self, size: int) -> "PartFile":
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self._folder, buffering=0) as file:
            disk.check_room(file.fileno(), reserved=self._reserved_bytes, more=size)
            if hasattr(os, "posix_fallocate"):  # macOS has none: there writing may fail
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                os.ftruncate(file.fileno(), size)
            return PartFile(os.dup(file.fileno()), size, self._threads)


class PartFile:
    """One file of ``size`` bytes. See ``Place``.

    The kernel writes it to disk when it needs memory, and what it reads from there again may be
    something else: so what was put there is compared when it is read.
    """

    def __init__(self, descriptor: int, size: int, threads: Threads) -> None:
        self.size = size
        self._descriptor = descriptor
        self._threads = threads
        self._runs: list[_Run] = []

    async def keep(self, position: int, piece: memoryview) -> None:
        """See ``Place.keep``. Raises StorageFullError and UnavailableError, too."""
        try:
            await in_thread(self._threads, lambda: self._write(position, piece))
        except OSError as error:
            raise disk.storage_error(error) from error

    def content(self) -> memoryview:
        """See ``Place.content``: reads all of it. Raises UnavailableError when some was lost."""
        content = self._mapped()
        for run in self._runs:
            crc = RunningCrc(NO_BYTES_CRC64NVME)
            crc.update(content[run.start : run.end])
            if crc.value != run.crc.value:
                raise UnavailableError(
                    "The local disk lost bytes that waited on it for the store. Try again: what "
                    "was acknowledged is safe."
                )
        return content

    def pass_on(self) -> memoryview:
        """See ``Place.pass_on``."""
        try:
            return self._mapped()
        finally:
            self.release()

    def release(self) -> None:
        """See ``Place.release``: what is mapped stays for as long as somebody looks at it."""
        os.close(self._descriptor)

    def _mapped(self) -> memoryview:
        # Only now, as it takes another descriptor.
        try:
            return memoryview(mmap.mmap(self._descriptor, self.size, prot=mmap.PROT_READ))
        except OSError as error:
            raise disk.storage_error(error) from error

    def _write(self, position: int, piece: memoryview) -> None:
        written = 0
        while written < len(piece):
            written += os.pwrite(self._descriptor, piece[written:], position + written)
        self._count(position, piece)

    def _count(self, position: int, piece: memoryview) -> None:
        run = next((run for run in self._runs if run.end == position), None)
        if run is None:
            run = _Run(position, position, RunningCrc(NO_BYTES_CRC64NVME))
            self._runs.append(run)
        run.crc.update(piece)
        run.end += len(piece)


@dataclass(slots=True)
class _Run:
    """Pieces that were put one behind the other, and the checksum of them."""

    start: int
    end: int
    crc: RunningCrc
