"""Reading files of a sync where their looks do not tell whether an object has their content."""

import asyncio
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from mediatheque.domain.sync_plan import BucketEntry, Remembered, SourceEntry, settled_ctime
from mediatheque.services.sync_source import VanishedError, shown
from mediatheque.storage.beneath import Place
from mediatheque.storage.fingerprints import Fingerprint
from mediatheque.storage.hashing import hash_source
from mediatheque.storage.mirrors import Mirror
from mediatheque.storage.pace import SendingStoppedError
from mediatheque.storage.sending import Source, SourceChangedError, SourceReadError
from mediatheque.storage.sources import Reason, SourceError, SourceFile, SourceRoots
from mediatheque.storage.threads import Threads

_GROUPS_AT_ONCE = 8
_GROUP_FILES = 32
_GROUP_BYTES = 16 << 20


class Doubt(NamedTuple):
    """A file that has to be read, and the object of its key, if there is one.

    ``remembered`` is what was known when the object had the content of the file. Without an object
    of its own, the content may be that of one of ``others``, whose files looked the same.
    """

    source: SourceEntry
    stored: BucketEntry | None
    remembered: Remembered | None
    others: tuple[Remembered, ...] = ()


class Answer(NamedTuple):
    """What reading a file has told.

    ``same`` is what to remember of its key, when an object has its content: its own, or ``origin``.
    ``error`` says in a sentence why the file cannot be read.
    """

    doubt: Doubt
    same: Remembered | None = None
    origin: Remembered | None = None
    error: str | None = None


class FileReader:
    """Reads files below a source. ``stop`` ends it soon, in whatever thread it is reading."""

    def __init__(
        self, roots: SourceRoots, place: Place, mirror: Mirror, stop: threading.Event
    ) -> None:
        self._roots = roots
        self._place = place
        self._mirror = mirror
        self._stop = stop

    def read(self, doubts: Sequence[Doubt]) -> list[Answer]:
        """Answer several doubts, one after the other. Blocks.

        Raises SendingStoppedError, VanishedError when one of the files is there no more, and what
        the mirror raises.
        """
        return [self._answer(doubt) for doubt in doubts]

    def _answer(self, doubt: Doubt) -> Answer:
        if doubt.others and not (gone := self._without_files(doubt)):
            return Answer(doubt)
        place = self._place.below(doubt.source.path)
        # The file may be written to again from now on: only what it looks like tells of that.
        now = time.time_ns()
        try:
            with self._roots.open(place) as file:
                if not _is_still(doubt.source, file.fingerprint):
                    return Answer(doubt)
                source = _Stoppable(file, self._stop)
                if doubt.others:
                    return self._find_origin(doubt, gone, source, now)
                return self._compare(doubt, source, now)
        except SourceChangedError:
            return Answer(doubt)
        except SourceReadError as error:
            return Answer(doubt, error=f"{shown(doubt.source.path)}: {error.detail}")
        except SourceError as error:
            if error.reason is not Reason.UNREADABLE:
                raise VanishedError(place) from error
            return Answer(doubt, error=error.detail)

    def _compare(self, doubt: Doubt, file: Source, now: int) -> Answer:
        """Compare a file with the object of its key."""
        known = doubt.remembered
        stored = doubt.stored
        assert stored is not None
        if known is None:
            compared = self._mirror.compare(stored, file)
            same, blake3, uploaded = compared.equal, compared.blake3, False
        else:
            blake3 = hash_source(file)
            same, uploaded = blake3 == known.blake3, known.uploaded
        if not same:
            return Answer(doubt)
        return Answer(doubt, _remember(doubt.source, stored.etag, blake3, now, uploaded=uploaded))

    def _find_origin(self, doubt: Doubt, gone: list[Remembered], file: Source, now: int) -> Answer:
        blake3 = hash_source(file)
        for other in gone:
            if other.blake3 == blake3:
                same = _remember(doubt.source, other.etag, blake3, now, uploaded=True)
                return Answer(doubt, same, origin=other)
        return Answer(doubt)

    def _without_files(self, doubt: Doubt) -> list[Remembered]:
        """Return those of the others whose own file is gone or another now, the likeliest first."""
        gone = [other for other in doubt.others if not self._has_its_file(other)]
        return sorted(gone, key=lambda other: other.inode != doubt.source.inode)

    def _has_its_file(self, other: Remembered) -> bool:
        try:
            with self._roots.open(self._place.below(other.key)) as file:
                looks = file.fingerprint
        except SourceError:
            return False
        return (looks.size, looks.mtime_ns, looks.inode) == (
            other.size,
            other.mtime_ns,
            other.inode,
        )


@dataclass(frozen=True, slots=True)
class _Stoppable:
    """A ``Source`` that whoever reads it loses, between two pieces, when ``stop`` is set."""

    file: SourceFile
    stop: threading.Event

    @property
    def descriptor(self) -> int:
        if self.stop.is_set():
            raise SendingStoppedError
        return self.file.descriptor

    @property
    def size(self) -> int:
        return self.file.size

    def changed(self) -> bool:
        return self.file.changed()


class Readings:
    """Answers doubts in threads, in groups, and in whatever order they are done."""

    def __init__(self, reader: FileReader, threads: Threads) -> None:
        self._reader = reader
        self._threads = threads
        self._groups: set[asyncio.Future[list[Answer]]] = set()

    async def ask(self, doubts: Iterable[Doubt]) -> list[Answer]:
        """Begin with these doubts; return the answers to earlier ones that there are by now.

        Waits while too many have no answer. Raises what ``FileReader.read`` raises.
        """
        answers = []
        loop = asyncio.get_running_loop()
        for group in _groups(doubts):
            answers += await self._wait(most=_GROUPS_AT_ONCE - 1)
            reading = loop.run_in_executor(self._threads, partial(self._reader.read, group))
            self._groups.add(reading)
        return answers

    async def rest(self) -> list[Answer]:
        """Return the answers that are still to come."""
        return await self._wait(most=0)

    def close(self) -> None:
        """Wait for no answer any more."""
        for reading in self._groups:
            reading.cancel()

    async def _wait(self, *, most: int) -> list[Answer]:
        answers: list[Answer] = []
        while len(self._groups) > most:
            done, self._groups = await asyncio.wait(
                self._groups, return_when=asyncio.FIRST_COMPLETED
            )
            for group in await asyncio.gather(*done):
                answers += group
        return answers


def _groups(doubts: Iterable[Doubt]) -> Iterator[list[Doubt]]:
    """Put small files together: to begin a reading takes longer than to read one of them."""
    group: list[Doubt] = []
    size = 0
    for doubt in doubts:
        group.append(doubt)
        size += doubt.source.size
        if len(group) == _GROUP_FILES or size >= _GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _is_still(source: SourceEntry, looks: Fingerprint) -> bool:
    return (source.size, source.mtime_ns, source.ctime_ns, source.inode) == (
        looks.size,
        looks.mtime_ns,
        looks.ctime_ns,
        looks.inode,
    )


def _remember(
    source: SourceEntry, etag: str, blake3: str, now: int, *, uploaded: bool
) -> Remembered:
    return Remembered(
        key=source.key,
        size=source.size,
        etag=etag,
        mtime_ns=source.mtime_ns,
        ctime_ns=settled_ctime(source.ctime_ns, now),
        inode=source.inode,
        blake3=blake3,
        uploaded=uploaded,
    )
