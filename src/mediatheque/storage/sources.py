"""The local files that transfers read: where a client's text leads, and safe reading. All block."""

import errno
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self
from urllib.parse import unquote_to_bytes

from mediatheque.domain.errors import InvalidError
from mediatheque.storage.beneath import (
    Opener,
    Place,
    best_opener,
    open_place,
    raise_if_exhausted,
    stat_place,
)
from mediatheque.storage.walk import Found, walk

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY


class Reason(StrEnum):
    """Why a source cannot be read as a file."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    OUTSIDE = "outside"
    SPECIAL = "special"
    FOLDER = "folder"


_REASONS = {
    errno.ENOENT: Reason.MISSING,
    errno.ENOTDIR: Reason.MISSING,
    errno.ENAMETOOLONG: Reason.MISSING,
    errno.ELOOP: Reason.MISSING,
    errno.EXDEV: Reason.OUTSIDE,
    errno.ENXIO: Reason.SPECIAL,
}


class SourceError(InvalidError):
    """A source cannot be read as a file, for the ``reason`` given."""

    def __init__(self, place: Place, reason: Reason, *, cause: OSError | None = None) -> None:
        super().__init__(_sentence(place, reason, cause))
        self.place = place
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a file looked like: size in bytes, times in nanoseconds since 1970, identity."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int


class SourceFile:
    """A regular file, open for reading. Close it, or use it as a context manager.

    ``fingerprint`` is what it looked like when it was opened.
    """

    def __init__(self, descriptor: int, status: os.stat_result) -> None:
        self.descriptor = descriptor
        self.fingerprint = _fingerprint(status)

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
        now = _fingerprint(status)
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
        place = self._place(_parse(text))
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

    def walk(self, place: Place) -> Iterator[Found]:
        """Yield everything at or below a place that is not a folder; see ``walk.walk``."""
        return walk(place, self._opener)

    def _place(self, path: bytes) -> Place:
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


def _fingerprint(status: os.stat_result) -> Fingerprint:
    return Fingerprint(
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        ctime_ns=status.st_ctime_ns,
        inode=status.st_ino,
        device=status.st_dev,
    )


def _check_regular(place: Place, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise SourceError(place, Reason.FOLDER)
    if not stat.S_ISREG(status.st_mode):
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


def _printable(path: bytes) -> str:
    return path.decode(errors="replace")
