"""A process locks itself up before it looks at what strangers sent.

It needs neither root nor a helper program: limits of resources, no privileges, Landlock for files
and TCP, seccomp for everything else. What each of them forbids, and what remains possible, is
told in ``docs/explanation/how-untrusted-media-is-handled.md``.
"""

import contextlib
import os
import signal
import sys
import sysconfig
from pathlib import Path

from msgspec import Struct

import mediatheque
from mediatheque.processing import kernel, landlock, rlimits, seccomp

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_OUT_OF_MEMORY_SCORE = "900"  # of 1000: the first to go when the machine runs out of it

# Modules that are imported late. Without /dev/urandom libav makes its random numbers from the
# clock, which takes a quarter of a second for each file that it writes.
_CODE = ("stdlib", "platstdlib", "purelib", "platlib")
_RANDOM = Path("/dev/urandom")


class Protection(Struct, frozen=True, kw_only=True):
    """What holds a child: the version of Landlock (0: none), and whether seccomp does."""

    landlock: int
    seccomp: bool

    @property
    def warning(self) -> str | None:
        """What an operator should know of it, in a sentence; None when nothing is missing."""
        match bool(self.landlock), self.seccomp:
            case True, True:
                return None
            case False, True:
                missing = "no Landlock"
            case True, False:
                missing = "no filter of system calls"
            case _:
                missing = "neither Landlock nor a filter of system calls"
        return (
            f"This system has {missing} for the processes that look into medias. Let only people "
            "whom you trust add medias here, or use Linux 5.13 or newer."
        )


def available() -> Protection:
    """Return what would hold a child on this system. Changes nothing."""
    return Protection(landlock=landlock.version(), seccomp=seccomp.supported())


def die_with(parent: int) -> None:
    """Let the kernel kill this process when ``parent``, which started it, dies (Linux)."""
    if sys.platform != "linux":
        return
    kernel.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)


def enter(*, source: Path, folder: Path, limits: rlimits.Limits) -> Protection:
    """Lock this process up for ever: it may read ``source``, and write in ``folder`` only.

    Both must be absolute, and ``source`` not lie in ``folder``. The process must have one thread.
    Raises OSError when something that this system has cannot be used.
    """
    rlimits.restrict(limits)
    if sys.platform != "linux":
        return Protection(landlock=0, seccomp=False)
    with contextlib.suppress(OSError):  # a container may not show /proc
        Path("/proc/self/oom_score_adj").write_text(_OUT_OF_MEMORY_SCORE)
    kernel.prctl(_PR_SET_DUMPABLE, 0)
    kernel.prctl(_PR_SET_NO_NEW_PRIVS, 1)
    kernel.drop_capabilities()
    return Protection(
        landlock=landlock.restrict(readable=[source, *_readable()], writable=folder),
        seccomp=seccomp.restrict(),
    )


def _readable() -> set[Path]:
    code = {Path(sysconfig.get_path(name)) for name in _CODE}
    package = Path(mediatheque.__file__).parent
    return {path for path in {*code, package, _RANDOM} if path.exists()}
