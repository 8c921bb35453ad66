"""Looking for the folders and files that transfers and syncs may read."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mediatheque.domain.access import Principal
from mediatheque.domain.errors import ForbiddenError, InvalidError, NotFoundError
from mediatheque.storage.beneath import Place
from mediatheque.storage.folders import FolderEntry, list_folder
from mediatheque.storage.sources import Reason, SourceError, SourceRoots

MOST_ENTRIES = 1000

_GONE = {Reason.MISSING, Reason.DANGLING}


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder and what is in it; ``truncated`` when there is more than that.

    Without a ``place`` it is above all roots, and there are no entries.
    """

    place: Place | None
    roots: tuple[Path, ...]
    entries: list[FolderEntry]
    truncated: bool


class FolderService:
    """Looks into the folders below some roots."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = tuple(root.absolute() for root in roots)
        self._sources = SourceRoots(self._roots)

    async def look(self, _principal: Principal, path: str) -> Folder:
        """Return what is in the folder at an absolute path; the roots for an empty one.

        Raises InvalidError when it is no folder's path, NotFoundError when there is nothing, and
        ForbiddenError when it leads out of the roots or cannot be read.
        """
        if not path:
            return Folder(None, self._roots, [], truncated=False)
        return await asyncio.to_thread(self._look, path)

    def _look(self, path: str) -> Folder:
        if not path.startswith("/"):
            raise InvalidError("path must be absolute.", field="path")
        if ".." in path.split("/"):
            raise ForbiddenError("A path with '..' in it may lead out of the roots.", field="path")
        try:
            place = self._sources.locate(path)
            entries, truncated = list_folder(place, most=MOST_ENTRIES)
        except SourceError as error:
            raise _refusal(error) from error
        except InvalidError as error:
            roots = ", ".join(_shown(root) for root in self._roots) or "none is set"
            raise ForbiddenError(
                f"{path[:500]} is not below a folder that may be read: {roots}.", field="path"
            ) from error
        return Folder(place, self._roots, entries, truncated)


def _refusal(error: SourceError) -> NotFoundError | ForbiddenError | InvalidError:
    if error.reason in _GONE:
        return NotFoundError(error.detail, field="path")
    if error.reason in {Reason.FILE, Reason.SPECIAL}:
        return InvalidError(error.detail, field="path")
    return ForbiddenError(error.detail, field="path")


def _shown(path: Path) -> str:
    return os.fsencode(path).decode(errors="replace")
