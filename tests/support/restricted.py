"""Running something in a thread that the kernel lets do less: without privileges, or a syscall."""

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_CAPABILITIES_VERSION = 0x20080522
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2
_SECCOMP_RET_ERRNO = 0x00050000
_SECCOMP_RET_ALLOW = 0x7FFF0000
_BPF_LOAD_WORD = 0x20
_BPF_JUMP_IF_EQUAL = 0x15
_BPF_RETURN = 0x06

_libc = ctypes.CDLL(None, use_errno=True)
T = TypeVar("T")


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_ushort),
        ("if_true", ctypes.c_ubyte),
        ("if_false", ctypes.c_ubyte),
        ("operand", ctypes.c_uint),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.POINTER(_Instruction)))


def without_privileges(function: Callable[[], T]) -> T:
    """Call ``function`` without any capability, so that permissions hold for root too."""

    def drop() -> None:
        header = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0)
        _check(_libc.capset(header, (ctypes.c_uint32 * 6)()))

    return _in_thread(drop, function)


def without_syscall(number: int, code: int, function: Callable[[], T]) -> T:
    """Call ``function`` where a syscall always fails with errno ``code``, as in a sandbox."""

    def forbid() -> None:
        instructions = (_Instruction * 4)(
            _Instruction(_BPF_LOAD_WORD, 0, 0, 0),
            _Instruction(_BPF_JUMP_IF_EQUAL, 0, 1, number),
            _Instruction(_BPF_RETURN, 0, 0, _SECCOMP_RET_ERRNO | code),
            _Instruction(_BPF_RETURN, 0, 0, _SECCOMP_RET_ALLOW),
        )
        _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        program = _Program(len(instructions), instructions)
        _check(_libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program)))

    return _in_thread(forbid, function)


def _in_thread(restrict: Callable[[], None], function: Callable[[], T]) -> T:
    """Both restrictions are the calling thread's alone, and end with it."""

    def restricted() -> T:
        restrict()
        return function()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(restricted).result()


def _check(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
