"""What a child process does: lock itself up, process one file, answer."""

import errno
import os
import signal
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from mediatheque.processing import sandbox
from mediatheque.processing.answers import (
    Answer,
    Defect,
    Done,
    Progress,
    Protected,
    Rejected,
    Request,
    Unable,
)
from mediatheque.processing.tasks import Processed, RejectedError, Task

_ANSWERS = 3
_LEAST_PROGRESS = 0.001
_TRACEBACK_CHARACTERS = 4000
_FULL = {errno.ENOSPC, errno.EDQUOT}


class Process(Protocol):
    """Looks into one file; see ``processing.steps``."""

    def __call__(
        self, source: str, folder: str, task: Task, report: Callable[[float], None]
    ) -> Processed:
        """Process the file at ``source``; write to ``folder``; ``report`` how much is done."""
        ...


def run(request: Request, answers: int, process: Process) -> None:
    """Process one file in a sandbox, and write what came of it to the pipe ``answers``.

    The process must have been forked for this, and end afterwards.
    """
    _keep_only(answers)
    # Python ignores this one; it shall end us, so that the parent knows why nothing came of it.
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    _send(_answer(request, process))


def _keep_only(answers: int) -> None:
    """Close all descriptors but the pipe, which becomes number 3."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    os.dup2(answers, _ANSWERS)
    os.closerange(_ANSWERS + 1, os.sysconf("SC_OPEN_MAX"))


def _answer(request: Request, process: Process) -> Answer:
    try:
        protection = _enter(request)
    except OSError as error:
        return Unable(f"A child process could not be locked up: {error}.")
    if request.task is None:
        return Protected(protection)
    try:
        return Done(process(request.source, request.folder, request.task, _Reporter()))
    except RejectedError as error:
        return Rejected(error.detail)
    except MemoryError:
        memory = request.limits.memory >> 20
        return Rejected(
            f"Looking into the file takes more than the {memory} MiB of memory allowed "
            "(MEDIATHEQUE_PROCESSING_MEMORY). It is kept as it is."
        )
    except OSError as error:
        if error.errno in _FULL:
            return Unable(f"There is no room left for what is made of the file: {error.strerror}.")
        return _defect(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent hears of it
        return _defect(error)


def _enter(request: Request) -> sandbox.Protection:
    source = Path(request.source)
    protection = sandbox.enter(source=source, folder=Path(request.folder), limits=request.limits)
    # That it cannot be read must not be taken for a fault of the file.
    source.open("rb").close()
    return protection


def _defect(error: Exception) -> Defect:
    lines = "".join(traceback.format_exception(error))
    return Defect(f"{type(error).__name__}: {error}", lines[-_TRACEBACK_CHARACTERS:])


class _Reporter:
    """Sends how much is done, at most a thousand times."""

    def __init__(self) -> None:
        self._sent = 0.0

    def __call__(self, done: float) -> None:
        done = min(done, 1.0)
        if done >= self._sent + _LEAST_PROGRESS:
            self._sent = done
            _send(Progress(done))


def _send(answer: Answer) -> None:
    line = memoryview(msgspec.json.encode(answer) + b"\n")
    while line:
        line = line[os.write(_ANSWERS, line) :]
