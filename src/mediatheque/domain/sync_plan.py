"""What a sync does with one key, decided from what is known of it in three places."""

from enum import Enum, auto
from typing import NamedTuple


class SourceEntry(NamedTuple):
    """A file of the source: its key, its path relative to the source, what it looks like.

    ``size`` in bytes, times in nanoseconds since 1970.
    """

    key: bytes
    path: bytes
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class BucketEntry(NamedTuple):
    """An object of the bucket. ``size`` in bytes; ``etag`` without quotes, opaque."""

    key: bytes
    size: int
    etag: str


class Remembered(NamedTuple):
    """What was last known of a key: the object, and the file that had the same content.

    ``blake3`` of the content, 64 hexadecimal digits. ``uploaded``: by this service. A ``ctime_ns``
    of 0 says that the file changed too recently for its times to tell of the next change.
    """

    key: bytes
    size: int
    etag: str
    mtime_ns: int
    ctime_ns: int
    inode: int
    blake3: str
    uploaded: bool


class Verdict(Enum):
    """What is to be done about a key."""

    SKIP = auto()
    """Source and object are the same."""
    UPLOAD = auto()
    UPDATE = auto()
    DELETE = auto()
    REHASH = auto()
    """The object is what was remembered, the file may not be: its digest decides."""
    COMPARE = auto()
    """Nothing is known of the object's content: it decides."""
    FORGET = auto()
    """Neither is there any more."""


def judge(
    source: SourceEntry | None,
    stored: BucketEntry | None,
    remembered: Remembered | None,
    *,
    verify: bool,
) -> Verdict:
    """Return what is to be done about a key that is known in at least one of the three places.

    ``verify``: a file that looks unchanged is read all the same.
    """
    if source is None:
        return Verdict.FORGET if stored is None else Verdict.DELETE
    if stored is None:
        return Verdict.UPLOAD
    if source.size != stored.size:
        return Verdict.UPDATE
    if remembered is None or not is_same_object(stored, remembered):
        return Verdict.COMPARE
    if verify or not looks_unchanged(source, remembered):
        return Verdict.REHASH
    return Verdict.SKIP


def is_same_object(stored: BucketEntry, remembered: Remembered) -> bool:
    """Tell whether the object is the one that was remembered."""
    return stored.etag == remembered.etag and stored.size == remembered.size


def is_owned(stored: BucketEntry, remembered: Remembered | None) -> bool:
    """Tell whether the object was uploaded by this service, and not replaced since."""
    return remembered is not None and remembered.uploaded and is_same_object(stored, remembered)


def looks_unchanged(source: SourceEntry, remembered: Remembered) -> bool:
    """Tell whether the file is surely the one that was remembered.

    The device is left out: its number changes when a file system is mounted anew.
    """
    return (
        source.size == remembered.size
        and source.mtime_ns == remembered.mtime_ns
        and source.ctime_ns == remembered.ctime_ns
        and source.inode == remembered.inode
    )


_TICK_NS = 20_000_000
_COARSE_TICK_NS = 2_000_000_000


def settled_ctime(ctime_ns: int, now_ns: int) -> int:
    """Return the ctime to remember: 0 when the file may change again without its times telling.

    A write within one tick of the file system's clock leaves the times as they are ("racy git",
    Documentation/technical/racy-git in Git's source). Kernels tick every 10 ms or faster; times
    of whole seconds belong to a file system that keeps only those, or two of them (FAT). Every
    write moves the ctime, and nobody can put it elsewhere: the mtime has nothing to add.
    """
    coarse = ctime_ns % 1_000_000_000 == 0
    tick = _COARSE_TICK_NS if coarse else _TICK_NS
    return 0 if now_ns - ctime_ns < tick else ctime_ns
