"""One object on its way into an S3 store."""

import asyncio
import contextlib
import threading
from functools import partial

from botocore.exceptions import BotoCoreError, ClientError

from mediatheque.domain.errors import MediathequeError, TooLargeError
from mediatheque.storage.digest import Digest
from mediatheque.storage.multipart import MultipartUpload
from mediatheque.storage.one_behind import OneBehind
from mediatheque.storage.part_gatherer import Gathered, PartGatherer
from mediatheque.storage.part_memory import PartMemory
from mediatheque.storage.part_sizes import MOST_PARTS, part_bytes
from mediatheque.storage.s3_bucket import S3Bucket
from mediatheque.storage.stores import Stored


class S3Writer:
    """See ``ObjectWriter``. What fits in one part goes as one PutObject, more as parts.

    At most one part is being sent while the next one fills. Hashing and sending happen in the
    bucket's threads. ``size_hint`` plans part sizes and memory.
    """

    def __init__(
        self,
        *,
        bucket: S3Bucket,
        memory: PartMemory,
        key: str,
        content_type: str,
        size_hint: int | None,
    ) -> None:
        self._bucket = bucket
        self._key = key
        self._content_type = content_type
        self._digest = Digest()
        self._gatherer = PartGatherer(
            memory, capacity=partial(_part_bytes, size_hint), size_hint=size_hint
        )
        self._number = 1
        self._upload: MultipartUpload | None = None
        self._sending = OneBehind()
        self._give_up = threading.Event()
        self._published = False
        self._closed = False

    async def write(self, piece: bytes) -> None:
        """See ``ObjectWriter.write``. Raises TooLargeError beyond 10,000 parts, too."""
        rest = memoryview(piece)
        while rest := await self._gatherer.add(rest):
            await self._hand_over()

    async def commit(self) -> Stored:
        """See ``ObjectWriter.commit``. The store has verified every byte and the whole."""
        await self._sending.wait()
        self._sending.start(self._publish())
        await self._sending.wait()
        self._closed = True
        digest = self._digest
        return Stored(self._key, digest.size, digest.crc64nvme, digest.blake3)

    async def abort(self) -> None:
        """See ``ObjectWriter.abort``. Waits for a part under way, so that none lands afterwards."""
        if self._closed:
            return
        self._closed = True
        self._give_up.set()
        # A cancelled caller must not leave a part behind that is being sent.
        await asyncio.shield(self._let_go())

    async def _let_go(self) -> None:
        self._gatherer.release()
        await self._sending.end()
        with contextlib.suppress(MediathequeError):  # what stays is swept
            await self._bucket.run(self._remove)

    async def _hand_over(self) -> None:
        """Start to send the full part as soon as the one before it has arrived."""
        await self._sending.wait()
        self._sending.start(self._send(self._gatherer.take(), self._number))
        self._number += 1

    async def _send(self, part: Gathered, number: int) -> None:
        try:
            await self._bucket.transfer(self._send_part, part, number)
        finally:
            part.release()

    async def _publish(self) -> None:
        part = self._gatherer.take()
        try:
            await self._bucket.transfer(self._send_last, part)
        finally:
            part.release()
        self._published = True

    def _send_part(self, part: Gathered, number: int) -> None:
        content = part.content()
        self._digest.update(content)
        if self._upload is None:
            self._upload = MultipartUpload.begin(self._bucket, self._key, self._content_type)
        crc = self._digest.end_part()
        self._upload.send_part(number, content, crc64nvme=crc, give_up=self._give_up)

    def _send_last(self, part: Gathered) -> None:
        if self._upload is not None:
            self._send_part(part, self._number)
            self._upload.complete(size=self._digest.size, crc64nvme=self._digest.crc64nvme)
            return
        content = part.content()
        self._digest.update(content)
        self._bucket.put(
            self._key,
            self._content_type,
            content,
            crc64nvme=self._digest.crc64nvme,
            give_up=self._give_up,
        )

    def _remove(self) -> None:
        if self._published:  # a commit that nobody waited for any more went through
            with contextlib.suppress(ClientError, BotoCoreError):
                self._bucket.client.delete_object(
                    Bucket=self._bucket.name, Key=self._bucket.full_key(self._key)
                )
        elif self._upload is not None:
            self._upload.abort()


def _part_bytes(size_hint: int | None, number: int) -> int:
    if number > MOST_PARTS:
        raise TooLargeError("There are more bytes than were announced, or than S3 can hold.")
    return part_bytes(size_hint, number)
