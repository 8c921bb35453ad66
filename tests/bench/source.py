"""The bytes that are sent: incompressible, in the page cache, and known by their digest."""

import mmap
import os
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Slice:
    """A run of bytes of an open file: what one upload sends. ``digest`` is BLAKE3 in hex."""

    descriptor: int
    offset: int
    size: int
    digest: str


class Source:
    """A file of random bytes, opened for the length of a run."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self.size = size

    def cut(self, offset: int, size: int) -> Slice:
        """Return a run of the file's bytes with its digest; reading them warms the cache."""
        with mmap.mmap(self._descriptor, 0, prot=mmap.PROT_READ) as view:
            window = memoryview(view)[offset : offset + size]
            digest = blake3(window, max_threads=blake3.AUTO).hexdigest()
            window.release()
        return Slice(self._descriptor, offset, size, digest)


@contextmanager
def random_source(directory: Path, size: int) -> Iterator[Source]:
    """Write ``size`` bytes that do not compress, and remove them at the end."""
    path = directory / "source.bin"
    generator = random.Random(20240229)
    with path.open("wb") as file:
        for start in range(0, size, MIB):
            file.write(generator.randbytes(min(MIB, size - start)))
        file.flush()
        os.fsync(file.fileno())
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield Source(descriptor, size)
    finally:
        os.close(descriptor)
        path.unlink()


@contextmanager
def random_files(directory: Path, count: int, size: int) -> Iterator[list[Path]]:
    """Write files of ``size`` bytes that do not compress, and remove them at the end."""
    directory.mkdir(parents=True)
    generator = random.Random(20240229)
    paths = [directory / f"{number:06}.bin" for number in range(count)]
    for path in paths:
        with path.open("wb") as file:
            for start in range(0, size, MIB):
                file.write(generator.randbytes(min(MIB, size - start)))
    try:
        yield paths
    finally:
        shutil.rmtree(directory)


def tree(directory: Path, count: int, size: int, *, per_folder: int) -> Path:
    """Write ``count`` files of ``size`` bytes that do not compress, and return their folder."""
    generator = random.Random(20240229)
    for number in range(count):
        folder = directory / f"{number // per_folder:04}"
        if number % per_folder == 0:
            folder.mkdir(parents=True)
        (folder / f"{number:06}.bin").write_bytes(generator.randbytes(size))
    return directory


def file_digest(path: Path) -> str:
    """BLAKE3 of a file on disk, in hex."""
    return blake3(max_threads=blake3.AUTO).update_mmap(path).hexdigest()
