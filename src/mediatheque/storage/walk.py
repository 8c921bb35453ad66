"""Walking everything below a source folder, while other people may be changing it. All calls block.

No symbolic link to a folder is ever followed, so a walk ends, and a folder that is swapped for a
link during the walk leads nowhere.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from mediatheque.storage.beneath import (
    Opener,
    Place,
    held,
    open_place,
    raise_if_exhausted,
    stat_place,
)
from mediatheque.storage.fingerprints import fingerprint
from mediatheque.storage.sorting import sort_entries

NAMES_IN_MEMORY = 100_000
"""How many names of one folder are held in memory while it is listed; more are sorted on disk."""

_LISTED_AT_ONCE = 1000
_FOLDER = os.O_RDONLY | os.O_DIRECTORY
_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


class FoundKind(StrEnum):
    """What a walk came upon."""

    FILE = "file"
    """A regular file, or a link to one beneath the root."""
    LINK = "link"
    """A symbolic link that was not looked at, because links are not followed."""
    LINK_TO_FOLDER = "link_to_folder"
    DANGLING = "dangling"
    """A link that leads nowhere, or in a circle."""
    OUTSIDE = "outside"
    """A link that leaves the root, or may."""
    SPECIAL = "special"
    """A FIFO, socket or device, or a link to one."""
    UNREADABLE = "unreadable"
    """Nothing is known about it, and if it is a folder, about what is in it."""
    VANISHED = "vanished"
    """It was there a moment ago: removed, renamed or replaced during the walk."""


_PROBLEMS = {
    FoundKind.LINK: "is a symbolic link",
    FoundKind.LINK_TO_FOLDER: "is a link to a folder; such links are not followed",
    FoundKind.DANGLING: "is a link that leads nowhere",
    FoundKind.OUTSIDE: "is a link that leaves its source root, or may leave it",
    FoundKind.SPECIAL: "is a pipe, socket or device, not a file",
    FoundKind.UNREADABLE: "cannot be read; give the service permission to read it",
    FoundKind.VANISHED: "was removed, renamed or replaced while the folder was read",
}


@dataclass(frozen=True, slots=True)
class Found:
    """One entry of a walk. What follows its kind means something for a file only.

    ``size`` in bytes, times in nanoseconds since 1970; ``inode`` is the lower 63 bits of it.
    """

    place: Place
    kind: FoundKind
    size: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    inode: int = 0

    @property
    def problem(self) -> str | None:
        """Why this cannot be read as a file, in a sentence; None for a file."""
        if self.kind is FoundKind.FILE:
            return None
        return f"{self.place.text} {_PROBLEMS[self.kind]}."


class _Names:
    """The names in a folder that are still to come, in order; folders end with a slash."""

    def __init__(self, batches: Iterator[list[bytes]]) -> None:
        self._batches = batches
        self._batch: list[bytes] = []  # last first
        self._refill()

    def __bool__(self) -> bool:
        return bool(self._batch)

    def pop(self) -> bytes:
        """Take the next name."""
        name = self._batch.pop()
        if not self._batch:
            self._refill()
        return name

    def _refill(self) -> None:
        self._batch = next(self._batches, [])[::-1]


@dataclass(slots=True)
class _Folder:
    """A folder on the way: its path below the start, empty or ending with a slash.

    ``names`` is None before they were listed.
    """

    path: bytes
    names: _Names | None = None


def walk(
    place: Place,
    opener: Opener,
    *,
    follow_links: bool = True,
    names_in_memory: int = NAMES_IN_MEMORY,
    entering: Callable[[], object] = lambda: None,
) -> Iterator[Found]:
    """Yield everything at or below ``place`` that is not a folder, ordered by the path's bytes.

    What cannot be read is yielded as such, never raised, and the walk goes on. Without
    ``follow_links`` every link below ``place`` is a LINK, wherever it leads; ``place`` itself may
    be one, because somebody named it. One folder's names per level are held in memory, or in a
    temporary file when there are more than ``names_in_memory``, and three descriptors however
    deep it goes. Calls ``entering`` before each folder, and raises what that raises. Raises
    UnavailableError when the process has no descriptor left, and StorageFullError when there is no
    room for a temporary file.
    """
    try:
        status = stat_place(place, opener)
        start = open_place(place, _FOLDER, opener) if stat.S_ISDIR(status.st_mode) else None
    except OSError as error:
        yield Found(place, _kind_of(error, gone=FoundKind.VANISHED))
        return
    if start is None:
        yield _found(place, status)
        return
    with held(start):
        yield from _walk_below(
            place,
            start,
            opener,
            follow_links=follow_links,
            names_in_memory=names_in_memory,
            entering=entering,
        )


def _walk_below(
    place: Place,
    start: int,
    opener: Opener,
    *,
    follow_links: bool,
    names_in_memory: int,
    entering: Callable[[], object],
) -> Iterator[Found]:
    folders = [_Folder(b"")]
    while folders:
        entering()
        folder = folders.pop()
        try:
            # Opened anew after each folder in it: one descriptor per level would run out of them.
            descriptor = opener(start, folder.path or b".", _FOLDER, follow_links=False)
        except OSError as error:
            kind = _kind_of(error, gone=FoundKind.VANISHED)
            yield Found(_place_of(place, folder), kind)
            continue
        with held(descriptor):
            try:
                names = _list(descriptor, names_in_memory) if folder.names is None else folder.names
            except OSError as error:
                kind = _kind_of(error, gone=FoundKind.VANISHED)
                yield Found(_place_of(place, folder), kind)
                continue
            while names:
                name = names.pop()
                path = folder.path + name
                if name.endswith(b"/"):
                    if names:
                        folders.append(_Folder(folder.path, names))
                    folders.append(_Folder(path))
                    break
                yield _look(place.below(path), name, descriptor, opener, follow_links=follow_links)


def _place_of(start: Place, folder: _Folder) -> Place:
    return start.below(folder.path[:-1]) if folder.path else start


def _list(descriptor: int, names_in_memory: int) -> _Names:
    return _Names(sort_entries(_read_names(descriptor), run_entries=names_in_memory))


def _read_names(descriptor: int) -> Iterator[list[bytes]]:
    # With its slash a folder sorts where its content belongs: a.txt before a/x before a0.
    with os.scandir(descriptor) as entries:
        while batch := [
            os.fsencode(entry.name) + (b"/" if _is_folder(entry) else b"")
            for entry in islice(entries, _LISTED_AT_ONCE)
        ]:
            yield batch


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False  # its kind needs a stat that is refused; looking at it will say so


def _look(place: Place, name: bytes, folder: int, opener: Opener, *, follow_links: bool) -> Found:
    gone = FoundKind.VANISHED
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            return Found(place, FoundKind.VANISHED)
        if stat.S_ISLNK(status.st_mode):
            if not follow_links:
                return Found(place, FoundKind.LINK)
            gone = FoundKind.DANGLING
            status = stat_place(place, opener)
    except OSError as error:
        return Found(place, _kind_of(error, gone=gone))
    return _found(place, status)


def _found(place: Place, status: os.stat_result) -> Found:
    if stat.S_ISREG(status.st_mode):
        looks = fingerprint(status)
        return Found(place, FoundKind.FILE, looks.size, looks.mtime_ns, looks.ctime_ns, looks.inode)
    if stat.S_ISDIR(status.st_mode):
        return Found(place, FoundKind.LINK_TO_FOLDER)
    return Found(place, FoundKind.SPECIAL)


def _kind_of(error: OSError, *, gone: FoundKind) -> FoundKind:
    raise_if_exhausted(error)
    if error.errno == errno.EXDEV:
        return FoundKind.OUTSIDE
    return gone if error.errno in _GONE else FoundKind.UNREADABLE
