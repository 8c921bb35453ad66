"""Changing the files below one folder without ever passing a symbolic link. All calls block.

Nobody but us should write there; if somebody does, no link of his leads us out of it. Paths are
relative to the folder, without empty names, ``.`` and ``..``. Everything raises OSError.
"""

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from mediatheque.storage.beneath import O_LOOK, best_opener, held
from mediatheque.storage.durable import make_folder, sync_folder

_FOLDER = os.O_RDONLY | os.O_DIRECTORY
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
# Each lost race is another caller that got on, so losing this many in a row is no race.
_TRIES = 100
# ELOOP and EXDEV: a link, as the two openers say.
_NOWHERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV}


class FolderTree:
    """What is below ``root``, which may be missing. ``durable``: changes survive a power cut."""

    def __init__(self, root: Path, *, durable: bool) -> None:
        self._root = root
        self._durable = durable
        self._opener = best_opener()
        self._making = threading.Lock()

    def is_there(self) -> bool:
        """Tell whether the root is there, as a folder."""
        try:
            return stat.S_ISDIR(self._root.lstat().st_mode)
        except FileNotFoundError:
            return False

    def status(self, path: bytes) -> os.stat_result:
        """Return what a name in the tree is."""
        with held(self._open_root()) as root, held(self._open(root, path, O_LOOK)) as descriptor:
            return os.fstat(descriptor)

    def open_file(self, path: bytes) -> int:
        """Open a file for reading, without waiting for anything."""
        with held(self._open_root()) as root:
            return self._open(root, path, _READ)

    def link(self, path: bytes, target: Path) -> None:
        """Give a file a second name outside of the tree."""
        folder, _, name = path.rpartition(b"/")
        with held(self._open_root()) as root, held(self._open(root, folder, _FOLDER)) as parent:
            os.link(name, target, src_dir_fd=parent, follow_symlinks=False)

    def take(self, file: Path, path: bytes) -> None:
        """Move a file into the tree, replacing any other; it is visible and durable then.

        Raises NotADirectoryError or ELOOP when a file or a link is where a folder should be, and
        IsADirectoryError when a folder that holds any file is where this one should be.
        """
        folder, _, name = path.rpartition(b"/")
        for last in (False,) * (_TRIES - 1) + (True,):
            with held(self._open_root()) as root:
                try:
                    with held(self._make(root, folder)) as parent:
                        os.rename(file, name, dst_dir_fd=parent)
                        self._sync(parent)
                        return
                except FileNotFoundError:
                    # Its folder may have been removed with the last file in it.
                    if last or not file.exists():
                        raise
                except IsADirectoryError:
                    if last or not self._remove_empty(root, path):
                        raise

    def unlink(
        self, paths: Iterable[bytes], *, check: Callable[[], object] = lambda: None
    ) -> dict[bytes, OSError]:
        """Remove files, and the folders that they leave empty; one that is gone is fine.

        Calls ``check`` right before each, and raises what that raises. Returns why some of them
        could not be removed.
        """
        by_folder: dict[bytes, list[bytes]] = {}
        for path in paths:
            folder, _, name = path.rpartition(b"/")
            by_folder.setdefault(folder, []).append(name)
        refused: dict[bytes, OSError] = {}
        with held(self._open_root()) as root:
            for folder, names in by_folder.items():
                refused |= self._unlink_in(root, folder, names, check)
            self._remove_emptied(root, set(by_folder))
        return refused

    def make_root(self) -> bool:
        """Make the root, durably; False when something has its name already."""
        make_folder(self._root.parent, durable=self._durable)
        try:
            self._root.mkdir(mode=0o700)
        except FileExistsError:
            return False
        if self._durable:
            sync_folder(self._root.parent)
        return True

    def remove_root(self) -> bool:
        """Remove the root with the empty folders below it; False when there is anything else."""
        with held(self._open_root()) as root:
            if not _empty(root):
                return False
        try:
            self._root.rmdir()
        except OSError as error:
            if error.errno == errno.ENOTEMPTY:  # a new file
                return False
            raise
        if self._durable:
            sync_folder(self._root.parent)
        return True

    def _open_root(self) -> int:
        return os.open(self._root, _FOLDER | os.O_NOFOLLOW)

    def _open(self, folder: int, path: bytes, flags: int) -> int:
        return self._opener(folder, path or b".", flags, follow_links=False)

    def _make(self, root: int, folder: bytes) -> int:
        """Open a folder; it and those above it are made when they are missing."""
        # One at a time: a folder that another thread has just made may not be durable yet.
        with self._making:
            with contextlib.suppress(FileNotFoundError):
                return self._open(root, folder, _FOLDER)
            descriptor = os.dup(root)
            for name in folder.split(b"/"):
                with held(descriptor) as above:
                    try:
                        descriptor = self._open(above, name, _FOLDER)
                    except FileNotFoundError:
                        with contextlib.suppress(FileExistsError):
                            os.mkdir(name, 0o700, dir_fd=above)
                        self._sync(above)
                        descriptor = self._open(above, name, _FOLDER)
            return descriptor

    def _unlink_in(
        self, root: int, folder: bytes, names: list[bytes], check: Callable[[], object]
    ) -> dict[bytes, OSError]:
        start = folder + b"/" if folder else b""
        refused: dict[bytes, OSError] = {}
        try:
            with held(self._open(root, folder, _FOLDER)) as parent:
                for name in names:
                    check()
                    try:
                        os.unlink(name, dir_fd=parent)
                    except (FileNotFoundError, IsADirectoryError):
                        pass  # a folder is no object
                    except OSError as error:
                        refused[start + name] = error
                self._sync(parent)
        except OSError as error:
            if not is_nowhere(error):
                refused |= {start + name: error for name in names}
        return refused

    def _remove_emptied(self, root: int, folders: set[bytes]) -> None:
        """Remove those folders that have become empty, and what that empties above them."""
        for folder in sorted(folders, key=len, reverse=True):
            rest = folder
            while rest:
                rest, _, name = rest.rpartition(b"/")
                try:
                    with held(self._open(root, rest, _FOLDER)) as above:
                        os.rmdir(name, dir_fd=above)
                        self._sync(above)
                except OSError:  # not empty, or gone: it is only tidying up
                    break

    def _remove_empty(self, root: int, folder: bytes) -> bool:
        """Remove a folder and those in it; False when there is anything else."""
        above, _, name = folder.rpartition(b"/")
        with held(self._open(root, folder, _FOLDER)) as descriptor:
            if not _empty(descriptor):
                return False
        with held(self._open(root, above, _FOLDER)) as parent:
            os.rmdir(name, dir_fd=parent)
        return True

    def _sync(self, folder: int) -> None:
        if self._durable:
            os.fsync(folder)


def is_nowhere(error: OSError) -> bool:
    """Tell whether an error says that nothing can be at this path: no such name, or no folder.

    A link counts as nothing.
    """
    return error.errno in _NOWHERE


def _empty(folder: int) -> bool:
    """Remove all empty folders below one; tell whether nothing is left in it."""
    for _, folders, files, descriptor in os.fwalk(b".", topdown=False, dir_fd=folder):
        if files:
            return False
        for name in folders:
            try:
                os.rmdir(name, dir_fd=descriptor)
            except OSError as error:
                if error.errno in {errno.ENOTEMPTY, errno.ENOTDIR}:  # a new file, a link
                    return False
                raise
    return True
