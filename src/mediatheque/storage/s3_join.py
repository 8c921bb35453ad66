"""Making one object of an intake's segments inside an S3 store.

A segment that is large enough is a part of the object, which the store copies. Small ones, at the
end or where an upload was put together of others, pass through this process, with as many bytes of
the next one as they lack: S3 wants at least 5 MiB of every part but the last, and copies ranges
only of objects that are larger than that.
"""

import asyncio
import itertools
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from botocore.exceptions import ClientError

from mediatheque.domain.intakes import NO_BYTES_CRC64NVME, Intake, Segment
from mediatheque.storage.digest import RunningCrc
from mediatheque.storage.intakes import lost
from mediatheque.storage.multipart import MultipartUpload
from mediatheque.storage.s3_bucket import S3Bucket
from mediatheque.storage.s3_errors import is_checksum_refused, is_missing
from mediatheque.storage.s3_writer import PartMemory
from mediatheque.storage.segments import read_range
from mediatheque.storage.stores import Store

SMALLEST_PART = 5 << 20
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Range:
    """The bytes ``start`` to before ``end`` of a segment's object."""

    object_key: str
    start: int
    end: int

    @property
    def size(self) -> int:
        """How many bytes they are."""
        return self.end - self.start


Part = tuple[Range, ...]
"""The ranges that a part consists of."""


def is_copied(part: Part) -> bool:
    """Tell whether the store copies a part; the others are sent."""
    return len(part) == 1 and part[0].size > SMALLEST_PART


def plan_parts(segments: Sequence[Segment]) -> list[Part]:
    """Return the parts of one object, in order; those that are sent have less than 10 MiB."""
    return list(_parts(segments))


def _parts(segments: Sequence[Segment]) -> Iterator[Part]:
    small: list[Range] = []
    for segment in segments:
        missing = SMALLEST_PART - sum(one.size for one in small) if small else 0
        left = segment.size - missing
        if left >= SMALLEST_PART:
            if small:
                yield (*small, Range(segment.object_key, 0, missing))
                small = []
            yield (Range(segment.object_key, missing, segment.size),)
            continue
        small.append(Range(segment.object_key, 0, segment.size))
        if sum(one.size for one in small) >= SMALLEST_PART:
            yield tuple(small)
            small = []
    if small:
        yield tuple(small)


class S3Join:
    """Makes one object of an intake's ``parts`` under ``key``.

    ``store`` is the one behind ``bucket``; ``memory`` bounds what all of a process send at once.
    """

    def __init__(
        self, bucket: S3Bucket, store: Store, memory: PartMemory, intake: Intake, key: str
    ) -> None:
        self._bucket = bucket
        self._store = store
        self._memory = memory
        self._intake = intake
        self._key = key
        self._give_up = threading.Event()

    async def join(self, parts: Sequence[Part], content_type: str) -> None:
        """Make it. The store compares the intake's checksum over all of it.

        Raises ConflictError when that differs or a segment is gone.
        """
        upload = await self._bucket.transfer(
            MultipartUpload.begin, self._bucket, self._key, content_type
        )
        try:
            numbered = enumerate(parts, start=1)
            while batch := list(itertools.islice(numbered, _AT_ONCE)):
                async with asyncio.TaskGroup() as group:
                    for number, part in batch:
                        group.create_task(self._add(upload, number, part))
            await self._bucket.transfer(self._complete, upload)
        except BaseException as error:
            self._give_up.set()
            await self._bucket.run(upload.abort)
            if isinstance(error, BaseExceptionGroup):
                raise error.exceptions[0] from None
            raise

    async def _add(self, upload: MultipartUpload, number: int, part: Part) -> None:
        if is_copied(part):
            await self._bucket.transfer(self._copy, upload, number, part[0])
            return
        size = sum(one.size for one in part)
        await self._memory.take(size)
        try:
            body = bytearray()
            for one in part:
                async for piece in read_range(
                    self._store, self._intake, one.object_key, one.start, one.end
                ):
                    body += piece
            await self._bucket.transfer(self._send, upload, number, memoryview(body))
        finally:
            self._memory.give_back(size)

    def _copy(self, upload: MultipartUpload, number: int, one: Range) -> None:
        try:
            upload.copy_segment(number, one.object_key, one.start, one.end)
        except ClientError as error:
            if is_missing(error):
                raise lost(self._intake) from error
            raise

    def _send(self, upload: MultipartUpload, number: int, body: memoryview) -> None:
        crc = RunningCrc(NO_BYTES_CRC64NVME)
        crc.update(body)
        upload.send_part(number, body, crc64nvme=crc.value, give_up=self._give_up)

    def _complete(self, upload: MultipartUpload) -> None:
        try:
            upload.complete(size=self._intake.size, crc64nvme=self._intake.crc64nvme)
        except ClientError as error:
            if is_checksum_refused(error):
                raise lost(self._intake) from error
            raise
