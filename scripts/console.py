"""Builds the console: ``python -m scripts.console``, or with ``check`` looks at its source only."""

import subprocess
import sys
from pathlib import Path

from scripts.node import NoNodeError, npm

SOURCE = Path(__file__).parents[1] / "console"
_INSTALLED = SOURCE / "node_modules" / ".package-lock.json"


def build() -> None:
    """Make the files that the service sends."""
    _install()
    npm(SOURCE, "run", "--silent", "build")


def check() -> None:
    """Check types, format and lint."""
    _install()
    npm(SOURCE, "run", "--silent", "check")


def _install() -> None:
    lock = SOURCE / "package-lock.json"
    if not _INSTALLED.exists() or _INSTALLED.stat().st_mtime < lock.stat().st_mtime:
        npm(SOURCE, "ci")
        _INSTALLED.touch()


if __name__ == "__main__":
    try:
        check() if sys.argv[1:] == ["check"] else build()
    except NoNodeError as error:
        sys.exit(f"The console cannot be built. {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
