"""Stores that are reached through obstore: Google Cloud Storage, Azure, memory, and S3's reads."""

import asyncio
import contextlib
import sys
import uuid
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, MemoryStore, ObjectStore

from mediatheque.domain.errors import (
    ConflictError,
    InvalidError,
    MediathequeError,
    NotFoundError,
    UnavailableError,
)
from mediatheque.domain.intakes import Intake
from mediatheque.storage.intakes import Appender, Hasher, Target
from mediatheque.storage.object_appender import ObjectAppender
from mediatheque.storage.part_memory import PartMemory
from mediatheque.storage.remote_errors import obstore_errors
from mediatheque.storage.remote_writer import RemoteWriter
from mediatheque.storage.segments import join_by_merging
from mediatheque.storage.sending import Sending, Source, send_by_writer
from mediatheque.storage.stores import ObjectInfo, ObjectWriter, Stored
from mediatheque.storage.threads import Threads

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta
    from obstore.store import ClientConfig, RetryConfig

_PIECE_BYTES = 1 << 20
_FETCH_BYTES = 512 << 10
_LIST_BATCH = 1000
_SENDERS = 32
_PROBE = b"Mediatheque looks whether it can write here."

# obstore's ``timeout`` covers a whole answer with its body, and its default of 30 s would cut off
# every slow download; ``read_timeout`` is the one that notices a store that went silent.
CLIENT_OPTIONS: "ClientConfig" = {
    "timeout": timedelta(days=7),
    "connect_timeout": timedelta(seconds=10),
    "read_timeout": timedelta(seconds=60),
}
RETRIES: "RetryConfig" = {"max_retries": 4, "retry_timeout": timedelta(seconds=30)}


def open_remote(url: str, memory: PartMemory | None = None) -> "RemoteStore":
    """Return the store of ``gs://bucket/prefix``, ``az://container/prefix`` or ``memory://``.

    Credentials come from the variables that Google's and Microsoft's own tools read. Raises
    InvalidError for another URL, or when the settings for it are incomplete.
    """
    parts = urlsplit(url)
    prefix = parts.path.strip("/") or None
    try:
        match parts.scheme:
            case "memory":
                # It keeps the very parts, which are not on their way to anywhere.
                return RemoteStore(MemoryStore(), "the memory store", PartMemory(sys.maxsize))
            case "gs":
                google = GCSStore(
                    parts.netloc, prefix=prefix, client_options=CLIENT_OPTIONS, retry_config=RETRIES
                )
                return RemoteStore(google, f"gs://{parts.netloc}", memory)
            case "az":
                azure = AzureStore(
                    parts.netloc, prefix=prefix, client_options=CLIENT_OPTIONS, retry_config=RETRIES
                )
                return RemoteStore(azure, f"az://{parts.netloc}", memory)
            case _:
                raise InvalidError(f"{url!r} is not a URL of a store in the cloud.")
    except BaseError as error:
        raise InvalidError(
            f"The settings for {parts.scheme}://{parts.netloc} are incomplete: name the account "
            "and its credentials in the variables that its own tools read."
        ) from error


