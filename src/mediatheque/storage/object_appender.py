"""Bytes on their way to the end of an intake whose segments are objects of a store.

An object that holds a segment is never written again, and each has a name of its own, so that a
process that was presumed dead spoils nothing.
"""

import asyncio
import contextlib
import uuid
from collections.abc import Sequence

from mediatheque.domain.errors import MediathequeError
from mediatheque.domain.intakes import Intake, Segment
from mediatheque.storage import keys
from mediatheque.storage.digest import RunningCrc
from mediatheque.storage.intakes import Appended, Hasher
from mediatheque.storage.one_behind import OneBehind
from mediatheque.storage.part_sizes import part_bytes
from mediatheque.storage.segments import (
    MOST_TAILS,
    SEGMENT_TYPE,
    count_full,
    first_to_merge,
    merge,
)
from mediatheque.storage.stores import ObjectWriter, Store

_BATCH_BYTES = 1 << 20


class ObjectAppender:
    """See ``Appender``. At most one object is being finished while the next one is filled.

    An object ends where a full segment does, so that the tails before it and it together make one
    of exactly that size.
    """

    def __init__(self, store: Store, intake: Intake, digests: Sequence[Hasher]) -> None:
        self._store = store
        self._intake = intake
        self._digests = digests
        self._undigested: list[bytes] = []
        self._undigested_bytes = 0
        full = count_full(intake.segments)
        self._full = list(intake.segments[:full])
        self._tails = list(intake.segments[full:])
        self._size = intake.size
        self._crc = RunningCrc(intake.crc64nvme)
        self._filling = full + 1  # number of the full segment that comes next
        self._room = part_bytes(None, self._filling) - sum(tail.size for tail in self._tails)
        self._key = ""
        self._writer: ObjectWriter | None = None
        self._finishing = OneBehind()
        self._made: set[str] = set()
        self._flushed: set[str] = set()
        self._closed = False

    async def write(self, piece: bytes) -> None:
        """See ``Appender.write``."""
        await self._digest(piece)
        position = 0
        while position < len(piece):
            if self._writer is None:
                self._key = keys.staging(self._intake.id, uuid.uuid4().hex)
                self._writer = self._store.writer(
                    self._key, content_type=SEGMENT_TYPE, size_hint=self._room
                )
            taken = piece[position : position + min(self._room, _BATCH_BYTES)]
            await self._writer.write(taken)
            position += len(taken)
            self._room -= len(taken)
            if not self._room:
                await self._finish()

    async def flush(self) -> Appended:
        """See ``Appender.flush``."""
        await self._finish()
        await self._finishing.wait()
        await self._feed_digests()
        if len(self._tails) > MOST_TAILS:
            await self._merge(first_to_merge(self._tails))
        return await self.checkpoint()

    async def checkpoint(self) -> Appended:
        """See ``Appender.checkpoint``: objects that are finished are durable."""
        segments = (*self._full, *self._tails)
        self._flushed |= {segment.object_key for segment in segments}
        return Appended(segments, self._size, self._crc.value)

    async def rest(self) -> None:
        """See ``Appender.rest``."""
        await self.close()

    async def close(self, *, recorded: bool = True) -> None:
        """See ``Appender.close``."""
        if self._closed:
            return
        self._closed = True
        if not recorded:
            self._flushed = set()
        # A cancelled caller must not leave a writer behind.
        await asyncio.shield(self._let_go())

    async def _let_go(self) -> None:
        await self._finishing.end()
        if self._writer is not None:
            await self._writer.abort()
        for key in self._made - self._flushed:
            # What cannot be deleted only takes room: it was never recorded.
            with contextlib.suppress(MediathequeError):
                await self._store.delete(key)

    async def _digest(self, piece: bytes) -> None:
        if self._digests:
            self._undigested.append(piece)
            self._undigested_bytes += len(piece)
            if self._undigested_bytes >= _BATCH_BYTES:
                await self._feed_digests()

    async def _feed_digests(self) -> None:
        batch, self._undigested, self._undigested_bytes = self._undigested, [], 0
        if batch:
            await asyncio.to_thread(self._feed, batch)

    def _feed(self, batch: Sequence[bytes]) -> None:
        for piece in batch:
            for digest in self._digests:
                digest.update(piece)

    async def _finish(self) -> None:
        """Start to finish the object that is being filled, as soon as the one before it is."""
        await self._finishing.wait()
        if self._writer is None:
            return
        completes = not self._room
        if completes:
            self._filling += 1
            self._room = part_bytes(None, self._filling)
        committing = self._commit(self._writer, self._key, completes=completes)
        self._writer = None
        self._finishing.start(committing)
        if completes and self._tails:
            # They are merged, which takes memory: who waited for that with an object begun, and
            # memory taken for it, could wait for ever.
            await self._finishing.wait()

    async def _commit(self, writer: ObjectWriter, key: str, *, completes: bool) -> None:
        try:
            stored = await writer.commit()
        except BaseException:
            await writer.abort()
            raise
        self._made.add(key)
        self._tails.append(Segment(key, stored.size))
        self._size += stored.size
        self._crc.extend(stored.crc64nvme, stored.size)
        if completes:
            if len(self._tails) > 1:
                await self._merge(0)
            self._full.append(self._tails.pop())

    async def _merge(self, first: int) -> None:
        """Make one object of all tails from position ``first`` on."""
        merged = await merge(self._store, self._intake, self._tails[first:])
        self._made.add(merged.key)
        self._tails[first:] = [Segment(merged.key, merged.size)]
