"""Hatchling's hook that builds the console before it goes into a wheel."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_PAGE = Path("src") / "mediatheque" / "doors" / "console" / "built" / "index.html"


class ConsoleHook(BuildHookInterface[Any]):  # type: ignore[misc]  # hatchling is not installed here
    """See https://hatch.pypa.io/latest/plugins/build-hook/custom/."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the console, unless it is there or only links to the source are made."""
        del build_data
        if version != "editable" and not (Path(self.root) / _PAGE).exists():
            subprocess.run([sys.executable, "-m", "scripts.console"], cwd=self.root, check=True)
