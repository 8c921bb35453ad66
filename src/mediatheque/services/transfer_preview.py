"""What a transfer would take along, looked at before there is one. Nothing is written."""

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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


def _look(
    roots: SourceRoots, places: Sequence[Place], seconds: float, stop: threading.Event
) -> TransferPreview:
    deadline = time.monotonic() + seconds
    counted = dict.fromkeys(FileState, 0)
    size = 0
    problems: list[str] = []
    whole = True
    for found, named in _found(roots, places):
        state = state_of(found, named=named)
        counted[state] += 1
        size += found.size
        if found.problem is not None and len(problems) < _MOST_PROBLEMS:
            problems.append(found.problem)
        if stop.is_set() or time.monotonic() > deadline:
            whole = False
            break
    return TransferPreview(
        files=counted[FileState.PENDING],
        bytes=size,
        failing=counted[FileState.FAILED],
        skipped=counted[FileState.SKIPPED],
        problems=tuple(problems),
        whole=whole,
    )


def _found(roots: SourceRoots, places: Sequence[Place]) -> Iterator[tuple[Found, bool]]:
    """Yield everything once, and whether it is a source itself. Blocks."""
    for place in _outermost(places):
        for found in roots.walk(place):
            yield found, found.place == place


def _outermost(places: Sequence[Place]) -> list[Place]:
    """Return those that are not below another one."""
    kept: dict[bytes, Place] = {}
    for place in sorted(places, key=lambda place: len(place.path)):
        folder = place.path.rstrip(b"/") + b"/"
        if not any(folder.startswith(other) for other in kept):
            kept[folder] = place
    return list(kept.values())
