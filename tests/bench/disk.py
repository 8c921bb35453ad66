"""What one process can write to a disk when every chunk must be on it."""

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.bench.source import Slice


def megabytes_per_second(
    directory: Path, chunks: Sequence[Slice], *, files: int, seconds: float
) -> float:
    """Append chunks to ``files`` new files in turns, each with an fsync, and remove them again."""
    directory.mkdir()
    contents = [os.pread(chunk.descriptor, chunk.size, chunk.offset) for chunk in chunks]
    paths = [directory / f"{number:03}" for number in range(files)]
    with ExitStack() as opened:
        targets = [opened.enter_context(path.open("wb", buffering=0)) for path in paths]
        count = written = 0
        started = time.perf_counter()
        while (taken := time.perf_counter() - started) < seconds:
            target, content = targets[count % files], contents[count % len(contents)]
            target.write(content)
            os.fsync(target.fileno())
            count, written = count + 1, written + len(content)
    for path in paths:
        path.unlink()
    directory.rmdir()
    return written / taken / 1e6
