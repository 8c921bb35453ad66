"""One file of this machine on its way into an S3 store."""

import contextlib
import functools
import mmap
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TypeVar

from botocore.exceptions import ClientError

from mediatheque.storage.digest import Digest
from mediatheque.storage.multipart import KeptPart, MultipartUpload
from mediatheque.storage.pace import SendingStoppedError
from mediatheque.storage.part_buffers import PartBuffers
from mediatheque.storage.part_sizes import PART_BYTES, part_bytes
from mediatheque.storage.s3_bucket import S3Bucket
from mediatheque.storage.s3_errors import s3_errors, status_of
from mediatheque.storage.sending import (
    READ_BYTES,
    Sending,
    Source,
    SourceChangedError,
    check_unchanged,
    read_source,
)
from mediatheque.storage.stores import Stored
from mediatheque.storage.threads import Threads, in_thread

T = TypeVar("T")

# Files up to this size need no memory from the buffers: they shall not queue behind large ones.
_SMALL_BYTES = 256 << 10
_CONNECTION_RATE = 16 << 20  # bytes per second: what one connection surely carries


class S3Sender:
    """See ``Store.send_file``. What fits in one part goes as one PutObject, more as parts.

    One thread of ``threads`` reads and digests, in order; the bucket's threads send the parts.
    The bytes are copied out of the source, not mapped: a file that shrinks while it is mapped
    kills the process, and one that is written to would be sent otherwise than it was digested.
    """

    def __init__(
        self,
        *,
        bucket: S3Bucket,
        buffers: PartBuffers,
        threads: Threads,
        source: Source,
        key: str,
        content_type: str,
        sending: Sending,
    ) -> None:
        self._bucket = bucket
        self._buffers = buffers
        self._threads = threads
        self._source = source
        self._key = key
        self._content_type = content_type
        self._sending = sending
        self._digest = Digest()
        self._kept: dict[int, KeptPart] = {}

    async def send(self) -> Stored:
        """Return when the object is there. Raises what ``Store.send_file`` does."""
        if self._source.size <= PART_BYTES:
            if self._sending.upload_id is not None:
                # The file was larger then. A worker that was presumed dead shall not complete
                # what it has of that over what is put now.
                earlier = MultipartUpload(self._bucket, self._key, self._sending.upload_id)
                await self._run(earlier.remove)
            return await self._run(self._put)
        if self._sending.upload_id is not None:
            earlier = MultipartUpload(self._bucket, self._key, self._sending.upload_id)
            if await self._run(lambda: self._can_continue(earlier)):
                return await self._run(lambda: self._send_parts(earlier))
            if await self._run(lambda: self._was_completed(earlier)):
                return self._stored()
        begun = await self._begin()
        return await self._run(lambda: self._send_parts(begun))

    async def _run(self, work: Callable[[], T]) -> T:
        def guarded() -> T:
            with s3_errors(self._bucket.place):
                return work()

        return await in_thread(self._threads, guarded)

    def _put(self) -> Stored:
        size = self._source.size
        if size <= _SMALL_BYTES:
            self._put_from(memoryview(bytearray(size)))
        else:
            buffer = self._buffers.take(PART_BYTES)
            try:
                self._put_from(memoryview(buffer)[:size])
            finally:
                self._buffers.give_back(buffer)
        return self._stored()

    def _put_from(self, content: memoryview) -> None:
        self._read(content, 0)
        check_unchanged(self._source)
        self._bucket.put(
            self._key,
            self._content_type,
            content,
            crc64nvme=self._digest.crc64nvme,
            give_up=self._sending.stop,
            pace=self._sending.pace,
        )
        self._sending.advanced(len(content))

    def _can_continue(self, upload: MultipartUpload) -> bool:
        """Ask the store what it has. An upload cut into other parts is removed."""
        kept = upload.kept_parts()
        if kept is None:
            return False
        size, step = self._source.size, part_bytes(self._source.size, 1)
        if any(part.size != min(step, size - (n - 1) * step) for n, part in kept.items()):
            upload.remove()
            return False
        self._kept = kept
        return True

    def _was_completed(self, upload: MultipartUpload) -> bool:
        """Tell whether the upload is gone because it became this very object."""
        found = upload.completed()
        if found is None or found[0] != self._source.size:
            return False
        buffer = self._buffers.take(PART_BYTES)
        try:
            for start in range(0, self._source.size, PART_BYTES):
                content = memoryview(buffer)[: self._source.size - start]
                self._read(content, start)
        finally:
            self._buffers.give_back(buffer)
        check_unchanged(self._source)
        if found[1] != self._digest.crc64nvme:
            self._digest = Digest()
            return False
        self._sending.advanced(self._source.size)
        return True

    async def _begin(self) -> MultipartUpload:
        upload = await self._run(
            lambda: MultipartUpload.begin(self._bucket, self._key, self._content_type)
        )
        try:
            await self._sending.begun(upload.id)
        except BaseException:
            await self._run(upload.abort)
            raise
        return upload

    def _send_parts(self, upload: MultipartUpload) -> Stored:
        try:
            self._send_missing(upload)
            check_unchanged(self._source)
            upload.complete(size=self._digest.size, crc64nvme=self._digest.crc64nvme)
        except SourceChangedError:
            upload.abort()
            raise
        except ClientError as error:
            if status_of(error) == 400:  # the parts are not what we think: never continue with them
                upload.abort()
            raise
        return self._stored()

    def _send_missing(self, upload: MultipartUpload) -> None:
        size, step = self._source.size, part_bytes(self._source.size, 1)
        under_way: list[Future[None]] = []
        try:
            for number, start in enumerate(range(0, size, step), start=1):
                under_way = self._wait_for_turn(under_way)
                with contextlib.ExitStack() as taken:
                    buffer = self._buffers.take(step)
                    taken.callback(self._buffers.give_back, buffer)
                    if self._sending.stop.is_set():
                        raise SendingStoppedError
                    content = memoryview(buffer)[: size - start]
                    crc64nvme = self._read(content, start)
                    kept = self._kept.get(number)
                    if kept is not None and kept.holds(content, crc64nvme):
                        upload.keep_part(number, kept.etag)
                        self._sending.advanced(len(content))
                    else:
                        part = self._bucket.submit(
                            self._send_part, upload, number, content, crc64nvme
                        )
                        part.add_done_callback(functools.partial(self._give_back, buffer))
                        taken.pop_all()  # no more by this thread, whether the part arrives or not
                        under_way.append(part)
        finally:
            wait(under_way)
        _without_finished(under_way)

    def _wait_for_turn(self, under_way: list[Future[None]]) -> list[Future[None]]:
        """Return the parts still under way when another one may follow them.

        A sending whose pace is limited has no more of them than it needs: they would hold memory
        and requests that others could use.
        """
        while True:
            under_way = _without_finished(under_way)
            limit = self._sending.pace.limit
            if limit is None or len(under_way) <= limit / _CONNECTION_RATE:
                return under_way
            wait(under_way, return_when=FIRST_COMPLETED)

    def _send_part(
        self,
        upload: MultipartUpload,
        number: int,
        content: memoryview,
        crc64nvme: str,
    ) -> None:
        upload.send_part(
            number,
            content,
            crc64nvme=crc64nvme,
            give_up=self._sending.stop,
            pace=self._sending.pace,
        )
        self._sending.advanced(len(content))

    def _give_back(self, buffer: mmap.mmap, _part: Future[None]) -> None:
        self._buffers.give_back(buffer)

    def _read(self, into: memoryview, offset: int) -> str:
        """Read and digest the next bytes; return their own CRC64NVME."""
        for start in range(0, len(into), READ_BYTES):
            piece = into[start : start + READ_BYTES]
            read_source(self._source.descriptor, offset + start, piece)
            self._digest.update(piece)
        return self._digest.end_part()

    def _stored(self) -> Stored:
        digest = self._digest
        return Stored(self._key, digest.size, digest.crc64nvme, digest.blake3)


def _without_finished(jobs: list[Future[None]]) -> list[Future[None]]:
    """Return the jobs still under way. Raises what one of the others raised."""
    for job in jobs:
        if job.done():
            job.result()
    return [job for job in jobs if not job.done()]
