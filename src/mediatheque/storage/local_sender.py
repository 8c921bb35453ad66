"""One file of this machine on its way into a folder."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from mediatheque.storage import durable as disk
from mediatheque.storage.digest import Digest
from mediatheque.storage.part_buffers import anonymous_pages
from mediatheque.storage.sending import (
    READ_BYTES,
    Sending,
    Source,
    SourceChangedError,
    check_unchanged,
    read_source,
)
from mediatheque.storage.stores import Stored

_WRITE_BACK_BYTES = 8 << 20
_BLOCK_BYTES = 512  # the unit of st_blocks, whatever the file system's own


class LocalSender:
    """Copies ``source`` to ``temporary`` and publishes that; see ``Store.send_file``. Blocks.

    ``publish`` gives the file, which is whole and durable, the name under which it is seen.

    Where the file system can, the copy shares the source's blocks and only the digest reads it.
    Elsewhere one buffer is read, digested and written, so that the digest is of the very bytes
    that are stored. ``copy_file_range(2)`` would have to be followed by a reading of the copy:
    1.5 times the CPU time per GiB, on ext4. Holes stay holes.
    """

    def __init__(
        self,
        *,
        source: Source,
        sending: Sending,
        key: str,
        temporary: Path,
        publish: Callable[[Path], None],
        durable: bool,
        reserved_bytes: int,
    ) -> None:
        self._source = source
        self._sending = sending
        self._key = key
        self._temporary = temporary
        self._publish = publish
        self._durable = durable
        self._reserved_bytes = reserved_bytes
        self._digest = Digest()
        self._written_back = 0

    def send(self) -> Stored:
        """Return when the object is durable and visible. Raises what ``Store.send_file`` does."""
        try:
            disk.make_folder(self._temporary.parent, durable=False)
            descriptor = os.open(self._temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                self._copy(descriptor)
                check_unchanged(self._source)
                if self._durable:
                    disk.sync_file(descriptor)
            finally:
                os.close(descriptor)
            self._publish(self._temporary)
        except OSError as error:
            self._discard()
            raise disk.storage_error(error) from error
        except BaseException:
            self._discard()
            raise
        digest = self._digest
        return Stored(self._key, digest.size, digest.crc64nvme, digest.blake3)

    def _copy(self, target: int) -> None:
        size = self._source.size
        cloned = disk.clone(self._source.descriptor, target)
        if cloned:
            if os.fstat(target).st_size != size:
                raise SourceChangedError
        else:
            allocated = os.fstat(self._source.descriptor).st_blocks * _BLOCK_BYTES
            disk.check_room(target, reserved=self._reserved_bytes, more=min(size, allocated))
            os.ftruncate(target, size)
        buffer = memoryview(anonymous_pages(READ_BYTES))
        zeros = memoryview(anonymous_pages(READ_BYTES))
        origin = target if cloned else self._source.descriptor
        for start, end, has_data in disk.extents(origin, size):
            position = start
            while position < end:
                count = min(self._sending.pace.step(READ_BYTES), end - position)
                self._sending.pace.wait(count if has_data else 0, self._sending.stop)
                piece = (buffer if has_data else zeros)[:count]
                if has_data:
                    read_source(origin, position, piece)
                self._digest.update(piece)
                if has_data and not cloned:
                    self._write(target, piece, position)
                position += count
                self._sending.advanced(count)

    def _write(self, target: int, piece: memoryview, offset: int) -> None:
        while piece:
            count = os.pwrite(target, piece, offset)
            piece, offset = piece[count:], offset + count
        if offset - self._written_back >= _WRITE_BACK_BYTES:
            disk.check_room(target, reserved=self._reserved_bytes, more=0)
            if self._durable:
                disk.start_write_back(target, self._written_back, offset - self._written_back)
            self._written_back = offset

    def _discard(self) -> None:
        with contextlib.suppress(OSError):
            self._temporary.unlink(missing_ok=True)
