"""One object on its way into a store that obstore reaches.

obstore asks for the next part while it sends one, and does not say when it has sent that. So the
memory of a part counts until nobody looks at it any more.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import obstore
from obstore.store import ObjectStore

from mediatheque.domain.errors import MediathequeError, NotFoundError, UnavailableError
from mediatheque.storage.digest import Digest
from mediatheque.storage.part_gatherer import Gathered, PartGatherer
from mediatheque.storage.part_memory import PartMemory
from mediatheque.storage.remote_errors import obstore_errors
from mediatheque.storage.stores import Stored

_PART_BYTES = 8 << 20


class _AbortedError(Exception):
    """Raised inside the stream that obstore reads, which makes it abort its multipart upload."""


class RemoteWriter:
    """See ``ObjectWriter``. Up to 8 MiB go as one request, more as a multipart upload.

    At most one part is with obstore, one waits for it and one is being gathered.
    """

    def __init__(
        self,
        objects: ObjectStore,
        place: str,
        memory: PartMemory,
        *,
        key: str,
        content_type: str,
        size_hint: int | None,
    ) -> None:
        self._objects = objects
        self._place = place
        self._key = key
        self._content_type = content_type
        self._digest = Digest()
        self._gatherer = PartGatherer(memory, capacity=lambda _: _PART_BYTES, size_hint=size_hint)
        # None ends the stream; an exception makes obstore abort.
        self._parts: asyncio.Queue[Gathered | _AbortedError | None] = asyncio.Queue(maxsize=1)
        self._upload: asyncio.Task[None] | None = None
        self._closed = False

    async def write(self, piece: bytes) -> None:
        """See ``ObjectWriter.write``."""
        rest = memoryview(piece)
        while rest := await self._gatherer.add(rest):
            await self._pass_on()

    async def commit(self) -> Stored:
        """See ``ObjectWriter.commit``. These stores verify no CRC64NVME: the size is compared."""
        if self._upload is None:
            part = await self._hashed()
            self._upload = asyncio.create_task(self._put(part.pass_on, use_multipart=False))
        else:
            await self._pass_on()
            await self._offer(None)
        await asyncio.shield(self._upload)
        digest = self._digest
        with obstore_errors(self._place, self._key):
            kept = await obstore.head_async(self._objects, self._key)
        if kept["size"] != digest.size:
            raise UnavailableError(f"The store did not keep all bytes of {self._key}.")
        self._closed = True
        return Stored(self._key, digest.size, digest.crc64nvme, digest.blake3)

    async def abort(self) -> None:
        """See ``ObjectWriter.abort``."""
        if self._closed:
            return
        self._closed = True
        # A cancelled caller must not leave an upload behind.
        await asyncio.shield(self._let_go())

    async def _let_go(self) -> None:
        self._gatherer.release()
        if self._upload is None:
            return
        await self._offer(_AbortedError(), failing=True)
        await asyncio.wait([self._upload])
        while not self._parts.empty():
            _release(self._parts.get_nowait())
        if self._upload.exception() is None:  # the interrupted commit had gone through
            # When even this fails, the janitor finds an object that no row names.
            with contextlib.suppress(MediathequeError), obstore_errors(self._place, self._key):
                await obstore.delete_async(self._objects, self._key)

    async def _pass_on(self) -> None:
        part = await self._hashed()
        if self._upload is None:
            self._upload = asyncio.create_task(self._put(self._stream, use_multipart=True))
        await self._offer(part)

    async def _hashed(self) -> Gathered:
        part = self._gatherer.take()
        try:
            await asyncio.to_thread(lambda: self._digest.update(part.content()))
        except BaseException:
            part.release()
            raise
        return part

    async def _offer(self, part: Gathered | _AbortedError | None, *, failing: bool = False) -> None:
        """Hand one part to obstore; raise its error if it gave up meanwhile."""
        assert self._upload is not None
        offer = asyncio.create_task(self._parts.put(part))
        try:
            await asyncio.wait({offer, self._upload}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if offer.cancel():
                _release(part)
        if self._upload.done() and not failing:
            self._upload.result()

    async def _stream(self) -> AsyncIterator[memoryview]:
        while (part := await self._parts.get()) is not None:
            if isinstance(part, _AbortedError):
                raise part
            yield part.pass_on()

    async def _put(
        self, content: Callable[[], memoryview | AsyncIterator[memoryview]], *, use_multipart: bool
    ) -> None:
        # Neither here nor in the stream has a variable the bytes: of what has failed it would keep
        # them, until that is collected as garbage.
        try:
            with obstore_errors(self._place, self._key):
                await obstore.put_async(
                    self._objects,
                    self._key,
                    content(),
                    attributes={"Content-Type": self._content_type},
                    use_multipart=use_multipart,
                    chunk_size=_PART_BYTES,
                    max_concurrency=1,
                )
        except NotFoundError as error:
            raise UnavailableError(
                f"{self._place} does not exist. Create it, or correct MEDIATHEQUE_STORAGE_URL."
            ) from error


def _release(part: Gathered | _AbortedError | None) -> None:
    if part is not None and not isinstance(part, _AbortedError):
        part.release()
