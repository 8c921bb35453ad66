"""Running commands without the second in which a process of their own imports everything."""

import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from mediatheque.cli import main
from tests.support.service import COMMAND, environment

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run_here(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what runs a command of the operator in this process, as one of its own would."""

    def run(
        data_dir: Path, *arguments: str, settings: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        ended: str | int | None = 0
        level = logging.getLogger().level
        with (
            mock.patch.dict(os.environ, environment(data_dir, settings or {}), clear=True),
            mock.patch.object(sys, "argv", [str(COMMAND), *arguments]),
            mock.patch.object(logging.getLogger(), "handlers", []),  # to what is captured here
            warnings.catch_warnings(),
        ):
            # What reads the arguments supposes that a test would pass them to it.
            warnings.filterwarnings("ignore", "Cyclopts application invoked without tokens")
            try:
                main()
            except SystemExit as end:
                ended = end.code
            finally:
                logging.getLogger().setLevel(level)
        assert not isinstance(ended, str), ended
        shown = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, ended or 0, shown.out, shown.err)

    return run
