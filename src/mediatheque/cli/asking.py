"""Questions to the person at the terminal."""

import getpass
import sys

from mediatheque.cli.exits import Exit


def can_ask() -> bool:
    """Tell whether there is somebody who can read a question and answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str, *, hidden: bool = False) -> str:
    """Return the answer to a question, empty when there is none; ``hidden``: it is not shown.

    Ctrl-C ends the command.
    """
    try:
        if hidden:
            return getpass.getpass(question).strip()
        # Not by input(), which asks on standard output: that is for results.
        print(question, end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip()
    except EOFError:
        return ""
    except KeyboardInterrupt:
        print(file=sys.stderr)
        sys.exit(Exit.INTERRUPTED.because("Interrupted."))
