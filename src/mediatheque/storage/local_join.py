"""Making one file of an intake's segments in the kernel, which shares their blocks where it can."""

import contextlib
import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

from mediatheque.domain.intakes import NO_BYTES_CRC64NVME, Intake, Segment
from mediatheque.storage import durable as disk
from mediatheque.storage.digest import RunningCrc
from mediatheque.storage.intakes import lost

_STEP_BYTES = 64 << 20
_READ_BYTES = 1 << 20
_CANNOT = {errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM}


class LocalJoin:
    """Puts the acknowledged bytes of ``intake`` into one new file.

    ``path_of`` tells the file of a key. All calls block.
    """

    def __init__(
        self,
        intake: Intake,
        *,
        path_of: Callable[[str], Path],
        durable: bool,
        reserved_bytes: int,
    ) -> None:
        self._intake = intake
        self._path_of = path_of
        self._durable = durable
        self._reserved_bytes = reserved_bytes

    def copy_to(self, staged: Path, target: Path) -> bool:
        """Make the file as ``staged``, and give it the name ``target`` once it is durable.

        Returns False when the kernel cannot; ``copy_file_range(2)``. Raises ConflictError when
        bytes are gone or not what they were, StorageFullError, OSError.
        """
        if sys.platform != "linux":
            return False
        disk.make_folder(staged.parent, durable=False)  # left by the file before it counts
        descriptor = os.open(staged, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            # Also where blocks are shared, which a file system does not promise.
            disk.check_room(descriptor, reserved=self._reserved_bytes, more=self._intake.size)
            if not self._copied(descriptor):
                return False
            self._verify(descriptor)
            if self._durable:
                disk.sync_file(descriptor)
            disk.rename(staged, target, durable=self._durable)
        finally:
            os.close(descriptor)
            staged.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # not empty: the intake's own files are there
                staged.parent.rmdir()
        return True

    def _copied(self, descriptor: int) -> bool:
        try:
            for segment in self._intake.segments:
                self._copy(segment, descriptor)
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
            return False
        return True

    def _copy(self, segment: Segment, descriptor: int) -> None:
        try:
            source = os.open(self._path_of(segment.object_key), os.O_RDONLY)
        except FileNotFoundError as error:
            raise lost(self._intake) from error
        try:
            position = 0
            while position < segment.size:
                step = min(_STEP_BYTES, segment.size - position)
                count = os.copy_file_range(source, descriptor, step, offset_src=position)
                if count == 0:
                    raise lost(self._intake)
                position += count
        finally:
            os.close(source)

    def _verify(self, descriptor: int) -> None:
        """Compare the checksum, mostly of what is in memory still."""
        crc = RunningCrc(NO_BYTES_CRC64NVME)
        position = 0
        while piece := os.pread(descriptor, _READ_BYTES, position):
            crc.update(piece)
            position += len(piece)
        if position != self._intake.size or crc.value != self._intake.crc64nvme:
            raise lost(self._intake)
