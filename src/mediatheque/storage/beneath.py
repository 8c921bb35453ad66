"""Opening what lies beneath a folder without ever leaving it.

Where a path leads is decided while it is opened, never by comparing strings beforehand: a string
says nothing about symbolic links, nor about what somebody renames in the meantime.
"""

import contextlib
import ctypes
import errno
import functools
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote_from_bytes

from mediatheque.domain.errors import UnavailableError

# macOS has no O_PATH; there, O_NONBLOCK keeps a FIFO from blocking.
O_LOOK: int = getattr(os, "O_PATH", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
"""Flags that open anything, special files too, without reading it or waiting for it."""

_OPENAT2 = 437
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_BENEATH = 0x08
_PATH_BYTES = 4095  # PATH_MAX without the closing NUL
_TRIES = 100
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class Opener(Protocol):
    """A way to open a path that must not leave the folder in which it begins."""

    def __call__(self, folder: int, path: bytes, flags: int, *, follow_links: bool) -> int:
        """Open ``path``, relative to the descriptor ``folder``, and return a new descriptor.

        ``follow_links=False`` refuses every symbolic link on the way. Raises OSError; its errno
        is EXDEV when the path would leave ``folder``.
        """
        ...


class _OpenHow(ctypes.Structure):
    """``struct open_how`` of openat2(2)."""

    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


def open_by_kernel(folder: int, path: bytes, flags: int, *, follow_links: bool) -> int:
    """See ``Opener``: openat2(2) with RESOLVE_BENEATH, Linux 5.6 and newer.

    Links and ``..`` are followed as long as they stay beneath ``folder``; an absolute link counts
    as leaving it. A path beyond PATH_MAX is opened in steps, each of which must stay beneath the
    one before.
    """
    resolve = _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS
    if not follow_links:
        resolve |= _RESOLVE_NO_SYMLINKS
    return _open_in_steps(
        folder, _steps(path), flags, lambda at, step, how: _openat2(at, step, how, resolve)
    )


def open_by_names(folder: int, path: bytes, flags: int, *, follow_links: bool) -> int:
    """See ``Opener``: one openat(2) with O_NOFOLLOW per name, for every POSIX system.

    It cannot know where a link or ``..`` leads, so it refuses them all, whatever ``follow_links``
    says.
    """
    del follow_links
    names = [name for name in path.split(b"/") if name] or [b"."]
    return _open_in_steps(folder, names, flags, _open_name)


@functools.cache
def best_opener() -> Opener:
    """Return the kernel's way where it exists and no sandbox forbids it, else the one by names."""
    if sys.platform != "linux":
        return open_by_names
    with held(os.open("/", O_LOOK)) as folder:
        try:
            os.close(open_by_kernel(folder, b".", O_LOOK, follow_links=False))
        except OSError:
            return open_by_names
    return open_by_kernel


@dataclass(frozen=True, slots=True)
class Place:
    """Something below one of the operator's source roots; ``relative`` is empty for the root."""

    root: Path
    relative: bytes

    @property
    def path(self) -> bytes:
        """The absolute path, exact. For showing and comparing; never open by it."""
        root = os.fsencode(self.root)
        return root.rstrip(b"/") + b"/" + self.relative if self.relative else root

    @property
    def uri(self) -> str:
        """The ``file:///`` URI (RFC 8089), percent-encoded, so that any name is exact."""
        return "file://" + quote_from_bytes(self.path)

    @property
    def name(self) -> bytes:
        """The last name of the path, exact."""
        return self.path.rpartition(b"/")[2]

    @property
    def text(self) -> str:
        """The path for people: what is not UTF-8 in it is replaced."""
        return self.path.decode(errors="replace")

    def below(self, path: bytes) -> "Place":
        """Return the place at ``path``, relative to this one."""
        return Place(self.root, self.relative + b"/" + path if self.relative else path)


def open_place(place: Place, flags: int, opener: Opener) -> int:
    """Open a place and return its descriptor. The root itself may be a link. Raises OSError."""
    with held(os.open(place.root, O_LOOK | os.O_DIRECTORY)) as root:
        return opener(root, place.relative or b".", flags, follow_links=True)


def stat_place(place: Place, opener: Opener) -> os.stat_result:
    """Return what a place, or what its links lead to, is. Raises OSError."""
    with held(open_place(place, O_LOOK, opener)) as descriptor:
        return os.fstat(descriptor)


def raise_if_exhausted(error: OSError) -> None:
    """Raise UnavailableError when it is this process that has no means left to open anything."""
    if error.errno in _EXHAUSTED:
        raise UnavailableError(
            f"Files cannot be opened at the moment: {error.strerror}. "
            "Raise the limit of open files (ulimit -n), or run fewer jobs at once."
        ) from error


@contextlib.contextmanager
def held(descriptor: int) -> Iterator[int]:
    """Close a descriptor at the end of the block."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open_in_steps(
    folder: int, steps: Sequence[bytes], flags: int, open_step: Callable[[int, bytes, int], int]
) -> int:
    with contextlib.ExitStack() as previous:
        for step in steps[:-1]:
            folder_of_next = open_step(folder, step, O_LOOK)
            previous.close()
            folder = previous.enter_context(held(folder_of_next))
        return open_step(folder, steps[-1], flags)


def _steps(path: bytes) -> list[bytes]:
    steps = []
    while len(path) > _PATH_BYTES:
        end = path.rfind(b"/", 0, _PATH_BYTES)
        if end <= 0:
            break  # one name longer than any file system takes, as the kernel will say
        steps.append(path[:end])
        path = path[end + 1 :]
    return [*steps, path]


def _openat2(folder: int, path: bytes, flags: int, resolve: int) -> int:
    how = _OpenHow(flags | os.O_CLOEXEC, 0, resolve)
    for _ in range(_TRIES):
        descriptor: int = _libc.syscall(
            ctypes.c_long(_OPENAT2),
            ctypes.c_int(folder),
            ctypes.c_char_p(path),
            ctypes.byref(how),
            ctypes.c_size_t(ctypes.sizeof(how)),
        )
        if descriptor >= 0:
            return descriptor
        code = ctypes.get_errno()
        # EAGAIN: something was renamed while the kernel followed a "..", so it could not be sure.
        if code not in {errno.EAGAIN, errno.EINTR}:
            break
    raise OSError(code, os.strerror(code))


def _open_name(folder: int, name: bytes, flags: int) -> int:
    if name == b"..":
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    try:
        descriptor = os.open(name, flags | os.O_NOFOLLOW, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV)) from error
        raise
    # O_PATH with O_NOFOLLOW opens the link itself.
    if stat.S_ISLNK(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    return descriptor
