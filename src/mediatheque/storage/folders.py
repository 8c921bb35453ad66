"""Looking into one folder beneath a source root. All calls block."""

import heapq
import os
import stat
from dataclasses import dataclass

from mediatheque.storage.beneath import (
    Opener,
    Place,
    best_opener,
    held,
    open_place,
    raise_if_exhausted,
    stat_place,
)
from mediatheque.storage.sources import Reason, SourceError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY


@dataclass(frozen=True, slots=True)
class FolderEntry:
    """A folder, or a regular file of ``size`` bytes, last changed at ``mtime_ns`` since 1970."""

    place: Place
    is_folder: bool
    size: int
    mtime_ns: int

    @property
    def name(self) -> str:
        """Its name for people: what is not UTF-8 in it is replaced."""
        return self.place.name.decode(errors="replace")


def list_folder(place: Place, *, most: int) -> tuple[list[FolderEntry], bool]:
    """Return what is in a folder, folders first, and whether there is more than ``most``.

    What is neither folder nor file, and links that lead nowhere or out of the root, are left out.
    Raises SourceError, and UnavailableError when the process has no descriptor left.
    """
    opener = best_opener()
    try:
        with held(open_place(place, _FOLDER, opener)) as folder, os.scandir(folder) as entries:
            first = heapq.nsmallest(most + 1, entries, key=_before_looking)
    except OSError as error:
        raise_if_exhausted(error)
        reason = Reason.FILE if isinstance(error, NotADirectoryError) else Reason.UNREADABLE
        raise SourceError(place, reason, cause=error) from error
    looked_at = [_look(place.below(os.fsencode(one.name)), opener) for one in first[:most]]
    found = [entry for entry in looked_at if entry is not None]
    found.sort(key=lambda entry: (not entry.is_folder, entry.name.casefold(), entry.name))
    return found, len(first) > most


def _before_looking(entry: os.DirEntry[str]) -> tuple[bool, str, str]:
    """Return what to sort by as long as it is not known where links lead."""
    return not entry.is_dir(follow_symlinks=False), entry.name.casefold(), entry.name


def _look(place: Place, opener: Opener) -> FolderEntry | None:
    try:
        status = stat_place(place, opener)
    except OSError as error:
        raise_if_exhausted(error)
        return None
    is_folder = stat.S_ISDIR(status.st_mode)
    if not is_folder and not stat.S_ISREG(status.st_mode):
        return None
    return FolderEntry(place, is_folder, status.st_size, status.st_mtime_ns)
