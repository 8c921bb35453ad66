"""Commands that are forked from a process which has imported everything that they need.

To import it takes more than a second of a processor, and tests start hundreds of commands. The
process that they are forked from runs ``python -m tests.support.forking``. It has one thread, so
that forking is safe, and opens nothing that a command would share with another one. What is forked
from it reads its own environment and arguments, and ends as the command would.
"""

import contextlib
import functools
import gc
import importlib
import json
import os
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

NAME = "mediatheque"
"""What a command is called among the processes: the same when it was not forked."""

_COMMAND_LINE = "mediatheque.cli"
_IMPORTED = (
    _COMMAND_LINE,
    "mediatheque.app",
    "mediatheque.worker",
    *(f"mediatheque.cli.{name}" for name in ("serve", "worker", "prepare", "janitor", "config")),
    *(f"mediatheque.storage.{name}" for name in ("s3", "s3_bucket", "s3_mirror")),
    "tests.support.job_worker",
)
_METRICS = "PROMETHEUS_MULTIPROC_DIR"
_NUMBER = struct.Struct("=i")
_LONGEST = 1 << 17
_PAUSE_SECONDS = 0.005


class Forked:
    """A command that was forked; it is used as a ``subprocess.Popen`` is."""

    def __init__(self, name: str, status: socket.socket) -> None:
        self._name = name
        self._status = status
        self.pid: int = _NUMBER.unpack(status.recv(_NUMBER.size))[0]
        self.returncode: int | None = None
        status.setblocking(False)

    def poll(self) -> int | None:
        """Return its exit code once it has ended, which is negative when a signal ended it."""
        if self.returncode is None:
            with contextlib.suppress(BlockingIOError):
                told = self._status.recv(_NUMBER.size)
                assert told, f"nobody knows how {self._name} has ended"
                self.returncode = os.waitstatus_to_exitcode(_NUMBER.unpack(told)[0])
                self._status.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code as soon as it has ended."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(self._name, timeout or 0)
            time.sleep(_PAUSE_SECONDS)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)


def fork_command(*arguments: str, variables: Mapping[str, str], stdout: int, stderr: int) -> Forked:
    """Start ``mediatheque`` with these arguments, in a session of its own.

    ``variables`` are its environment, ``stdout`` and ``stderr`` the descriptors that it writes to.
    """
    return fork(_COMMAND_LINE, *arguments, variables=variables, stdout=stdout, stderr=stderr)


def fork(
    module: str, *arguments: str, variables: Mapping[str, str], stdout: int, stderr: int
) -> Forked:
    """Start the function ``main`` of a module, as ``fork_command`` does."""
    request = json.dumps([module, arguments, dict(variables)]).encode()
    status, theirs = socket.socketpair()
    with theirs:
        descriptors = [stdout, stderr, theirs.fileno()]
        socket.send_fds(_server().requests, [request], descriptors)
    return Forked(" ".join([module, *arguments]), status)


def run_forked(
    *arguments: str, variables: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run ``mediatheque`` with these arguments to its end, and return what it printed."""
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        command = fork_command(
            *arguments, variables=variables, stdout=stdout.fileno(), stderr=stderr.fileno()
        )
        try:
            code = command.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(command.pid, signal.SIGKILL)
            raise
        printed = []
        for file in (stdout, stderr):
            file.seek(0)
            printed.append(file.read().decode())
    return subprocess.CompletedProcess(["mediatheque", *arguments], code, *printed)


@dataclass(frozen=True)
class _Started:
    """The process that commands are forked from, and the socket on which it is asked to."""

    process: subprocess.Popen[bytes]
    requests: socket.socket


@functools.cache
def _server() -> _Started:
    """Start the process that commands are forked from; it ends with this one."""
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LONGEST)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forking"],
            cwd=Path(__file__).parents[2],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
    return _Started(process, ours)


class _Server:
    """Forks a process for every request, and tells when it is over."""

    def __init__(self) -> None:
        self._requests = socket.socket(fileno=os.dup(0))
        self._ended, self._wake = socket.socketpair()
        self._wake.setblocking(False)
        self._ended.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._status: dict[int, socket.socket] = {}
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)

    def serve(self) -> str | None:
        """Return in every process that is forked, with its module; and with None at the end."""
        for readable in (self._requests, self._ended):
            self._selector.register(readable, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in self._selector.select()}
            if self._ended in ready:
                self._reap()
            if self._requests in ready:
                request, descriptors, _, _ = socket.recv_fds(self._requests, _LONGEST, 3)
                if not request:
                    return None
                pid = os.fork()
                if pid == 0:
                    self._leave()
                    return _become(request, descriptors)
                *outputs, status = descriptors
                for output in outputs:
                    os.close(output)
                self._status[pid] = socket.socket(fileno=status)
                self._status[pid].send(_NUMBER.pack(pid))

    def _reap(self) -> None:
        self._ended.recv(1 << 12)
        while self._status:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            with self._status.pop(pid) as told, contextlib.suppress(OSError):
                told.send(_NUMBER.pack(status))  # perhaps nobody wants to know

    def _leave(self) -> None:
        """Keep nothing of this, in a process that was forked from it."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for one in (self._requests, self._ended, self._wake, *self._status.values()):
            one.close()


def _become(request: bytes, descriptors: Sequence[int]) -> str:
    """Take over what a request says, and return its module."""
    module, arguments, variables = json.loads(request)
    os.setsid()
    *outputs, status = descriptors
    os.close(status)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, descriptor in enumerate((nothing, *outputs)):
        os.dup2(descriptor, number)
        os.close(descriptor)
    metrics = os.environ[_METRICS]
    os.environ.clear()
    os.environ.update({_METRICS: metrics, **variables})
    sys.argv = [NAME, *arguments]
    with contextlib.suppress(OSError):  # not everywhere, and not for everybody
        Path("/proc/self/comm").write_text(NAME)
    return str(module)


def main() -> None:
    """Import everything, then be whatever somebody asks for."""
    # As the command line does: nobody needs that one.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    # That metrics are counted in files is decided when they are imported, the folder later.
    metrics = Path(tempfile.mkdtemp(prefix="mediatheque-metrics-"))
    os.environ[_METRICS] = str(metrics)
    for name in _IMPORTED:
        importlib.import_module(name)
    threads = Path("/proc/self/task")  # of libraries as well, where the system tells
    alone = threading.active_count() == 1 and (
        not threads.exists() or len(list(threads.iterdir())) == 1
    )
    assert alone, "a thread would not survive a fork"
    gc.collect()
    gc.freeze()
    module = _Server().serve()
    if module is None:
        shutil.rmtree(metrics)
    else:
        importlib.import_module(module).main()


if __name__ == "__main__":
    main()
