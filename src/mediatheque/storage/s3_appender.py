"""Bytes on their way into an intake whose object an S3 store puts together while they arrive.

For long runs of bytes that nobody reads before the object is whole. They are parts of one multipart
upload, which is completed when the intake is joined; what is less than a part is kept in small
objects meanwhile. Every run has an upload and a key of its own: what a process that was presumed
dead still sends goes to an upload that its successors leave as it was recorded. So has what comes
after very many parts, of which S3 takes 10,000 for one object.
"""

import asyncio
import contextlib
import threading
import uuid

from mediatheque.domain.errors import MediathequeError
from mediatheque.domain.intakes import NO_BYTES_CRC64NVME, Intake, Part, Segment
from mediatheque.storage import keys
from mediatheque.storage.digest import RunningCrc
from mediatheque.storage.intakes import Appended, Target
from mediatheque.storage.multipart import MultipartUpload
from mediatheque.storage.one_behind import OneBehind
from mediatheque.storage.part_memory import PartBuffer, PartMemory
from mediatheque.storage.part_sizes import part_bytes
from mediatheque.storage.s3_bucket import S3Bucket
from mediatheque.storage.s3_join import SMALLEST_PART
from mediatheque.storage.s3_runs import MOST_RUN_PARTS, first_number
from mediatheque.storage.segments import (
    MOST_TAILS,
    SEGMENT_TYPE,
    count_full,
    first_to_merge,
    merge,
    read_segments,
)
from mediatheque.storage.stores import Store

_LARGEST_PART = 32 << 20  # larger ones would leave the other uploads no memory


class S3Appender:
    """See ``Appender``. At most one part is being sent while the next one is filled."""

    def __init__(
        self, *, bucket: S3Bucket, store: Store, memory: PartMemory, intake: Intake, target: Target
    ) -> None:
        self._bucket = bucket
        self._store = store
        self._memory = memory
        self._intake = intake
        self._target = target
        full = count_full(intake.segments)
        self._before = intake.segments[:full]
        self._parts: list[Segment] = []  # of the run
        self._tails = list(intake.segments[full:])  # of which the next part begins
        self._size = intake.size
        self._crc = RunningCrc(intake.crc64nvme)
        self._key = self._new_key()
        self._number = first_number(self._before, expected=target.expected)
        self._part: PartBuffer | None = None
        self._uploads: dict[str, MultipartUpload] = {}  # of runs, by their key
        self._sending = OneBehind()
        self._give_up = threading.Event()
        self._made: set[str] = set()
        self._flushed: set[str] = set()
        self._closed = False

    async def write(self, piece: bytes) -> None:
        """See ``Appender.write``."""
        rest = memoryview(piece)
        while rest:
            if self._part is None:
                self._part = await self._new_part()
            rest = await self._part.fill(rest)
            if self._part.is_full:
                await self._hand_over()

    async def flush(self) -> Appended:
        """See ``Appender.flush``."""
        if self._part is not None and self._part.filled >= SMALLEST_PART:
            await self._hand_over()
        await self._sending.wait()
        if self._part is not None:
            await self._keep_tail()
        return await self.checkpoint()

    async def checkpoint(self) -> Appended:
        """See ``Appender.checkpoint``: parts that the store has are durable."""
        segments = (*self._before, *self._parts, *self._tails)
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
        self._give_up.set()
        # A cancelled caller must not leave a part behind that is being sent.
        await asyncio.shield(self._let_go())

    async def _let_go(self) -> None:
        await self._sending.end()
        self._release()
        # What cannot be removed only takes room: it was never recorded.
        for key in self._uploads.keys() - self._flushed:
            with contextlib.suppress(MediathequeError):
                await self._bucket.run(self._uploads[key].abort)
        for key in self._made - self._flushed:
            with contextlib.suppress(MediathequeError):
                await self._store.delete(key)

    async def _new_part(self) -> PartBuffer:
        if self._number > MOST_RUN_PARTS:
            await self._begin_run()
        # Tails go with the part that is on its way, if there is one.
        tails = [] if self._sending.busy else self._tails
        start = sum(tail.size for tail in tails)
        usual = min(part_bytes(None, self._number), _LARGEST_PART)
        capacity = max(usual, start + SMALLEST_PART)
        return await self._memory.buffer(capacity, start=start)

    async def _begin_run(self) -> None:
        await self._sending.wait()
        self._before, self._parts = (*self._before, *self._parts), []
        self._key, self._number = self._new_key(), 1

    def _new_key(self) -> str:
        return keys.beside(self._target.key, uuid.uuid4().hex[:8])

    def _release(self) -> None:
        if self._part is not None:
            self._part.release()
            self._part = None

    async def _hand_over(self) -> None:
        """Start to send the part that is being filled, as soon as the one before it has arrived."""
        await self._sending.wait()
        assert self._part is not None
        part, self._part = self._part, None
        self._sending.start(self._send(part, self._number))
        self._number += 1

    async def _send(self, part: PartBuffer, number: int) -> None:
        try:
            position = 0
            async for piece in read_segments(self._store, self._intake, self._tails):
                await part.put(position, piece)
                position += len(piece)
            segment, fresh = await self._bucket.transfer(self._send_part, part, number)
        finally:
            part.release()
        self._parts.append(segment)
        self._tails = []
        self._advance(fresh, part.filled - part.start)

    def _send_part(self, part: PartBuffer, number: int) -> tuple[Segment, str]:
        """Return the part, and the CRC64NVME of what is new in it."""
        upload = self._uploads.get(self._key)
        if upload is None:
            upload = MultipartUpload.begin(self._bucket, self._key, self._target.content_type)
            self._uploads[self._key] = upload
        content = part.content()
        fresh = _crc(content[part.start :])
        etag = upload.send_part(
            number, content, crc64nvme=_crc(content) if part.start else fresh, give_up=self._give_up
        )
        return Segment(self._key, part.filled, Part(upload.id, number, etag)), fresh

    async def _keep_tail(self) -> None:
        """Make an object of what has been filled in, and give its memory back."""
        assert self._part is not None
        part, self._part = self._part, None
        self._sending.start(self._send_tail(part))
        await self._sending.wait()
        if len(self._tails) > MOST_TAILS:
            await self._merge(first_to_merge(self._tails))

    async def _send_tail(self, part: PartBuffer) -> None:
        # Not through a writer: that takes memory, and who waited for more with some in hand could
        # wait for ever.
        key = keys.staging(self._intake.id, uuid.uuid4().hex)
        self._made.add(key)
        size = part.filled - part.start
        try:
            crc64nvme = await self._bucket.transfer(self._put_tail, key, part)
        finally:
            part.release()
        self._tails.append(Segment(key, size))
        self._advance(crc64nvme, size)

    def _put_tail(self, key: str, part: PartBuffer) -> str:
        content = part.content()[part.start :]
        crc64nvme = _crc(content)
        self._bucket.put(key, SEGMENT_TYPE, content, crc64nvme=crc64nvme, give_up=self._give_up)
        return crc64nvme

    async def _merge(self, first: int) -> None:
        merged = await merge(self._store, self._intake, self._tails[first:])
        self._made.add(merged.key)
        self._tails[first:] = [Segment(merged.key, merged.size)]

    def _advance(self, crc64nvme: str, size: int) -> None:
        self._crc.extend(crc64nvme, size)
        self._size += size


def _crc(content: memoryview) -> str:
    crc = RunningCrc(NO_BYTES_CRC64NVME)
    crc.update(content)
    return crc.value
