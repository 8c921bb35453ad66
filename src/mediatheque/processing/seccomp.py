"""The system calls of a child, filtered by the kernel (seccomp(2), mode filter).

A list of what is refused rather than of what is allowed: the libraries that decode, the C library
and Python use some hundred calls between them, others on every machine and in every version. Calls
newer than this list do not exist for a child, which programs must cope with on older kernels.
"""

import ctypes
import errno
import os
import platform
import sys
from dataclasses import dataclass
from enum import IntEnum

from mediatheque.processing import kernel, syscalls

_PR_SET_SECCOMP = 22
_MODE_FILTER = 2
_KILL_PROCESS = 0x80000000
_ERRNO = 0x00050000
_ALLOW = 0x7FFF0000
_REFUSE = _ERRNO | errno.EPERM
_UNKNOWN = _ERRNO | errno.ENOSYS

# Offsets in struct seccomp_data; of the arguments the lower halves on these machines.
_NUMBER = 0
_ARCHITECTURE = 4
_ARGUMENTS = 16

_X32_CALLS = 0x40000000
_CLONE_THREAD = 0x00010000
_F_SETOWN = 8
_F_SETSIG = 10
_F_SETOWN_EX = 15
# What Python and the C library ask of any descriptor: whether it is a terminal, how much there is
# to read, and whether it is closed on exec.
_TCGETS, _FIONREAD, _FIONCLEX, _FIOCLEX = 0x5401, 0x541B, 0x5450, 0x5451
_O_ACCMODE = 3
_WRITING = (1, 2)  # O_WRONLY, O_RDWR
_O_TRUNC = 0x200


class Operation(IntEnum):
    """Codes of the instructions (``linux/bpf_common.h``) that the filter consists of."""

    LOAD = 0x20
    AND = 0x54
    JUMP_EQUAL = 0x15
    JUMP_GREATER = 0x25
    JUMP_SET = 0x45
    RETURN = 0x06


class Instruction(ctypes.Structure):
    """``struct sock_filter``: jumps skip so many of the instructions that follow."""

    _fields_ = (
        ("operation", ctypes.c_ushort),
        ("if_true", ctypes.c_ubyte),
        ("if_false", ctypes.c_ubyte),
        ("operand", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.POINTER(Instruction)))


@dataclass(frozen=True)
class Architecture:
    """A machine: its AUDIT_ARCH number, and its column in the table of system calls."""

    audit: int
    column: int


ARCHITECTURES = {"x86_64": Architecture(0xC000003E, 0), "aarch64": Architecture(0xC00000B7, 1)}
"""The machines that a filter is known for, by the names that uname(2) gives them."""

Filter = list[Instruction]


def supported() -> bool:
    """Tell whether this kernel filters system calls, and the filter is known for this machine."""
    if sys.platform != "linux" or platform.machine() not in ARCHITECTURES:
        return False
    try:
        # Without a filter at this address a kernel that has them says EFAULT; it changes nothing.
        kernel.prctl(_PR_SET_SECCOMP, _MODE_FILTER, 0)
    except OSError as error:
        return error.errno == errno.EFAULT
    return False


def restrict() -> bool:
    """Filter the system calls of this thread, and of all that it starts, for ever.

    ``no_new_privs`` must have been set. Returns False where it cannot be done: on a machine that
    the filter is not known for, or a kernel without seccomp.
    """
    architecture = ARCHITECTURES.get(platform.machine())
    if sys.platform != "linux" or architecture is None:
        return False
    instructions = program(architecture, os.getpid())
    array = (Instruction * len(instructions))(*instructions)
    filtering = _Program(len(instructions), array)
    try:
        kernel.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(filtering))
    except OSError as error:
        if error.errno == errno.EINVAL:
            return False
        raise
    return True


