"""``tests.support.hostile`` on a system that has neither Landlock nor seccomp."""

import sys

from tests.support.hostile import process

__all__ = ["process", "warm_up"]


def warm_up() -> None:
    """Let the sandbox believe that it is on a Mac."""
    sys.platform = "darwin"
