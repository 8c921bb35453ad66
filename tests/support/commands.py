"""Users' commands as real processes."""

import asyncio
import contextlib
import json
import os
import pty
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

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


async def start(server: str, *arguments: str, folder: Path) -> asyncio.subprocess.Process:
    """Start a command of the user, in a folder."""
    return await asyncio.create_subprocess_exec(
        COMMAND,
        *arguments,
        cwd=folder,
        env=command_environment(server),
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


async def run(server: str, *arguments: str, folder: Path) -> Done:
    """Run a command of the user to its end."""
    return await finish(await start(server, *arguments, folder=folder))


def refusal(done: Done, code: int) -> str:
    """Return the sentence with which a command ended: nothing else was printed."""
    assert done.code == code, done
    assert done.out == ""
    assert done.err.startswith("mediatheque: ")
    return done.err.removeprefix("mediatheque: ").rstrip("\n")


async def run_on_terminal(server: str, *arguments: str, folder: Path) -> str:
    """Run a command with a terminal and return what it showed, without colours and movements."""
    ours, theirs = pty.openpty()
    with open(ours, "rb", buffering=0) as shown:  # noqa: PTH123 - a descriptor
        process = await asyncio.create_subprocess_exec(
            COMMAND,
            *arguments,
            cwd=folder,
            env=command_environment(server, {"TERM": "xterm", "COLUMNS": "200"}),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        text = (await asyncio.to_thread(_read_terminal, shown)).decode()
    assert await process.wait() == 0, text
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def _read_terminal(shown: IO[bytes]) -> bytes:
    """Read until the other side closes the terminal, which is an error of its own on Linux."""
    pieces = []
    with contextlib.suppress(OSError):
        while piece := shown.read(65536):
            pieces.append(piece)
    return b"".join(pieces)
