"""How much a child process may use for one media."""

import resource
import sys

from msgspec import Struct

_MEGABYTE = 1_000_000
_OPEN_FILES = 32
_GRACE_SECONDS = 5


class Limits(Struct, frozen=True, kw_only=True):
    """What one child may use.

    ``cpu`` and ``wall`` are seconds, ``memory`` is bytes of address space, ``file_size`` bytes of
    the largest file, ``output`` bytes of all files together. The kernel holds a child to ``cpu``,
    ``memory`` and ``file_size``, its parent to ``wall`` and ``output``.
    """

    cpu: int
    wall: int
    memory: int
    file_size: int
    output: int


def limits_for(size: int, memory: int) -> Limits:
    """Return the limits for a media of ``size`` bytes: room for a copy of it, and to spare."""
    cpu = 30 + size // (10 * _MEGABYTE)
    file_size = size * 11 // 5 + 64 * _MEGABYTE
    return Limits(cpu=cpu, wall=3 * cpu, memory=memory, file_size=file_size, output=2 * file_size)


def restrict(limits: Limits) -> None:
    """Hold this process to its limits, for ever."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # At the first of both SIGXCPU comes, which can be ignored; at the second SIGKILL.
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu, limits.cpu + _GRACE_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_size, limits.file_size))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))
    if sys.platform == "linux":  # macOS refuses less than what the process has mapped already
        resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
