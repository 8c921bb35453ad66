"""The files of one sync, as its source has them."""

from collections import deque
from collections.abc import Iterator
from enum import Enum, auto
from itertools import islice
from typing import NamedTuple

from mediatheque.domain.errors import ConflictError
from mediatheque.domain.sync_plan import SourceEntry
from mediatheque.domain.syncs import MAX_KEY_BYTES
from mediatheque.services.sync_failure import SyncFailedError
from mediatheque.storage.beneath import Place
from mediatheque.storage.sorting import sort_entries
from mediatheque.storage.sources import SourceRoots
from mediatheque.storage.walk import Found, FoundKind

_BATCH = 1000


class Backslashes(Enum):
    """What becomes of a backslash in a path."""

    UNEXPECTED = auto()
    """It is not known yet that there are any."""
    KEPT = auto()
    MAPPED = auto()
    """The bucket would take it for a slash, so the key has a slash."""


class VanishedError(ConflictError):
    """Something was removed, renamed or replaced while it was looked at."""

    def __init__(self, place: Place) -> None:
        super().__init__(f"{shown(place.relative)} was removed, renamed or replaced meanwhile.")


class BackslashError(Exception):
    """A path has a backslash, and none was expected."""


class RefusedFile(NamedTuple):
    """A file that can have no object: its path below the source, its bytes, why in a sentence."""

    path: bytes
    size: int
    reason: str


class SourceReader:
    """Reads what is below a folder, once. ``batches`` may go on in another thread than the rest.

    ``refused`` has the files that can have no object, to be taken out while it goes on; ``files``
    counts these too, ``ignored`` what are no files. Nothing below ``left_out`` is mirrored; below
    ``new_prefix``, one of these, there must be no file.
    """

    def __init__(
        self,
        roots: SourceRoots,
        place: Place,
        *,
        left_out: tuple[bytes, ...],
        new_prefix: bytes | None,
        backslashes: Backslashes,
    ) -> None:
        self._roots = roots
        self._place = place
        self._left_out = left_out
        self._new_prefix = new_prefix
        self._backslashes = backslashes
        self._last_key: bytes | None = None
        self.refused: deque[RefusedFile] = deque()
        self.files = 0
        self.ignored = 0

    def batches(self) -> Iterator[list[SourceEntry]]:
        """Yield the files ordered by key, each key once, nothing of a missing folder. Blocks.

        Raises SyncFailedError when something cannot be read, VanishedError, BackslashError, and
        SourceError when the root is not there or the place is no folder.
        """
        if not self._roots.is_there(self._place):
            return
        if self._backslashes is Backslashes.MAPPED:
            yield from map(self._without_doubles, sort_entries(self._read()))
        else:
            yield from self._read()

    def _read(self) -> Iterator[list[SourceEntry]]:
        found = self._roots.walk(self._place, follow_links=False)
        while several := list(islice(found, _BATCH)):
            entries = []
            for each in several:
                if each.kind is FoundKind.FILE:
                    self.files += 1
                    entry = self._entry(each)
                    if entry is not None:
                        entries.append(entry)
                else:
                    self._note(each)
            yield entries

    def _note(self, found: Found) -> None:
        if found.kind is FoundKind.UNREADABLE:
            raise SyncFailedError(
                f"{shown(found.place.relative)} cannot be read, so nothing was changed or deleted; "
                "give the service permission to read it."
            )
        if found.kind is FoundKind.VANISHED:
            raise VanishedError(found.place)
        self.ignored += 1

    def _entry(self, found: Found) -> SourceEntry | None:
        relative = found.place.relative
        path = relative[len(self._place.relative) :].removeprefix(b"/")
        if not path:
            raise VanishedError(found.place)  # a moment ago it was a folder
        key = path
        if b"\\" in path and self._backslashes is not Backslashes.KEPT:
            if self._backslashes is Backslashes.UNEXPECTED:
                raise BackslashError
            key = path.replace(b"\\", b"/")
        reason = self._refusal(key)
        if reason is not None:
            self.refused.append(RefusedFile(path, found.size, f"{shown(path)} {reason}"))
            return None
        return SourceEntry(key, path, found.size, found.mtime_ns, found.ctime_ns, found.inode)

    def _refusal(self, key: bytes) -> str | None:
        if len(key) > MAX_KEY_BYTES:
            return f"has a path of {len(key)} bytes; the keys of S3 have at most {MAX_KEY_BYTES}."
        if not key.isascii() and not _is_utf8(key):
            return "has a name that is not UTF-8, as the keys of S3 must be; rename it."
        if self._new_prefix is not None and key.startswith(self._new_prefix):
            # Once there are backups, what lies below their prefix is no part of the mirror, ever.
            raise SyncFailedError(
                f"{shown(key)} is a file below the prefix of the backups, so nothing was done. "
                "Back up to a prefix that the source does not use."
            )
        if self._left_out and key.startswith(self._left_out):
            return "lies where the bucket keeps backups; move it, or back up to another prefix."
        return None

    def _without_doubles(self, entries: list[SourceEntry]) -> list[SourceEntry]:
        kept = []
        for entry in entries:
            if entry.key == self._last_key:
                reason = "has the key of another file in this bucket, which takes \\ for /."
                self.refused.append(
                    RefusedFile(entry.path, entry.size, f"{shown(entry.path)} {reason}")
                )
            else:
                kept.append(entry)
            self._last_key = entry.key
        return kept


def shown(path: bytes) -> str:
    """Return a path for people: what is not UTF-8 in it is escaped."""
    return path.decode(errors="backslashreplace") or "The uploads root"


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
