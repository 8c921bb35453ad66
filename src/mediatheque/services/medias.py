"""What can be asked of medias."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from mediatheque.catalog import medias, uploads
from mediatheque.catalog.database import Database
from mediatheque.domain.access import Principal, owner_scope
from mediatheque.domain.errors import ConflictError, ExistsError, NotFoundError
from mediatheque.domain.ids import parse_id
from mediatheque.domain.media import Media, check_name, check_project
from mediatheque.domain.paging import Listing, one_more
from mediatheque.domain.uploads import UploadState
from mediatheque.services.processing import ProcessingService
from mediatheque.services.uploads import Received, UploadService
from mediatheque.storage import keys
from mediatheque.storage.digest import Digest
from mediatheque.storage.stores import Store
from mediatheque.telemetry import metrics


@dataclass(frozen=True, slots=True)
class MediaPage:
    """One page of medias; ``count`` of all that pass the filters, when it was asked for."""

    medias: list[Media]
    more: bool
    count: int | None


class Reception:
    """One media being received; whatever is not kept is discarded. See ``MediaService.receive``."""

    def __init__(
        self,
        principal: Principal,
        database: Database,
        store: Store,
        uploads: UploadService,
        processing: ProcessingService,
    ) -> None:
        self._principal = principal
        self._database = database
        self._store = store
        self._uploads = uploads
        self._processing = processing
        self._upload_id: UUID | None = None
        self._object_key = ""
        self._received: Received | None = None
        self._kept = False

    async def take(
        self, filename: str, pieces: AsyncIterator[bytes], *, size_hint: int | None
    ) -> None:
        """Stream the media's bytes to the store. ``size_hint`` in bytes, not trusted."""
        check_name(filename, field="filename")
        self._upload_id = await self._uploads.reserve(
            self._principal, state=UploadState.RECEIVING, name=filename
        )
        self._object_key = keys.original(self._upload_id, filename)
        self._received = await self._uploads.receive(
            self._upload_id,
            self._object_key,
            filename=filename,
            pieces=pieces,
            size_hint=size_hint,
        )

    async def keep(self, *, resource: str, key: str, public: bool, project_id: str | None) -> Media:
        """Record the bytes that were taken as a media and return it.

        When the address is taken by the same bytes, the media that has it is returned: a client
        repeats an upload whose answer it lost. Raises ExistsError when it has other bytes.
        """
        received = self._received
        assert received is not None
        now = datetime.now(UTC)
        media = Media(
            id=received.upload_id,
            resource=resource,
            key=key,
            filename=received.filename,
            size=received.stored.size,
            mime_type=received.mime_type,
            created_by=self._principal.name,
            created_role=self._principal.role,
            public=public,
            project_id=check_project(project_id),
            created_at=now,
            updated_at=now,
            crc64nvme=received.stored.crc64nvme,
            blake3=received.stored.blake3,
            object_key=received.stored.key,
        )
        try:
            async with self._database.begin() as transaction:
                if not await uploads.remove(transaction, received.upload_id):
                    raise ConflictError(
                        "The upload took longer than uploads may take. Nothing was kept."
                    )
                await medias.add(transaction, media)
                await self._processing.probe_in(transaction, self._principal, [media])
        except ExistsError:
            return await self._existing(media)
        self._kept = True
        metrics.UPLOADS.labels("kept").inc()
        return media

    async def discard(self) -> None:
        """Leave nothing behind, unless the media was kept."""
        if self._kept or self._upload_id is None:
            return
        # Whose reservation is gone may be a media, by a commit whose answer was lost.
        if not await self._uploads.forget(self._upload_id) and await self._was_kept():
            return
        metrics.UPLOADS.labels("discarded").inc()
        if self._received is not None:
            await self._uploads.delete_objects([self._object_key])

    async def _was_kept(self) -> bool:
        assert self._upload_id is not None
        async with self._database.read() as connection:
            return await medias.find(connection, self._upload_id, owner=None) is not None

    async def _existing(self, media: Media) -> Media:
        scope = owner_scope(self._principal)
        async with self._database.read() as connection:
            found = await medias.find_address(connection, media.resource, media.key, owner=scope)
        if found is not None and await self._same_bytes(found, media):
            return found
        raise ExistsError(f"Resource {media.resource} with key {media.key} already exists")

    async def _same_bytes(self, found: Media, media: Media) -> bool:
        if found.size != media.size:
            return False
        if found.blake3 is None and found.crc64nvme is None:
            # Its bytes went straight to a store that keeps no checksum we know: read them.
            digest = Digest()
            async for piece in self._store.read(found.object_key):
                await asyncio.to_thread(digest.update, piece)
            return digest.blake3 == media.blake3
        return found.same_bytes(size=media.size, blake3=media.blake3, crc64nvme=media.crc64nvme)


class MediaService:
    """Receives, finds, lists and reads medias."""

    def __init__(
        self,
        database: Database,
        store: Store,
        uploads: UploadService,
        processing: ProcessingService,
    ) -> None:
        self._database = database
        self._store = store
        self._uploads = uploads
        self._processing = processing

    @contextlib.asynccontextmanager
    async def receive(self, principal: Principal) -> AsyncIterator[Reception]:
        """Receive one media: ``take`` its bytes, then ``keep`` it; otherwise nothing is left."""
        reception = Reception(
            principal, self._database, self._store, self._uploads, self._processing
        )
        try:
            yield reception
        finally:
            await reception.discard()

    async def find(self, principal: Principal, resource: str, key: str) -> Media:
        """Return the media at an address. Raises NotFoundError."""
        check_address(resource, key)
        async with self._database.read() as connection:
            media = await medias.find_address(
                connection, resource, key, owner=owner_scope(principal)
            )
        if media is None:
            what = f"resource {resource!r}" + (f" with key {key!r}" if key else "")
            raise NotFoundError(f"There is no {what}.")
        return media

    async def find_original(self, principal: Principal, media_id: str) -> Media:
        """Return a media that is an original, by its id. Raises NotFoundError."""
        parsed = parse_id(media_id)
        if parsed is not None:
            async with self._database.read() as connection:
                media = await medias.find(connection, parsed, owner=owner_scope(principal))
            if media is not None and media.key == "":
                return media
        raise NotFoundError("file not found")

    async def page(self, principal: Principal, listing: Listing, *, count: bool) -> MediaPage:
        """Return one page of medias, and how many there are in all when ``count``."""
        scope = owner_scope(principal)
        async with self._database.read() as connection:
            found = await medias.page(connection, one_more(listing), owner=scope)
            total = await medias.count(connection, listing.filters, owner=scope) if count else None
        return MediaPage(found[: listing.limit], len(found) > listing.limit, total)

    def read(self, media: Media, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield the bytes of a media from ``start`` to before ``end``."""
        return self._store.read(media.object_key, start, end)

    def local_path(self, media: Media) -> Path | None:
        """Return the file of a media's bytes, when it is on this machine."""
        return self._store.local_path(media.object_key)

    async def store_url(self, media: Media, *, expires_in: int, disposition: str) -> str | None:
        """Return a URL of the store itself for a media's bytes, when the store has such URLs."""
        return await self._store.signed_get(
            media.object_key,
            expires_in=expires_in,
            content_type=media.mime_type,
            disposition=disposition,
        )


def check_address(resource: str, key: str) -> None:
    """Raise InvalidError unless ``resource`` and ``key`` can be an address."""
    check_name(resource, field="resource")
    if key:
        check_name(key, field="key")