class RemoteStore:
    """Objects behind ``objects``; ``place`` is what people call it in an error's sentence.

    In ``memory`` uploads gather their parts; it is one of its own unless given.
    """

    def __init__(self, objects: ObjectStore, place: str, memory: PartMemory | None = None) -> None:
        self._objects = objects
        self._place = place
        self._memory = memory or PartMemory()
        self._senders = Threads(_SENDERS, thread_name_prefix="sender")

    async def check(self) -> None:
        """See ``Store.check``: writes, reads and deletes a probe."""
        key = f"check-{uuid.uuid4().hex}"
        writer = self.writer(key, content_type="text/plain", size_hint=len(_PROBE))
        try:
            await writer.write(_PROBE)
            await writer.commit()
            found = b"".join([piece async for piece in self.read(key)])
            await self.delete(key)
        except MediathequeError as error:
            await writer.abort()
            raise UnavailableError(error.detail) from error
        if found != _PROBE:
            raise UnavailableError(f"{self._place} returned other bytes than were written to it.")

    def writer(self, key: str, *, content_type: str, size_hint: int | None) -> ObjectWriter:
        """See ``Store.writer``."""
        return RemoteWriter(
            self._objects,
            self._place,
            self._memory,
            key=key,
            content_type=content_type,
            size_hint=size_hint,
        )

    async def send_file(
        self, source: Source, key: str, *, content_type: str, sending: Sending
    ) -> Stored:
        """See ``Store.send_file``. obstore continues no multipart upload, so none is left."""
        writer = self.writer(key, content_type=content_type, size_hint=source.size)
        return await send_by_writer(writer, source, sending, self._senders)

    async def abandon(self, key: str, upload_id: str) -> None:
        """See ``Store.abandon``: nothing is ever left."""
        del key, upload_id

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See ``Store.read``."""
        if end is not None and end <= start:
            await self._existing(key)
            return
        options: GetOptions = {}
        if end is not None:
            options["range"] = (start, end)
        elif start:
            options["range"] = {"offset": start}
        with obstore_errors(self._place, key):
            try:
                result = await obstore.get_async(self._objects, key, options=options)
            except BaseError:
                # A range that starts at or beyond the end is an error like any other here.
                if options and (await self._existing(key)).size <= start:
                    return
                raise
            async for chunk in result.stream(min_chunk_size=_FETCH_BYTES):
                view = memoryview(chunk)
                for offset in range(0, len(view), _PIECE_BYTES):
                    yield bytes(view[offset : offset + _PIECE_BYTES])

    async def head(self, key: str) -> ObjectInfo | None:
        """See ``Store.head``."""
        try:
            with obstore_errors(self._place, key):
                return _info(await obstore.head_async(self._objects, key))
        except NotFoundError:
            return None

    async def delete(self, key: str) -> None:
        """See ``Store.delete``."""
        with contextlib.suppress(NotFoundError), obstore_errors(self._place, key):
            await obstore.delete_async(self._objects, key)

    async def promote(self, source: ObjectInfo, target: str) -> ObjectInfo:
        """See ``Store.promote``. The copy is made by the store; it has no precondition here."""
        seen = await self.head(source.key)
        if seen is None:
            return await self._promoted_before(source, target)
        if (seen.size, seen.etag) != (source.size, source.etag):
            raise changed(source)
        with obstore_errors(self._place, source.key):
            await obstore.copy_async(self._objects, source.key, target)
        return await self._finish_promotion(source, target)

    def appender(
        self, intake: Intake, *, digests: Sequence[Hasher] = (), target: Target | None = None
    ) -> Appender:
        """See ``IntakeStore.appender``. obstore has no part of an object by itself."""
        del target
        return ObjectAppender(self, intake, digests)

    async def join(self, intake: Intake, key: str, *, content_type: str) -> ObjectInfo:
        """See ``IntakeStore.join``. obstore puts no objects together, so bytes pass us."""
        return await join_by_merging(self, intake, key, content_type=content_type)

    async def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        """See ``Store.list``."""
        # obstore's prefix is a folder, ours is the start of a key.
        folder = prefix.rpartition("/")[0]
        batches = obstore.list(self._objects, folder or None, chunk_size=_LIST_BATCH)
        with obstore_errors(self._place, prefix):
            async for batch in batches:
                for found in batch:
                    if found["path"].startswith(prefix):
                        yield _info(found)

    async def sweep_unfinished(
        self, before: datetime, *, in_use: Collection[str] = frozenset()
    ) -> int:
        """See ``Store.sweep_unfinished``. What a crash leaves here expires at the store itself."""
        del before, in_use
        return 0

    def local_path(self, key: str) -> Path | None:
        """See ``Store.local_path``."""
        del key
        return None

    async def signed_put(self, key: str, *, expires_in: int) -> str | None:
        """See ``Store.signed_put``. Azure asks clients for headers of its own, so bytes pass us."""
        del key, expires_in
        return None

    async def signed_get(
        self, key: str, *, expires_in: int, content_type: str, disposition: str
    ) -> str | None:
        """See ``Store.signed_get``. obstore cannot sign the answer's headers, so bytes pass us."""
        del key, expires_in, content_type, disposition
        return None

    async def free_bytes(self) -> int | None:
        """See ``Store.free_bytes``."""
        return None

    async def close(self) -> None:
        """See ``Store.close``. obstore's connections close with the process."""
        await asyncio.to_thread(self._senders.shutdown)
        await self._memory.close()

    async def _existing(self, key: str) -> ObjectInfo:
        info = await self.head(key)
        if info is None:
            raise NotFoundError(f"There is no object {key}.")
        return info

    async def _promoted_before(self, source: ObjectInfo, target: str) -> ObjectInfo:
        done = await self.head(target)
        if done is None or done.size != source.size:
            raise NotFoundError(f"There is no object {source.key}.")
        return done

    async def _finish_promotion(self, source: ObjectInfo, target: str) -> ObjectInfo:
        copied = await self._existing(target)
        crcs = {source.crc64nvme, copied.crc64nvme} - {None}
        if copied.size != source.size or len(crcs) > 1:
            raise changed(source)
        await self.delete(source.key)
        return copied


def changed(source: ObjectInfo) -> ConflictError:
    """Return the error that says that ``source`` is not any more what was seen."""
    return ConflictError(f"The object {source.key} changed while it was being moved.")


def _info(meta: "ObjectMeta") -> ObjectInfo:
    return ObjectInfo(
        key=meta["path"],
        size=meta["size"],
        modified=meta["last_modified"].astimezone(UTC),
        etag=meta["e_tag"],
    )
