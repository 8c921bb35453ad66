"""The process that children are forked from: ``python -m mediatheque.processing.forkserver``.

A child is forked in milliseconds from a process that has loaded the libraries already. That
process is not the worker: it has one thread, so that forking is safe, and neither the worker's
secrets nor its connections, so that nothing needs to be taken from a child.

``multiprocessing`` has a fork server, too. It passes on the worker's environment, imports the
worker's ``__main__`` (the whole command line) into every child, starts a second process to track
semaphores, is one for the whole process, and reads pickles. What is needed here is less than what
would have to be worked around.

Its standard input is a socket. Each message on it is ``HEADER``, with two descriptors, and a
``Request`` as JSON. The first descriptor is the pipe for the answers of the child. The second is
the lifeline: when its other end is shut, the child is killed; when the child is over, its wait
status is written to it (``STATUS``). When the socket is shut, this process and all children end.
"""

import contextlib
import gc
import importlib
import os
import selectors
import signal
import socket
import struct
import sys
from collections.abc import Callable
from functools import partial
from typing import NoReturn

from mediatheque.processing import child, sandbox
from mediatheque.processing.answers import decode_request

HEADER = struct.Struct("=I")
"""The length of the request that follows."""

STATUS = struct.Struct("=i")
"""The status of a child that is over, as waitpid(2) gives it."""

READY = b"!"
"""What is written to the socket before the first request is read."""

_SIGNALS_AT_ONCE = 4096


def main() -> None:
    """Load the module named on the command line, then fork a child for every request."""
    control = socket.socket(fileno=0)
    steps = importlib.import_module(sys.argv[1])
    steps.warm_up()
    # Children copy less of the memory that they share when the collector leaves it alone.
    gc.collect()
    gc.freeze()
    control.sendall(READY)
    _Server(control, steps.process).serve()


class _Server:
    """Forks a child for every request, and tells when it is over."""

    def __init__(self, control: socket.socket, process: child.Process) -> None:
        self._control = control
        self._process = process
        self._pid = os.getpid()
        self._lifelines: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._ended = _ends_of_children()

    def serve(self) -> NoReturn:
        """Serve until the other end of the socket is shut."""
        self._watch(self._control, self._fork)
        self._watch(self._ended, self._reap)
        while True:
            for key, _ in self._selector.select():
                key.data()

    def _watch(self, readable: socket.socket, act: Callable[[], None]) -> None:
        self._selector.register(readable, selectors.EVENT_READ, act)

    def _fork(self) -> None:
        header, descriptors, _, _ = socket.recv_fds(self._control, HEADER.size, 2)
        if not header:
            self._end()
        (length,) = HEADER.unpack(header)
        request = self._control.recv(length, socket.MSG_WAITALL)
        answers, lifeline = descriptors[0], socket.socket(fileno=descriptors[1])
        try:
            pid = os.fork()
        except OSError:  # no room for one more: the lifeline ends without a status
            lifeline.close()
        else:
            if pid == 0:
                self._be_child(request, answers)
            self._lifelines[pid] = lifeline
            self._watch(lifeline, partial(self._kill, pid))
        os.close(answers)

    def _be_child(self, request: bytes, answers: int) -> NoReturn:
        try:
            sandbox.die_with(self._pid)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            child.run(decode_request(request), answers, self._process)
        finally:
            # Whatever happens, a child never goes on as a fork server.
            os._exit(0)

    def _kill(self, pid: int) -> None:
        # A child that was not reaped keeps its number, so this hits nobody else.
        if pid in self._lifelines:
            self._selector.unregister(self._lifelines[pid])
            os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        self._ended.recv(_SIGNALS_AT_ONCE)
        while self._lifelines:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            lifeline = self._lifelines.pop(pid)
            with contextlib.suppress(KeyError):  # not watched any more when it was killed
                self._selector.unregister(lifeline)
            with contextlib.suppress(OSError):  # nobody wants to know
                lifeline.send(STATUS.pack(status))
            lifeline.close()

    def _end(self) -> NoReturn:
        for pid in self._lifelines:
            os.kill(pid, signal.SIGKILL)
        sys.exit()


def _ends_of_children() -> socket.socket:
    """Return a socket that has something to read when a child has ended."""
    readable, writable = socket.socketpair()
    for end in (readable, writable):
        end.settimeout(0)
    signal.set_wakeup_fd(writable.detach(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return readable


if __name__ == "__main__":
    main()
