"""How commands end when they cannot do their work: one sentence and a code."""

import sys
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes, documented in the reference."""

    SETTINGS = 2
    DATA_DIR = 3
    ADDRESS = 4
    DATABASE = 5
    STORE = 6
    NO_SERVER = 7
    NOT_FOUND = 8
    REFUSED = 9
    FAILED = 10
    INTERRUPTED = 130

    def because(self, sentence: str) -> int:
        """Print why, and return the code for ``sys.exit``."""
        print(f"mediatheque: {sentence}", file=sys.stderr)
        return int(self)
