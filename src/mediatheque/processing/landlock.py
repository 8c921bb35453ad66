"""Landlock: a process forbids itself all files but some (Linux 5.13 and newer, landlock(7))."""

import errno
import os
import struct
import sys
from collections.abc import Iterable
from enum import IntFlag
from pathlib import Path

from mediatheque.processing import kernel

_CREATE_RULESET = 444
_ADD_RULE = 445
_RESTRICT_SELF = 446
_VERSION = 1
_PATH_BENEATH = 1
_MISSING = {errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM}


class _Access(IntFlag):
    """``LANDLOCK_ACCESS_FS_*``."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13
    TRUNCATE = 1 << 14
    IOCTL_DEV = 1 << 15


# What each version of the interface added; a newer one can do all of this, too.
_ADDED = {2: _Access.REFER, 3: _Access.TRUNCATE, 5: _Access.IOCTL_DEV}
_FIRST = _Access(_Access.REFER - 1)
_READ = _Access.READ_FILE | _Access.READ_DIR
_WRITE = _READ | _Access.WRITE_FILE | _Access.TRUNCATE | _Access.MAKE_REG | _Access.REMOVE_FILE
_TCP = 0b11  # bind and connect
_TCP_VERSION = 4
_SCOPES = 0b11  # abstract Unix sockets and signals of others
_SCOPES_VERSION = 6


def version() -> int:
    """Return the version of Landlock's interface in this kernel; 0: there is none."""
    if sys.platform != "linux":
        return 0
    try:
        return kernel.syscall(_CREATE_RULESET, None, 0, _VERSION)
    except OSError as error:
        if error.errno in _MISSING:  # too old, switched off, or a container forbids it
            return 0
        raise


def restrict(*, readable: Iterable[Path], writable: Path) -> int:
    """Let this thread, and all that it starts, read ``readable`` and write in ``writable`` only.

    Folders count with all that is in them. In ``writable`` files can be made, changed, renamed
    and deleted, but neither links nor folders be made. Connections over TCP, and from version 6 on
    signals to others, are forbidden, too. ``no_new_privs`` must have been set. Returns the version
    that was used; 0: nothing is forbidden, because the kernel cannot. Raises OSError.
    """
    found = version()
    if found == 0:
        return 0
    handled = _FIRST
    for since, access in _ADDED.items():
        if found >= since:
            handled |= access
    rules = _create(handled, found)
    try:
        for path in readable:
            _allow(rules, path, _READ & handled)
        _allow(rules, writable, _WRITE & handled)
        kernel.syscall(_RESTRICT_SELF, rules, 0)
    finally:
        os.close(rules)
    return found


def _create(handled: _Access, found: int) -> int:
    """Make a ``struct landlock_ruleset_attr``; an older kernel takes a longer one with zeros."""
    attributes = struct.pack(
        "=QQQ",
        handled,
        _TCP if found >= _TCP_VERSION else 0,
        _SCOPES if found >= _SCOPES_VERSION else 0,
    )
    return kernel.syscall(_CREATE_RULESET, attributes, len(attributes), 0)


def _allow(rules: int, path: Path, access: _Access) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not path.is_dir():
            access &= ~_Access.READ_DIR
        beneath = struct.pack("=Qi", access, place)  # struct landlock_path_beneath_attr
        kernel.syscall(_ADD_RULE, rules, _PATH_BENEATH, beneath, 0)
    finally:
        os.close(place)
