"""System calls of Linux for which Python has no function."""

import ctypes
import os

_CAPABILITIES_VERSION = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def prctl(option: int, *arguments: int) -> None:
    """Call prctl(2). Raises OSError."""
    filled = (*arguments, *(0,) * (4 - len(arguments)))
    _checked(_libc.prctl(ctypes.c_int(option), *map(ctypes.c_ulong, filled)))


def syscall(number: int, *arguments: int | bytes | None) -> int:
    """Call syscall(2) with integers and addresses of bytes. Raises OSError."""
    passed = (ctypes.c_long(a) if isinstance(a, int) else ctypes.c_char_p(a) for a in arguments)
    return _checked(_libc.syscall(ctypes.c_long(number), *passed))


def drop_capabilities() -> None:
    """Give up what root may do beyond other users, by capset(2). Raises OSError."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0)
    _checked(_libc.capset(header, (ctypes.c_uint32 * 6)()))


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
