"""How many files and connections a process may have open.

Shells and service managers start programs with a low limit, for the sake of those that use
``select(2)``, and let the others raise it.
"""

import resource

_MOST = 65_536
_MOST_CONNECTIONS = 8192
_FEWEST_CONNECTIONS = 64
_OTHERS = 256
"""What a process has open whoever its clients are, and to spare."""


def raise_limit() -> int:
    """Let this process and its children open as many files as they may; return how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # macOS allows less than it says
        return soft
    return wanted


def connections(limit: int) -> int:
    """Return how many connections a web process takes that may open ``limit`` files.

    Each of them may need a file as well. Those beyond wait until one is closed.
    """
    return max(_FEWEST_CONNECTIONS, min(_MOST_CONNECTIONS, (limit - _OTHERS) // 2))
