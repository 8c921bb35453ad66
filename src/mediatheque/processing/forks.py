"""The fork server as the worker sees it, and the children that it forks."""

import asyncio
import contextlib
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncGenerator
from typing import Self

from mediatheque.domain.errors import UnavailableError
from mediatheque.processing.forkserver import HEADER, READY, STATUS
from mediatheque.processing.tasks import RejectedError
from mediatheque.processing.verdicts import NONSENSE

_START_SECONDS = 60
_MOST_ANSWERED = 1 << 20
_READ_ON_SECONDS = 1.0
# What Python and the C library need to find their files. All else may be a secret.
_PASSED_ON = (
    *("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ"),
    *("PYTHONPATH", "PYTHONHOME", "PYTHONUTF8", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"),
)
# A process with threads cannot be forked safely; and a heap for each thread of a child would take
# much of its address space.
_ADDED = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


class Fork:
    """One child. Whoever has it must ``close`` it."""

    def __init__(self, answers: int, lifeline: socket.socket) -> None:
        self._pipe = os.fdopen(answers, "rb", buffering=0)
        self._lifeline = lifeline
        self._transport: asyncio.ReadTransport | None = None
        self.killed_for: str | None = None
        """Why it was killed, as a sentence for people; None: it was not."""

    async def answers(self) -> AsyncGenerator[bytes]:
        """Yield the lines that the child writes, until it closes the pipe or ends.

        A line that it did not end is none. Raises RejectedError when it writes too much.
        """
        reader = asyncio.StreamReader(_MOST_ANSWERED)
        self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), self._pipe
        )
        left = _MOST_ANSWERED
        while line := await _line(reader):
            left -= len(line)
            if left < 0:
                raise RejectedError(NONSENSE)
            yield line

    def kill(self, reason: str) -> None:
        """Let the child be killed, for a ``reason`` that people are told."""
        self.killed_for = self.killed_for or reason
        self._cut()
        # Where a child could start others, one of those may hold the pipe for ever.
        asyncio.get_running_loop().call_later(_READ_ON_SECONDS, self._hang_up)

    async def ended(self) -> int | None:
        """Return the wait status of the child once it is over.

        None: it could not be forked, or it died with the fork server.
        """
        status = await asyncio.get_running_loop().sock_recv(self._lifeline, STATUS.size)
        return STATUS.unpack(status)[0] if status else None

    async def close(self) -> None:
        """Kill the child, and wait until it is over, unless it is already."""
        try:
            self._cut()
            while await self.ended() is not None:
                pass
        finally:
            self._lifeline.close()
            self._hang_up()

    def _cut(self) -> None:
        with contextlib.suppress(OSError):  # the fork server is over, too
            self._lifeline.shutdown(socket.SHUT_WR)

    def _hang_up(self) -> None:
        if self._transport is not None:
            self._transport.close()
        else:
            self._pipe.close()


class ForkServer:
    """A running fork server."""

    def __init__(self, process: Process, control: socket.socket) -> None:
        self._process = process
        self._control = control

    @classmethod
    async def start(cls, steps: str) -> Self:
        """Start one whose children do what the module ``steps`` says.

        Raises UnavailableError when it does not come up.
        """
        control, theirs = socket.socketpair()
        control.settimeout(0)
        try:
            with theirs:
                process = await _spawn(theirs, steps)
        except BaseException:
            control.close()
            raise
        server = cls(process, control)
        try:
            async with asyncio.timeout(_START_SECONDS):
                ready = await asyncio.get_running_loop().sock_recv(control, len(READY))
        except (TimeoutError, OSError):
            ready = b""
        except asyncio.CancelledError:
            await server.kill()
            raise
        if not ready:
            await server.kill()
            raise UnavailableError(
                "The process that looks into medias does not start; its errors are in the log."
            )
        return server

    @property
    def runs(self) -> bool:
        """Whether it has not ended, as far as is known."""
        return self._process.returncode is None

    def fork(self, request: bytes) -> Fork:
        """Let a child be forked for ``request``.

        Raises ConnectionError when the server has ended, OSError when this process has no means.
        """
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            lifeline, their_lifeline = socket.socketpair()
            ours.callback(lifeline.close)
            theirs.callback(their_lifeline.close)
            answers, their_answers = os.pipe()
            ours.callback(os.close, answers)
            theirs.callback(os.close, their_answers)
            lifeline.settimeout(0)
            message = HEADER.pack(len(request)) + request
            socket.send_fds(self._control, [message], [their_answers, their_lifeline.fileno()])
            ours.pop_all()
        return Fork(answers, lifeline)

    async def stop(self) -> None:
        """End it and all its children, and wait until it has ended."""
        self._control.close()
        await self._process.wait()

    async def kill(self) -> None:
        """End it even if it does not listen."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self.stop()


async def _line(reader: asyncio.StreamReader) -> bytes:
    """Return the next line, nothing at the end."""
    try:
        return await reader.readuntil()
    except asyncio.IncompleteReadError:
        return b""
    except asyncio.LimitOverrunError as error:
        raise RejectedError(NONSENSE) from error


async def _spawn(control: socket.socket, steps: str) -> Process:
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "mediatheque.processing.forkserver", steps),
        stdin=control.fileno(),
        stdout=DEVNULL,
        env=kept | _ADDED,
        cwd="/",
        # A Ctrl-C in the terminal is for the worker, which then lets its jobs end.
        start_new_session=True,
    )
