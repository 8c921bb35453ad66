"""Sorting more entries than memory should hold: sorted runs on disk, merged. All calls block."""

import contextlib
import heapq
import os
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import GenericAlias
from typing import Any, Generic, Self, TypeVar

import msgspec

from mediatheque.domain.errors import StorageFullError

Entry = TypeVar("Entry", bound=bytes | tuple[Any, ...])
"""What can be sorted: bytes, or a NamedTuple of plain values that begins with its key's bytes."""

_BATCH_ENTRIES = 1000
_PIECE_ENTRIES = 256  # what is held of each run while they are merged


def sort_entries(
    batches: Iterable[list[Entry]], *, run_entries: int = 50_000, folder: Path | None = None
) -> Iterator[list[Entry]]:
    """Yield the same entries in order, in batches; entries are all of one type.

    At most ``run_entries`` are held in memory, and a few of each run. The rest waits in a file
    without a name in ``folder``, by default where the system keeps temporary files; it is gone
    with the iterator. Raises StorageFullError when there is no room for it, and what ``batches``
    raises.
    """
    with contextlib.ExitStack() as opened:
        runs: _Runs[Entry] | None = None
        held: list[Entry] = []
        for batch in batches:
            held += batch
            if len(held) >= run_entries:
                held.sort()
                runs = runs or opened.enter_context(_Runs(type(held[0]), folder))
                runs.add(held)
                held = []
        held.sort()
        merged = heapq.merge(held, *runs.read()) if runs else iter(held)
        while batch := list(islice(merged, _BATCH_ENTRIES)):
            yield batch


class _Runs(Generic[Entry]):
    """Sorted runs, one after the other in one file that has no name. A context manager."""

    def __init__(self, kind: type[Entry], folder: Path | None) -> None:
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[list[Entry]] = msgspec.msgpack.Decoder(
            GenericAlias(list, (kind,))
        )
        try:
            self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - closed below
        except OSError as error:
            raise _no_room(folder, error) from error
        self._folder = folder
        self._runs: list[list[int]] = []  # sizes in bytes of each run's pieces

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def add(self, entries: list[Entry]) -> None:
        """Write a run that is sorted."""
        sizes = []
        try:
            for start in range(0, len(entries), _PIECE_ENTRIES):
                piece = self._encoder.encode(entries[start : start + _PIECE_ENTRIES])
                sizes.append(len(piece))
                rest = memoryview(piece)
                while rest:
                    rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise _no_room(self._folder, error) from error
        self._runs.append(sizes)

    def read(self) -> Iterator[Iterator[Entry]]:
        """Return an iterator over each run; all may be read at once."""
        start = 0
        for sizes in self._runs:
            yield self._read_run(start, sizes)
            start += sum(sizes)

    def _read_run(self, start: int, sizes: list[int]) -> Iterator[Entry]:
        for size in sizes:
            yield from self._decoder.decode(os.pread(self._file.fileno(), size, start))
            start += size


def _no_room(folder: Path | None, error: OSError) -> StorageFullError:
    return StorageFullError(
        f"A long list cannot be sorted in {folder or tempfile.gettempdir()}: {error.strerror}. "
        "Make room there."
    )
