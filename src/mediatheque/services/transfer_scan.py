"""Finding the files of a transfer. Done again after an interruption, it adds what is missing."""

import asyncio
import os
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from urllib.parse import unquote_to_bytes

from mediatheque.catalog import transfer_files, transfers
from mediatheque.catalog.database import Database
from mediatheque.domain.errors import InvalidError
from mediatheque.domain.ids import new_id
from mediatheque.domain.transfers import FileState, Transfer, TransferFile
from mediatheque.services.job_runs import JobRun, patiently
from mediatheque.storage.beneath import Place
from mediatheque.storage.sources import SourceError, SourceRoots
from mediatheque.storage.walk import Found, FoundKind

_BATCH_FILES = 1000
_BATCH_SECONDS = 0.3
_PATIENCE_SECONDS = 30.0

_WITHOUT_BYTES = {FoundKind.SPECIAL, FoundKind.LINK_TO_FOLDER, FoundKind.DANGLING}
"""What is in many folders and holds nothing to transfer: no reason for a transfer to fail."""


class Scan:
    """Writes the files of one transfer into the catalog, in batches."""

    def __init__(
        self, run: JobRun, database: Database, roots: SourceRoots, transfer: Transfer
    ) -> None:
        self._run = run
        self._database = database
        self._roots = roots
        self._transfer = transfer
        self._positions: Iterator[int] = count()
        self._numbering = asyncio.Lock()

    async def scan(self) -> None:
        """Add every file that the sources lead to, each once. Raises JobStopped in between."""
        await self._continue_numbers()
        await self._add_all(self._named())
        await patiently(self._end, seconds=_PATIENCE_SECONDS)

    async def add_below(self, place: Place) -> None:
        """Add the files below a folder that could not be read before."""
        async with self._numbering:
            await self._continue_numbers()
            await self._add_all(self._below(place))

    async def _continue_numbers(self) -> None:
        async with self._database.read() as connection:
            last = await transfer_files.last_position(connection, self._run.id)
        self._positions = count(last + 1)

    def _named(self) -> Iterator[TransferFile]:
        """Yield the rows of everything that the sources lead to. Blocks."""
        for uri in self._transfer.sources:
            try:
                place = self._roots.locate(uri)
            except InvalidError as error:
                yield self._missing(uri, error)
            else:
                yield from self._below(place)

    def _below(self, place: Place) -> Iterator[TransferFile]:
        """Yield the rows of what is at or below a place. Blocks."""
        for found in self._roots.walk(place):
            yield self._file(found, named=found.place == place)

    async def _add_all(self, files: Iterator[TransferFile]) -> None:
        while batch := await asyncio.to_thread(_next_batch, files):
            await self._add(batch)
            await self._run.save()

    async def _add(self, files: list[TransferFile]) -> None:
        async def write() -> None:
            async with self._database.begin() as transaction:
                await self._run.still_holds(transaction)
                await transfer_files.add(transaction, self._run.id, files)

        await patiently(write, seconds=_PATIENCE_SECONDS)

    async def _end(self) -> None:
        async with self._database.begin() as transaction:
            await self._run.still_holds(transaction)
            await transfers.change(transaction, self._run.id, scanned=True)

    def _file(self, found: Found, *, named: bool) -> TransferFile:
        """Return the row of what was found; ``named``: it is a source itself."""
        state = state_of(found, named=named)
        return _row(next(self._positions), found.place, state, found.problem, size=found.size)

    def _missing(self, uri: str, error: InvalidError) -> TransferFile:
        """Return the row of a source that was there when the transfer was started."""
        if isinstance(error, SourceError):
            place = error.place
        else:  # its root is not configured any more
            path = unquote_to_bytes(uri.removeprefix("file://"))
            place = Place(Path("/"), path.lstrip(b"/"))
        return _row(next(self._positions), place, FileState.FAILED, error.detail)


def state_of(found: Found, *, named: bool) -> FileState:
    """Return in what state a transfer begins with what was found; ``named``: it is a source."""
    if found.problem is None:
        return FileState.PENDING
    if found.kind in _WITHOUT_BYTES and not named:
        return FileState.SKIPPED
    return FileState.FAILED


def place_of(file: TransferFile) -> Place:
    """Return the place of a file's row."""
    root = file.root.rstrip(b"/") + b"/"
    return Place(Path(os.fsdecode(file.root)), file.path[len(root) :])


def _next_batch(files: Iterator[TransferFile]) -> list[TransferFile]:
    """Return what a moment's search finds; nothing at the end. Blocks."""
    deadline = time.monotonic() + _BATCH_SECONDS
    batch: list[TransferFile] = []
    for file in files:
        batch.append(file)
        if len(batch) == _BATCH_FILES or time.monotonic() > deadline:
            break
    return batch


def _row(
    position: int, place: Place, state: FileState, error: str | None, *, size: int = 0
) -> TransferFile:
    return TransferFile(
        position=position,
        root=bytes(place.root),
        path=place.path,
        size=size,
        sent=0,
        state=state,
        error=error,
        media_id=new_id() if state is FileState.PENDING else None,
        upload_id=None,
        crc64nvme=None,
        blake3=None,
    )
