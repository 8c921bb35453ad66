"""The local files that transfers read: where a client's text leads, and safe reading. All block."""

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Self
from urllib.parse import unquote_to_bytes

from mediatheque.domain.errors import InvalidError
from mediatheque.storage.beneath import (
    O_LOOK,
    Opener,
    Place,
    best_opener,
    held,
    open_place,
    raise_if_exhausted,
    stat_place,
)
from mediatheque.storage.fingerprints import fingerprint
from mediatheque.storage.walk import Found, walk

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY


class Reason(StrEnum):
    """Why a source cannot be read."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    OUTSIDE = "outside"
    SPECIAL = "special"
    FOLDER = "folder"
    FILE = "file"
    DANGLING = "dangling"


_REASONS = {
    errno.ENOENT: Reason.MISSING,
    errno.ENOTDIR: Reason.MISSING,
    errno.ENAMETOOLONG: Reason.MISSING,
    errno.ELOOP: Reason.MISSING,
    errno.EXDEV: Reason.OUTSIDE,
    errno.ENXIO: Reason.SPECIAL,
}


class SourceError(InvalidError):
    """A source cannot be read as what was asked for, for the ``reason`` given."""

    def __init__(self, place: Place, reason: Reason, *, cause: OSError | None = None) -> None:
        super().__init__(_sentence(place, reason, cause))
        self.place = place
        self.reason = reason


class SourceFile:
    """A regular file, open for reading. Close it, or use it as a context manager.

    ``fingerprint`` is what it looked like when it was opened.
    """

    def __init__(self, descriptor: int, status: os.stat_result) -> None:
        self.descriptor = descriptor
        self.fingerprint = fingerprint(status)

    @property
    def size(self) -> int:
        """Its size in bytes when it was opened."""
        return self.fingerprint.size

    def changed(self) -> bool:
        """Tell whether the file is another than when it was opened: what was read may be torn.

        False for a file that was removed or replaced by a rename and is otherwise as it was: the
        descriptor keeps the old content whole. A write within one tick of the kernel's clock
        (milliseconds, before Linux 6.13) before the file was opened can hide one just after it.
        """
        status = os.fstat(self.descriptor)
        now = fingerprint(status)
        then = self.fingerprint
        if status.st_nlink == 0:  # removing the name changed ctime, so ctime says nothing more
            return (now.size, now.mtime_ns) != (then.size, then.mtime_ns)
        return now != then

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class SourceRoots:
    """The folders below which sources may be read: the operator's setting ``source_roots``.

    ``opener`` decides how they are kept: the kernel's way by default where there is one. Without
    it, every symbolic link and every ``..`` below a root is refused.
    """

    def __init__(self, roots: Sequence[Path], *, opener: Opener | None = None) -> None:
        self._roots = tuple(root.absolute() for root in roots)
        self._opener = opener or best_opener()

    def locate(self, text: str) -> Place:
        """Return the place that a client means: an absolute path, or a ``file:///`` URI.

        Percent-encoded bytes of a URI are taken as they are, ``?`` and ``#`` as parts of names; a
        path is taken literally. Raises InvalidError when the text names nothing below a root, and
        SourceError, which is one, when what it names is not there or cannot be reached.
        """
        if not self._roots:
            raise InvalidError(
                "No folder may be read yet: set MEDIATHEQUE_SOURCE_ROOTS to the folders that "
                "transfers may read, and start the service again."
            )
        place = self._named(_parse(text))
        try:
            stat_place(place, self._opener)
        except OSError as error:
            raise _source_error(place, error) from error
        return place

    def open(self, place: Place) -> SourceFile:
        """Open a file for reading; nothing but a regular file is ever opened, so nothing blocks.

        Raises SourceError, and UnavailableError when the process has no descriptor left.
        """
        try:
            # Opening a FIFO or a device, even without waiting, can have effects: look first.
            _check_regular(place, stat_place(place, self._opener))
            descriptor = open_place(place, _READ, self._opener)
        except OSError as error:
            raise _source_error(place, error) from error
        try:
            status = os.fstat(descriptor)
            _check_regular(place, status)  # another thing may have taken the name since
        except BaseException:
            os.close(descriptor)
            raise
        return SourceFile(descriptor, status)

    def walk(
        self,
        place: Place,
        *,
        follow_links: bool = True,
        entering: Callable[[], object] = lambda: None,
    ) -> Iterator[Found]:
        """Yield everything at or below a place that is not a folder; see ``walk.walk``."""
        return walk(place, self._opener, follow_links=follow_links, entering=entering)

    def place(self, relative: bytes) -> Place:
        """Return the place of a path below the first root; whether it is there is not asked."""
        return Place(self._roots[0], relative)

    def is_there(self, place: Place) -> bool:
        """Tell whether a folder is there, and can be listed; False when nothing has this name.

        Never takes what cannot be seen for missing: raises SourceError when the root is not there
        or cannot be listed, for a link that leads nowhere, for anything else that cannot be looked
        at, and for what is no folder. Raises UnavailableError as ``open`` does.
        """
        with held(_open_root(place.root)) as root:
            try:
                self._check_listable(root, place)
            except OSError as error:
                found = _source_error(place, error)
                if found.reason is not Reason.MISSING:
                    raise found from error
                if self._has_dead_link(root, place.relative):
                    raise SourceError(place, Reason.DANGLING, cause=error) from error
                return False
        return True

    def is_file(self, folder: Place, path: bytes) -> bool:
        """Tell whether there is, or may be, a file at ``path`` below a folder, no link on its way.

        Raises SourceError when the root itself is not there or cannot be listed.
        """
        flags = O_LOOK | os.O_NOFOLLOW
        with held(_open_root(folder.root)) as root:
            try:
                start = self._opener(root, folder.relative or b".", _FOLDER, follow_links=True)
                with (
                    held(start),
                    held(self._opener(start, path, flags, follow_links=False)) as looked_at,
                ):
                    return stat.S_ISREG(os.fstat(looked_at).st_mode)
            except OSError as error:
                return _source_error(folder.below(path), error).reason is Reason.UNREADABLE

    def _check_listable(self, root: int, place: Place) -> None:
        path = place.relative or b"."
        with held(self._opener(root, path, O_LOOK, follow_links=True)) as looked_at:
            _check_folder(place, os.fstat(looked_at))
        os.close(self._opener(root, path, _FOLDER, follow_links=True))

    def _has_dead_link(self, root: int, relative: bytes) -> bool:
        """Tell whether a path that leads nowhere does so because of a link on its way."""
        names = relative.split(b"/")
        for count in range(1, len(names) + 1):
            path = b"/".join(names[:count])
            try:
                os.close(self._opener(root, path, O_LOOK, follow_links=True))
            except OSError:
                return self._is_link(root, path)
        return False

    def _is_link(self, root: int, path: bytes) -> bool:
        try:
            with held(self._opener(root, path, O_LOOK | os.O_NOFOLLOW, follow_links=True)) as link:
                return stat.S_ISLNK(os.fstat(link).st_mode)
        except OSError as error:
            return error.errno == errno.ELOOP  # the answer where O_PATH is unknown

    def _named(self, path: bytes) -> Place:
        """Find the root that a path names, by the root's own path or its real one.

        Only the choice of the root compares strings; whether the rest stays below it is for the
        opener to say.
        """
        for named in (os.fsencode, os.path.realpath):
            for root in sorted(self._roots, key=lambda root: len(root.parts), reverse=True):
                prefix = os.fsencode(named(root)).rstrip(b"/") + b"/"
                if (path + b"/").startswith(prefix):
                    return Place(root, path[len(prefix) :])
        raise InvalidError(
            f"{_printable(path)} is not below a folder that transfers may read: "
            f"{', '.join(_printable(os.fsencode(root)) for root in self._roots)}."
        )


def _parse(text: str) -> bytes:
    """Return the absolute path that a text means, without empty and ``.`` names."""
    if not text:
        raise InvalidError("The path is empty. Give an absolute path, or a file:/// URI.")
    try:
        path = os.fsencode(text)
    except UnicodeEncodeError as error:
        raise InvalidError(
            "The path has characters that no file name has. Give its exact bytes "
            "percent-encoded in a file:/// URI."
        ) from error
    scheme = _SCHEME.match(text)
    if scheme and scheme[1].lower() != "file":
        raise InvalidError(f"{scheme[1]}: URIs cannot be read yet; use file:///.")
    if scheme:
        path = unquote_to_bytes(_without_host(path[len(scheme[0]) :]))
    if not path.startswith(b"/"):
        raise InvalidError(
            f"{_printable(path)} is a relative path. Give an absolute path, or a file:/// URI."
        )
    if b"\0" in path:
        raise InvalidError("The path has a NUL byte in it, which no file name has.")
    return b"/" + b"/".join(name for name in path.split(b"/") if name not in {b"", b"."})


def _without_host(rest: bytes) -> bytes:
    """Return the path of a file URI, given what follows its scheme (RFC 8089)."""
    if not rest.startswith(b"//"):
        return rest
    host, slash, path = rest[2:].partition(b"/")
    if host.lower() not in {b"", b"localhost"}:
        raise InvalidError(
            f"The URI names the machine {_printable(host)}, but only files of this one can be "
            "read; write file:/// and then the path."
        )
    return slash + path


def _open_root(root: Path) -> int:
    place = Place(root, b"")
    try:
        return os.open(root, _FOLDER)
    except NotADirectoryError as error:
        raise SourceError(place, Reason.FILE, cause=error) from error
    except OSError as error:
        raise _source_error(place, error) from error


def _check_regular(place: Place, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise SourceError(place, Reason.FOLDER)
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(place, Reason.SPECIAL)


def _check_folder(place: Place, status: os.stat_result) -> None:
    if stat.S_ISREG(status.st_mode):
        raise SourceError(place, Reason.FILE)
    if not stat.S_ISDIR(status.st_mode):
        raise SourceError(place, Reason.SPECIAL)


def _source_error(place: Place, error: OSError) -> SourceError:
    raise_if_exhausted(error)
    reason = _REASONS.get(error.errno or 0, Reason.UNREADABLE)
    return SourceError(place, reason, cause=error)


def _sentence(place: Place, reason: Reason, cause: OSError | None) -> str:
    match reason:
        case Reason.MISSING:
            return f"There is nothing at {place.text}."
        case Reason.UNREADABLE:
            said = (cause and cause.strerror) or "no reason was given"
            return f"{place.text} cannot be read: {said}."
        case Reason.OUTSIDE:
            root = _printable(os.fsencode(place.root))
            return (
                f"{place.text} passes a link or a .. that leaves the source root {root}, or "
                "may leave it; absolute links count as leaving. Name what it leads to instead."
            )
        case Reason.SPECIAL:
            return f"{place.text} is a pipe, socket or device, not a file."
        case Reason.FOLDER:
            return f"{place.text} is a folder, not a file."
        case Reason.FILE:
            return f"{place.text} is not a folder."
        case Reason.DANGLING:
            return f"{place.text} is, or passes, a link that leads nowhere."


def _printable(path: bytes) -> str:
    return path.decode(errors="replace")
