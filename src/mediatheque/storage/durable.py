"""Making local writes survive a power cut: what ``fsync`` means on each platform."""

import ctypes
import errno
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from mediatheque.domain.errors import MediathequeError, StorageFullError, UnavailableError

_SYNC_FILE_RANGE_WRITE = 2
_FICLONE = 0x40049409
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

_libc = ctypes.CDLL(None, use_errno=True)
_sync_file_range = getattr(_libc, "sync_file_range", None)
if _sync_file_range is not None:
    _sync_file_range.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]


def clone(source: int, target: int) -> bool:
    """Let ``target`` share all blocks of ``source``, which copies nothing; tell whether it does.

    Linux on btrfs, XFS and others that can, within one file system; ``ioctl_ficlone(2)``.
    """
    if sys.platform != "linux":
        return False
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


def extents(descriptor: int, size: int) -> Iterator[tuple[int, int, bool]]:
    """Yield start, end and whether there are data, for all data and all holes before ``size``.

    A file system that knows no holes says that all are data; ``lseek(2)``. Raises OSError.
    """
    start = 0
    while start < size:
        try:
            data = min(os.lseek(descriptor, start, os.SEEK_DATA), size)
        except OSError as error:
            if error.errno != errno.ENXIO:  # "no data from here to the end"
                raise
            data = size
        if start < data:
            yield start, data, False
        if data < size:
            start = min(os.lseek(descriptor, data, os.SEEK_HOLE), size)
            yield data, start, True
        else:
            start = size


def check_room(descriptor: int, *, reserved: int, more: int) -> None:
    """Raise StorageFullError unless ``more`` bytes fit beside the ``reserved`` ones.

    ``descriptor`` is a file on the file system that is meant.
    """
    if reserved == 0 and more == 0:
        return
    free = free_bytes(descriptor)
    if free < reserved + more:
        raise StorageFullError(
            f"The disk has no room for this: of {free / 1e6:.0f} MB that are free on it "
            f"{reserved / 1e6:.0f} MB are kept free. Make room and try again."
        )


def start_write_back(descriptor: int, offset: int, length: int) -> None:
    """Ask the kernel to begin writing a range to disk, without waiting for it.

    It makes the final ``fsync`` short. A hint only, so a refusal does not matter and a platform
    without ``sync_file_range(2)`` does nothing.
    """
    if _sync_file_range is not None:
        _sync_file_range(descriptor, offset, length, _SYNC_FILE_RANGE_WRITE)


def sync_file(descriptor: int) -> None:
    """Return when the file's bytes are on stable storage. Raises OSError."""
    if sys.platform == "darwin":
        # macOS's fsync leaves the bytes in the drive's cache; see fsync(2) there.
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Return when the names in ``folder`` are on stable storage. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path, *, durable: bool) -> None:
    """Create ``folder`` and its missing parents, each durable in the one above it."""
    try:
        # Who made the one that is there may not have made it durable yet.
        folder.mkdir(mode=0o700, exist_ok=True)
    except FileNotFoundError:
        make_folder(folder.parent, durable=durable)
        folder.mkdir(mode=0o700, exist_ok=True)
    if durable:
        sync_folder(folder.parent)


def storage_error(error: OSError) -> MediathequeError:
    """Translate what the operating system said of a write into an answer for people."""
    if error.errno in _FULL:
        return StorageFullError("The store has no room left for this upload.")
    reason = error.strerror or type(error).__name__
    return UnavailableError(f"The store could not be written: {reason}.")


def reading_error(error: OSError) -> MediathequeError:
    """Translate what the operating system said of a read into an answer for people."""
    reason = error.strerror or type(error).__name__
    return UnavailableError(f"The store could not be read: {reason}. Try again later.")


def rename(source: Path, target: Path, *, durable: bool) -> None:
    """Give ``source`` the name ``target``, replacing what is there; durable when it returns.

    The target's folder may be removed by a delete of its last object at the same time, so it is
    made again when that happens.
    """
    for attempt in range(5):
        source.stat()  # raises before a folder is made for nothing
        make_folder(target.parent, durable=durable)
        try:
            source.rename(target)
            break
        except FileNotFoundError:
            if attempt == 4:
                raise
    if durable:
        sync_folder(target.parent)


def free_bytes(path: Path | int) -> int:
    """Return how many bytes an unprivileged writer can still put on the file system of ``path``."""
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize
