"""Steps that do what a file says, as a decoder would that a file has taken over.

The file holds JSON: ``{"do": <a function below>, "with": {<its arguments>}}``. What a function
returns is the ``meta`` of the result; an OSError is told by the name of its errno.
"""

import ctypes
import errno
import fcntl
import json
import mmap
import os
import resource
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mediatheque.domain.processing import Step
from mediatheque.processing.tasks import Processed, RejectedError, Task

_ANSWERS = 3
_libc = ctypes.CDLL(None, use_errno=True)


def warm_up() -> None:
    """Nothing needs to be loaded."""


def process(source: str, folder: str, task: Task, report: Callable[[float], None]) -> Processed:
    wanted = json.loads(Path(source).read_text())
    arguments = wanted.get("with", {})
    os.chdir(folder)
    if wanted["do"] == "report":
        for done in arguments["done"]:
            report(done)
        return Processed(meta={})
    try:
        result = globals()[wanted["do"]](**arguments)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        result = errno.errorcode[error.errno or 0]
    return result if isinstance(result, Processed) else Processed(meta={"result": result})


# What a file may want to reach.


def connect(family: str) -> str:
    with socket.socket(getattr(socket, family)):
        return "done"


def pair() -> str:
    for end in socket.socketpair():
        end.close()
    return "done"


def fork() -> str:
    if os.fork() == 0:
        os._exit(0)
    return "done"


def leave_another(seconds: float) -> None:
    """End, but leave a process behind that holds the pipe for answers."""
    if os.fork() == 0:
        time.sleep(seconds)
    os._exit(0)


def execute() -> str:
    os.execv(sys.executable, [sys.executable, "-c", ""])


def spawn() -> str:
    return str(os.posix_spawn(sys.executable, [sys.executable, "-c", ""], {}))


def signal_process(pid: int) -> str:
    os.kill(pid, 0)
    return "done"


def signal_group() -> str:
    os.killpg(os.getpgid(os.getppid()), 0)
    return "done"


def own_signals(pid: int) -> str:
    with Path("pipe").open("w") as file:
        fcntl.fcntl(file, fcntl.F_SETOWN, pid)
    return "done"


def limit_process(pid: int) -> str:
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (16, 16))
    return "done"


def slow_down(pid: int) -> str:
    os.setpriority(os.PRIO_PROCESS, pid, 19)
    return "done"


def outlive_parent() -> str:
    return _call("prctl", 1, 0)


def look_into(pid: int) -> str:
    return _call("ptrace", 16, pid)


def message_others(queue: int) -> str:
    """Send a message to a queue of System V, whose number can be guessed."""
    return _call("msgsnd", queue, (ctypes.c_long * 2)(1, 0), 8, 0)


def hide_memory() -> str:
    os.close(os.memfd_create("hidden"))
    return "done"


def read(path: str) -> int:
    return len(Path(path).read_bytes())


def list_folder(path: str) -> list[str]:
    return [found.name for found in Path(path).iterdir()]


def write(path: str) -> str:
    Path(path).write_text("changed")
    return "done"


def empty(path: str) -> str:
    """Open for reading and truncate: on Linux that empties a file."""
    os.close(os.open(path, os.O_RDONLY | os.O_TRUNC))
    return "done"


def cut(path: str) -> str:
    os.truncate(path, 0)
    return "done"


def delete(path: str) -> str:
    Path(path).unlink()
    return "done"


def move(path: str) -> str:
    Path(path).rename("taken")
    return "done"


def make_folder(path: str) -> str:
    Path(path).mkdir()
    return "done"


def link_softly(path: str) -> str:
    Path("thumbnail.jpg").symlink_to(path)
    return "done"


def link_firmly(path: str) -> str:
    Path("thumbnail.jpg").hardlink_to(path)
    return "done"


def permit(path: str) -> str:
    Path(path).chmod(0o777)
    return "done"


def set_attributes(path: str) -> str:
    """Open for reading and set the attributes that chattr(1) sets, to those that it has."""
    get_flags, set_flags = 0x80086601, 0x40086602
    with Path(path).open("rb") as file:
        flags = bytearray(8)
        fcntl.ioctl(file, get_flags, flags)
        fcntl.ioctl(file, set_flags, bytes(flags))
    return "done"


def leave_device() -> str:
    """Rename a file so that a device with the number 0 takes its place."""
    Path("file").touch()
    here, whiteout = -100, 4
    return _call("renameat2", here, b"file", here, b"thumbnail.jpg", whiteout)


def touch(path: str) -> str:
    os.utime(path, (0, 0))
    return "done"


# What it can see of itself and of its parents.


def environment() -> dict[str, str]:
    return dict(os.environ)


def descriptors() -> dict[int, str]:
    found = {}
    for number in range(4096):
        try:
            status = os.fstat(number)
        except OSError:
            continue
        found[number] = f"{status.st_mode:o}"
    return found


def modules() -> list[str]:
    return sorted(sys.modules)


def capabilities() -> list[int]:
    """Return the effective, permitted and inheritable ones, lower halves first (capget(2))."""
    header, found = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    _libc.capget(header, found)
    return list(found)


def process_ids() -> dict[str, int]:
    return {"own": os.getpid(), "parent": os.getppid(), "threads": threading.active_count()}


# What must still work.


def work() -> str:
    """Do what decoding needs: threads, files that are renamed and deleted, random numbers."""
    done = threading.Event()
    thread = threading.Thread(target=done.set)
    thread.start()
    thread.join()
    Path("seg.m4s.tmp").write_bytes(b"segment")
    Path("seg.m4s.tmp").rename("seg.m4s")
    with Path("/dev/urandom").open("rb") as random:
        Path("waste").write_bytes(os.urandom(16) + random.read(16))
    Path("waste").unlink()
    import wave  # as decoders do, late

    return f"{wave.__name__} {done.is_set()}"


# What uses too much.


def compute() -> None:
    while True:
        pass


def sleep(seconds: float = 3600) -> str:
    Path("started.new").write_text(f"{os.getpid()} {os.getppid()}")
    Path("started.new").rename("started")
    time.sleep(seconds)
    return "done"


def nap() -> list[float]:
    """Return when it began and when it ended, by a clock that all processes have."""
    began = time.monotonic()
    time.sleep(0.1)
    return [began, time.monotonic()]


def hog() -> int:
    return len(bytearray(2 << 30))


def hog_mapped() -> int:
    return len(mmap.mmap(-1, 2 << 30))


def write_large(size: int) -> str:
    with Path("processed.mp4").open("wb") as file:
        while file.tell() < size:
            file.write(bytes(1 << 20))
    return "done"


def write_many(count: int, size: int) -> None:
    for number in range(count):
        with Path(f"part{number}").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)
    time.sleep(3600)


# How it can end.


def read_null() -> None:
    ctypes.string_at(0)


def abort() -> None:
    os.abort()


def leave() -> None:
    os._exit(7)


def fail() -> None:
    raise LookupError("no such\nthing")


def fill_disk() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def reject(reason: str) -> None:
    raise RejectedError(reason)


# What it can answer.


def say(text: str, times: int = 1) -> None:
    """Write anything where the answer is awaited."""
    data = memoryview(text.encode() * times)
    while data:
        data = data[os.write(_ANSWERS, data) :]
    time.sleep(3600)


def name_files(files: list[str]) -> Processed:
    return Processed(meta={}, files=tuple(files))


def give_up(step: str, reason: str) -> Processed:
    return Processed(meta={}, failures={Step(step): reason})


def make_files(files: dict[str, str], meta: dict[str, Any]) -> Processed:
    for name, content in files.items():
        Path(name).write_text(content)
    return Processed(meta=meta, files=tuple(files))


def make_pipe() -> Processed:
    os.mkfifo("thumbnail.jpg")
    return Processed(meta={}, files=("thumbnail.jpg",))


def _call(name: str, *arguments: Any) -> str:
    if getattr(_libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), name)
    return "done"
