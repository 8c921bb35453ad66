"""Source trees on disk: nasty names, paths longer than any call takes, readings of places."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from mediatheque.storage.beneath import Opener, Place, best_opener, open_by_names
from mediatheque.storage.sources import SourceRoots

OPENERS: list[Opener] = (
    [open_by_names] if best_opener() is open_by_names else [best_opener(), open_by_names]
)
"""Every way of staying below a root that this system has."""

NASTY_NAMES = [
    b"\xff\xfe not UTF-8.mp4",
    b"100%25 #1?.mp4",
    b"a b\tc\nd.mp4",
    b"\xe6\x97\xa5\xe6\x9c\xac.mp4",
    b"x" * 255,
    b"-rf",
    b"...",
    b"back\\slash",
    b"file:",
]


def read(sources: SourceRoots, place: Place) -> bytes:
    """Return the content of a small source."""
    with sources.open(place) as source:
        return os.read(source.descriptor, 1 << 20)


def make_deep(folder: Path, name: bytes, levels: int, content: bytes) -> bytes:
    """Nest ``levels`` folders called ``name``, a file ``deep.mp4`` in the last; return its path.

    No single call takes so long a path, so each folder is made relative to the one above it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=descriptor)
        inner = os.open(name, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    file = os.open(b"deep.mp4", os.O_WRONLY | os.O_CREAT, dir_fd=descriptor)
    os.write(file, content)
    os.close(file)
    os.close(descriptor)
    return (name + b"/") * levels + b"deep.mp4"


def open_descriptors() -> int:
    """Return how many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


@contextlib.contextmanager
def meanwhile(script: str, *arguments: str | Path) -> Iterator[None]:
    """Run an endless Python script in a process of its own while the block lasts."""
    with subprocess.Popen([sys.executable, "-S", "-c", script, *arguments]) as process:
        try:
            yield
            assert process.poll() is None
        finally:
            process.kill()


def remove_tree(folder: Path) -> None:
    """Remove a tree that is too deep for Python's own means."""
    subprocess.run(["rm", "-rf", "--", folder], check=True)
