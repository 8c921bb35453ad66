"""What files look like, by which it is told whether they were changed or replaced."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime

_MOST = (1 << 63) - 1
_INODE_BITS = _MOST


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a file looked like: size in bytes, times in nanoseconds since 1970, identity.

    All but ``device`` fit in a signed column of a database: an inode's number is told without its
    highest bit, and times before 1678 and after 2262 are those of the nearest of these years.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int


def fingerprint(status: os.stat_result) -> Fingerprint:
    """Return what the file of a ``status`` looks like."""
    return Fingerprint(
        size=status.st_size,
        mtime_ns=_within(status.st_mtime_ns),
        ctime_ns=_within(status.st_ctime_ns),
        inode=status.st_ino & _INODE_BITS,
        device=status.st_dev,
    )


def calendar_time(nanoseconds: int) -> datetime | None:
    """Return a file's time; None for one that no calendar of ours has, or no fingerprint."""
    if abs(nanoseconds) == _MOST:
        return None
    try:
        return datetime.fromtimestamp(nanoseconds / 1e9, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _within(nanoseconds: int) -> int:
    return max(-_MOST, min(nanoseconds, _MOST))
