"""Users' commands as real processes."""

import asyncio
import contextlib
import json
import os
import pty
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from mediatheque.cli import app
from tests.support.service import COMMAND


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Return the one JSON document that it printed."""
        return json.loads(self.out)

    def lines(self) -> list[Any]:
        """Return the JSON documents that it printed, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


def command_environment(server: str, settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a user's command: ours, with this server."""
    clean = {name: value for name, value in os.environ.items() if "MEDIATHEQUE" not in name}
    return {**clean, "MEDIATHEQUE_SERVER": server, **(settings or {})}


async def start(
    server: str, *arguments: str, folder: Path, settings: Mapping[str, str] | None = None
) -> asyncio.subprocess.Process:
    """Start a command of the user, in a folder."""
    return await asyncio.create_subprocess_exec(
        COMMAND,
        *arguments,
        cwd=folder,
        env=command_environment(server, settings),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def finish(process: asyncio.subprocess.Process) -> Done:
    """Wait for a command to end. Whatever happened, no traceback was shown."""
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    done = Done(process.returncode, out.decode(), err.decode())
    assert "Traceback" not in done.err
    return done


async def run(
    server: str, *arguments: str, folder: Path, settings: Mapping[str, str] | None = None
) -> Done:
    """Run a command of the user to its end."""
    return await finish(await start(server, *arguments, folder=folder, settings=settings))


async def call(server: str, *arguments: str, capture: pytest.CaptureFixture[str]) -> Done:
    """Run a command of the user in a thread of this process: no start to wait for, no terminal."""

    def work() -> int:
        try:
            app([*arguments, "--server", server])
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    code = await asyncio.to_thread(work)
    shown = capture.readouterr()
    return Done(code, shown.out, shown.err)


def refusal(done: Done, code: int) -> str:
    """Return the sentence with which a command ended: nothing else was printed."""
    assert done.code == code, done
    assert done.out == ""
    assert done.err.startswith("mediatheque: ")
    return done.err.removeprefix("mediatheque: ").rstrip("\n")


async def run_on_terminal(server: str, *arguments: str, folder: Path) -> str:
    """Run a command with a terminal and return what it showed, without colours and movements."""
    code, text = await answer_on_terminal(server, *arguments, folder=folder)
    assert code == 0, text
    return text


# getpass asks on the controlling terminal: it must be this one. Done by the new process itself,
# because Python between fork and exec hangs now and then where other threads run.
_ON_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


async def answer_on_terminal(
    server: str, *arguments: str, folder: Path, answers: Sequence[tuple[str, str]] = ()
) -> tuple[int, str]:
    """Run a command with a terminal; return its exit code and what it showed, as plain text.

    ``answers``: a text that it shows and what is typed once it is there, one after the other.
    """
    ours, theirs = pty.openpty()
    with open(ours, "r+b", buffering=0) as terminal:  # noqa: PTH123 - a descriptor
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _ON_TERMINAL,
            COMMAND,
            *arguments,
            cwd=folder,
            env=command_environment(server, {"TERM": "xterm", "COLUMNS": "200"}),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        text = (await asyncio.to_thread(_speak, terminal, list(answers))).decode()
    return await process.wait(), re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def _speak(terminal: IO[bytes], answers: list[tuple[str, str]]) -> bytes:
    """Read until the other side closes the terminal, which is an error of its own on Linux."""
    shown = b""
    told = 0
    with contextlib.suppress(OSError):
        while piece := terminal.read(65536):
            shown += piece
            if answers and (at := shown.find(answers[0][0].encode(), told)) >= 0:
                told = at + 1
                terminal.write(answers.pop(0)[1].encode())
    return shown
