"""What a transfer would take along, looked at before there is one. Nothing is written."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

from mediatheque.domain.transfers import FileState
from mediatheque.services.transfer_scan import state_of
from mediatheque.storage.beneath import Place
from mediatheque.storage.sources import SourceRoots
from mediatheque.storage.walk import Found

_MOST_SECONDS = 10.0
_MOST_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class TransferPreview:
    """What the sources of a transfer lead to: so many files, and the bytes of all of them.

    ``failing`` cannot be read, ``skipped`` have no bytes: links to folders, pipes, devices.
    ``problems`` are the first sentences that tell why. ``whole``: everything was looked at; else
    there are more.
    """

    files: int
    bytes: int
    failing: int
    skipped: int
    problems: tuple[str, ...]
    whole: bool


async def preview(
    roots: SourceRoots, places: Sequence[Place], *, seconds: float = _MOST_SECONDS
) -> TransferPreview:
    """Return what is at and below some places, as far as it is found in so many seconds."""
    stop = threading.Event()
    try:
        return await asyncio.to_thread(_look, roots, places, seconds, stop)
    finally:
        stop.set()


class _EnoughError(Exception):
    """Nobody waits any more for what is looked for."""


def _look(
    roots: SourceRoots, places: Sequence[Place], seconds: float, stop: threading.Event
) -> TransferPreview:
    deadline = time.monotonic() + seconds
    counted = dict.fromkeys(FileState, 0)
    size = 0
    problems: list[str] = []
    whole = True

    def check() -> None:
        if stop.is_set() or time.monotonic() > deadline:
            raise _EnoughError

    try:
        for found, named in _found(roots, places, check):
            state = state_of(found, named=named)
            counted[state] += 1
            size += found.size
            if found.problem is not None and len(problems) < _MOST_PROBLEMS:
                problems.append(found.problem)
            check()
    except _EnoughError:
        whole = False
    return TransferPreview(
        files=counted[FileState.PENDING],
        bytes=size,
        failing=counted[FileState.FAILED],
        skipped=counted[FileState.SKIPPED],
        problems=tuple(problems),
        whole=whole,
    )


def _found(
    roots: SourceRoots, places: Sequence[Place], check: Callable[[], None]
) -> Iterator[tuple[Found, bool]]:
    """Yield everything once, and whether it is a source itself. Blocks."""
    for place in _outermost(places):
        for found in roots.walk(place, entering=check):
            yield found, found.place == place


def _outermost(places: Sequence[Place]) -> Iterator[Place]:
    """Yield those that are not below another one."""
    folders = ((place.path.rstrip(b"/") + b"/", place) for place in places)
    last: bytes | None = None
    for folder, place in sorted(folders, key=itemgetter(0)):
        if last is None or not folder.startswith(last):
            last = folder
            yield place
