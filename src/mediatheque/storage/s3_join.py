"""Making one object of an intake's segments inside an S3 store.

A segment that is large enough is a part of the object, which the store copies. Small ones, at the
end or where an upload was put together of others, pass through this process, with as many bytes of
the next one as they lack: S3 wants at least 5 MiB of every part but the last, and copies ranges
only of objects that are larger than that.
"""

import asyncio
import contextlib
import functools
import itertools
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec

from botocore.exceptions import ClientError

from mediatheque.domain.errors import ConflictError
from mediatheque.domain.intakes import NO_BYTES_CRC64NVME, Intake, Segment
from mediatheque.storage.digest import RunningCrc
from mediatheque.storage.intakes import lost
from mediatheque.storage.multipart import MultipartUpload
from mediatheque.storage.part_memory import PartBuffer, PartMemory
from mediatheque.storage.s3_bucket import S3Bucket
from mediatheque.storage.s3_copy import LARGEST_COPY
from mediatheque.storage.s3_errors import is_checksum_refused, is_gone, is_missing
from mediatheque.storage.segments import read_range
from mediatheque.storage.stores import Store

P = ParamSpec("P")

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


Piece = tuple[Range, ...]
"""The ranges that a part of the joined object consists of."""


def size_of(part: Piece) -> int:
    """Return how many bytes a part has."""
    return sum(one.size for one in part)


def is_copied(part: Piece) -> bool:
    """Tell whether the store copies a part; the others are sent."""
    return len(part) == 1 and part[0].size > SMALLEST_PART


def readable(segments: Sequence[Segment]) -> list[Segment]:
    """Return segments as they are once the uploads that some are parts of are completed."""
    return [
        each
        for upload_id, several in itertools.groupby(segments, _upload_of)
        for each in (several if upload_id is None else [_completed(list(several))])
    ]


def _upload_of(segment: Segment) -> str | None:
    return None if segment.part is None else segment.part.upload_id


def _completed(parts: Sequence[Segment]) -> Segment:
    return Segment(parts[0].object_key, sum(part.size for part in parts))


def plan_parts(segments: Sequence[Segment]) -> list[Piece]:
    """Return the parts of one object, in order; those that are sent have less than 10 MiB.

    What it says of some segments must be the same in every release: how many they are is in the
    numbers that the parts behind them have got, of uploads that are under way.
    """
    return [part for large in _parts(segments) for part in _in_copyable_pieces(large)]


def _in_copyable_pieces(part: Piece) -> list[Piece]:
    if len(part) > 1 or part[0].size <= LARGEST_COPY:
        return [part]
    [whole] = part
    size = -(-whole.size // -(-whole.size // LARGEST_COPY))
    return [
        (Range(whole.object_key, start, min(start + size, whole.end)),)
        for start in range(whole.start, whole.end, size)
    ]


def _parts(segments: Sequence[Segment]) -> Iterator[Piece]:
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


async def some_at_once(calls: Iterable[Callable[[], Coroutine[Any, Any, None]]]) -> None:
    """Make all calls, a few at a time, in their order.

    Raises what one that fails raises, once those that were made with it have ended.
    """
    left = iter(calls)
    while batch := list(itertools.islice(left, _AT_ONCE)):
        for result in await asyncio.gather(*(call() for call in batch), return_exceptions=True):
            if result is not None:
                raise result


async def _again_if_lost(make: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Make an object; once more when it has other bytes than were acknowledged.

    They may have been damaged only on their way through this process.
    """
    try:
        await make()
    except ConflictError:
        await make()


class S3Join:
    """Makes one object of an intake's bytes under ``key``.

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

    async def join(self, parts: Sequence[Piece], content_type: str) -> None:
        """Make it of ``parts``. The store compares the intake's checksum over all of it.

        Raises ConflictError when that differs, twice, or a segment is gone.
        """
        await _again_if_lost(lambda: self._join(parts, content_type))

    async def _join(self, parts: Sequence[Piece], content_type: str) -> None:
        upload = await self._bucket.transfer(
            MultipartUpload.begin, self._bucket, self._key, content_type
        )
        try:
            await self._add_all(upload, enumerate(parts, start=1))
            size, crc64nvme = self._intake.size, self._intake.crc64nvme
            await self._transfer(self._complete, upload, size, crc64nvme)
        except BaseException:
            await self._bucket.run(upload.abort)
            raise

    async def join_around(
        self,
        upload: MultipartUpload,
        *,
        before: Sequence[Piece],
        after: Sequence[tuple[int, Piece]],
        size: int,
        crc64nvme: str | None,
    ) -> None:
        """Make it of the parts that ``upload`` has already, with others before and after them.

        Those after have their numbers. It then has ``size`` bytes, and this checksum if that is
        known. When it fails the upload stays as it was, with acknowledged bytes in it. Raises what
        ``join`` raises.
        """

        async def make() -> None:
            await self._add_all(upload, [*enumerate(before, start=1), *after])
            await self._transfer(self._complete, upload, size, crc64nvme)

        await _again_if_lost(make)

    async def _add_all(self, upload: MultipartUpload, parts: Iterable[tuple[int, Piece]]) -> None:
        await some_at_once(functools.partial(self._add, upload, *part) for part in parts)

    async def _add(self, upload: MultipartUpload, number: int, part: Piece) -> None:
        if is_copied(part):
            await self._transfer(self._copy, upload, number, part[0])
            return
        size = size_of(part)
        body = await self._memory.buffer(size)
        try:
            for one in part:
                async for piece in read_range(
                    self._store, self._intake, one.object_key, one.start, one.end
                ):
                    await body.fill(memoryview(piece))
            await self._transfer(self._send, upload, number, body)
        finally:
            body.release()

    async def _transfer(self, call: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """Move bytes in a thread. Returns, even when cancelled, only when that has ended.

        What it sends would be in memory that others have by then, and might arrive in an upload
        that was aborted, or that is acknowledged.
        """
        moving = asyncio.create_task(self._bucket.transfer(call, *args, **kwargs))
        try:
            await asyncio.shield(moving)
        except asyncio.CancelledError:
            self._give_up.set()
            while not moving.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait([moving])
            moving.exception()  # of no interest to who has gone
            raise

    def _copy(self, upload: MultipartUpload, number: int, one: Range) -> None:
        with self._losses():
            upload.copy_segment(number, one.object_key, one.start, one.end)

    def _send(self, upload: MultipartUpload, number: int, body: PartBuffer) -> None:
        content = body.content()
        crc = RunningCrc(NO_BYTES_CRC64NVME)
        crc.update(content)
        with self._losses():
            upload.send_part(number, content, crc64nvme=crc.value, give_up=self._give_up)

    def _complete(self, upload: MultipartUpload, size: int, crc64nvme: str | None) -> None:
        try:
            with self._losses():
                upload.complete(size=size, crc64nvme=crc64nvme)
        except ClientError as error:
            if is_checksum_refused(error):
                raise lost(self._intake) from error
            raise

    @contextlib.contextmanager
    def _losses(self) -> Iterator[None]:
        """Say so when the store does not have acknowledged bytes any more."""
        try:
            yield
        except ClientError as error:
            if is_missing(error) or is_gone(error):
                raise lost(self._intake) from error
            raise
