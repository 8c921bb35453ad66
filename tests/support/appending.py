"""A process that appends to an intake for ever, and says what it has recorded.

``python -m tests.support.appending ROOT ID``: each line is the size, the checksum and the key of
the segment, after the state that it tells is durable.
"""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from mediatheque.storage.local import LocalStore
from tests.support.intakes import append, new_intake

PATTERN = bytes(range(251))  # no divisor of any piece: a shifted byte shows
PIECE_BYTES = 70_000


def content(end: int, *, start: int = 0) -> bytes:
    """Return what the process has written from ``start`` to before ``end``."""
    skipped = start % len(PATTERN)
    repeats = (end - start) // len(PATTERN) + 2
    return (PATTERN * repeats)[skipped : skipped + end - start]


async def _append_for_ever(root: Path, intake_id: UUID) -> None:
    store = LocalStore(root)
    intake = replace(new_intake(), id=intake_id)
    while True:
        starts = [intake.size + number * PIECE_BYTES for number in range(3)]
        pieces = [content(start + PIECE_BYTES, start=start) for start in starts]
        intake = await append(store, intake, *pieces)
        print(intake.size, intake.crc64nvme, intake.segments[0].object_key, flush=True)


if __name__ == "__main__":
    asyncio.run(_append_for_ever(Path(sys.argv[1]), UUID(sys.argv[2])))