def program(architecture: Architecture, pid: int) -> Filter:
    """Return the filter of a process ``pid``."""
    steps = [
        _load(_ARCHITECTURE),
        *_unless(architecture.audit, _return(_KILL_PROCESS)),
        _load(_NUMBER),
    ]
    if architecture.column == 0:
        steps += _if(Operation.JUMP_GREATER, _X32_CALLS - 1, _return(_REFUSE))
    steps += _if(Operation.JUMP_GREATER, syscalls.NEWEST, _return(_UNKNOWN))
    for name, judgement in _judgements(pid).items():
        steps += _for(_number(syscalls.JUDGED, name, architecture), judgement)
    refused = (
        syscalls.NETWORK | syscalls.PROCESSES | syscalls.FILES | syscalls.MEMORY | syscalls.MACHINE
    )
    for name in refused:
        steps += _for(_number(refused, name, architecture), [_return(_REFUSE)])
    return [*steps, _return(_ALLOW)]


def _judgements(pid: int) -> dict[str, Filter]:
    """Return what decides about the calls that are allowed in part."""
    return {
        # Threads, but no processes. clone3 hides its flags from filters; the C library does
        # without it where it does not exist.
        "clone": [_load_argument(0), *_allow_if(Operation.JUMP_SET, _CLONE_THREAD)],
        "clone3": [_return(_UNKNOWN)],
        # Signals to itself, as abort(3) sends one.
        "kill": [_load_argument(0), *_allow_if(Operation.JUMP_EQUAL, pid)],
        "tgkill": [_load_argument(0), *_allow_if(Operation.JUMP_EQUAL, pid)],
        # Its own limits (0: the caller), not those of others.
        "prlimit64": [_load_argument(0), *_allow_if(Operation.JUMP_EQUAL, 0)],
        # With an owner and a signal, a descriptor makes the kernel signal others.
        "fcntl": [
            _load_argument(1),
            *_if(Operation.JUMP_EQUAL, _F_SETOWN, _return(_REFUSE)),
            *_if(Operation.JUMP_EQUAL, _F_SETSIG, _return(_REFUSE)),
            *_if(Operation.JUMP_EQUAL, _F_SETOWN_EX, _return(_REFUSE)),
            _return(_ALLOW),
        ],
        # Opened for reading alone, a file can get other attributes (FS_IOC_SETFLAGS).
        "ioctl": [
            _load_argument(1),
            *(
                step
                for request in (_TCGETS, _FIONREAD, _FIONCLEX, _FIOCLEX)
                for step in _if(Operation.JUMP_EQUAL, request, _return(_ALLOW))
            ),
            _return(_REFUSE),
        ],
        # Its flags would leave a device where the file was (RENAME_WHITEOUT).
        "renameat2": [_load_argument(4), *_allow_if(Operation.JUMP_EQUAL, 0)],
        # Opened for reading alone, a file can be emptied: Landlock minds from version 3 on.
        "open": _judge_opening(_load_argument(1)),
        "openat": _judge_opening(_load_argument(2)),
        "openat2": [_return(_UNKNOWN)],  # hides its flags from filters
    }


def _judge_opening(load_flags: Instruction) -> Filter:
    return [
        load_flags,
        Instruction(Operation.JUMP_SET, 1, 0, _O_TRUNC),
        _return(_ALLOW),
        Instruction(Operation.AND, 0, 0, _O_ACCMODE),
        *(step for mode in _WRITING for step in _if(Operation.JUMP_EQUAL, mode, _return(_ALLOW))),
        _return(_REFUSE),
    ]


def _number(table: syscalls.Numbers, name: str, architecture: Architecture) -> int | None:
    return table[name][architecture.column]


def _for(number: int | None, judgement: Filter) -> Filter:
    """Return ``judgement`` for the call ``number``; it must end in a return."""
    if number is None:
        return []
    return [Instruction(Operation.JUMP_EQUAL, 0, len(judgement), number), *judgement]


def _allow_if(operation: Operation, operand: int) -> Filter:
    return [*_if(operation, operand, _return(_ALLOW)), _return(_REFUSE)]


def _if(operation: Operation, operand: int, then: Instruction) -> Filter:
    return [Instruction(operation, 0, 1, operand), then]


def _unless(operand: int, then: Instruction) -> Filter:
    return [Instruction(Operation.JUMP_EQUAL, 1, 0, operand), then]


def _load(offset: int) -> Instruction:
    return Instruction(Operation.LOAD, 0, 0, offset)


def _load_argument(index: int) -> Instruction:
    return _load(_ARGUMENTS + 8 * index)


def _return(action: int) -> Instruction:
    return Instruction(Operation.RETURN, 0, 0, action)
