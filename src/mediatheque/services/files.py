"""What can be asked of files: originals that enter by a signed upload and carry tags.

An upload lands on a staging key and is promoted when its client confirms it, so that the upload
URL can change nothing afterwards. Order of a confirmation: close the upload for further bytes
(row), move the object, turn the upload into a media (one transaction). A crash after any step is
put right by confirming again: each step finds out whether it has happened.
"""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from mediatheque.catalog import medias, uploads
from mediatheque.catalog.database import Database
from mediatheque.domain.access import Principal, owner_scope
from mediatheque.domain.errors import ConflictError, InvalidError, NotFoundError
from mediatheque.domain.ids import new_id, parse_id
from mediatheque.domain.media import Media, check_name, check_size
from mediatheque.domain.paging import Listing
from mediatheque.domain.tags import check_tags
from mediatheque.domain.uploads import Upload, UploadState
from mediatheque.processing.sniff import HEAD_BYTES, sniff
from mediatheque.services.announced_files import NOT_FOUND, find_pending
from mediatheque.services.processing import ProcessingService
from mediatheque.services.uploads import UploadService
from mediatheque.storage import keys
from mediatheque.storage.signing import Signer, content_path
from mediatheque.storage.stores import ObjectInfo, Store
from mediatheque.telemetry import metrics

_DIRECT_ATTEMPT = "direct"


@dataclass(frozen=True, slots=True)
class FileLimits:
    """``max_size`` in bytes; how long signed URLs hold, in seconds."""

    max_size: int
    upload_url_expiry: int
    download_url_expiry: int


class FileService:
    """Signed uploads, their confirmation, and the list of files."""

    def __init__(
        self,
        database: Database,
        store: Store,
        uploads: UploadService,
        processing: ProcessingService,
        *,
        signer: Signer,
        limits: FileLimits,
    ) -> None:
        self._database = database
        self._store = store
        self._uploads = uploads
        self._processing = processing
        self._signer = signer
        self._limits = limits

    async def create(
        self, principal: Principal, *, name: str, size: int, tags: tuple[str, ...], base_url: str
    ) -> tuple[UUID, str]:
        """Expect a file; return its id and the signed URL that takes its bytes with PUT.

        The URL is the store's own where it has such, else one of ours below ``base_url``.
        """
        check_name(name, field="name")
        check_size(size, limit=self._limits.max_size)
        upload_id = new_id()
        direct_key = keys.staging(upload_id, _DIRECT_ATTEMPT)
        expires_in = self._limits.upload_url_expiry
        url = await self._store.signed_put(direct_key, expires_in=expires_in)
        await self._uploads.reserve(
            principal,
            state=UploadState.PENDING,
            name=name,
            size=size,
            tags=check_tags(tags),
            upload_id=upload_id,
            staged_key=direct_key if url else None,
        )
        if url is None:
            path = content_path(upload_id)
            url = self._signer.signed_url(base_url, "PUT", path, expires_in=expires_in)
        return upload_id, url

    def check_signature(self, method: str, file_id: str, expires: str, signature: str) -> UUID:
        """Return the id when a signed URL of ours allows ``method`` on this file now.

        Raises ForbiddenError.
        """
        parsed = parse_id(file_id)
        if parsed is None:
            raise NotFoundError(NOT_FOUND)
        self._signer.verify(method, content_path(parsed), expires=expires, signature=signature)
        return parsed

    async def receive(
        self, upload_id: UUID, pieces: AsyncIterator[bytes], *, length: int | None
    ) -> None:
        """Take the bytes of an upload; each attempt replaces the one before.

        ``length`` is what the request declares, in bytes. They may also arrive in several requests:
        see ``ResumableUploadService.create``. Raises NotFoundError for an unknown or expired
        upload, ConflictError for one that was confirmed, InvalidError for a wrong size.
        """
        upload = await self._pending(upload_id)
        if length is not None and length != upload.size:
            raise InvalidError(
                f"The upload was declared with {upload.size} bytes, but this request has {length}.",
                field="size",
            )
        key = keys.staging(upload_id, uuid.uuid4().hex)
        received = await self._uploads.receive(
            upload_id, key, filename=upload.name, pieces=pieces, size=upload.size
        )
        async with self._database.begin() as transaction:
            staged = await uploads.stage(
                transaction,
                upload_id,
                staged_key=key,
                crc64nvme=received.stored.crc64nvme,
                blake3=received.stored.blake3,
            )
        replaced = upload.staged_key if staged else key
        if replaced is not None:
            await self._uploads.delete_objects([replaced])
        if not staged:
            await self._pending(upload_id)

    async def confirm(self, principal: Principal, file_id: str) -> None:
        """Make an uploaded file a listed one. Confirming it again is fine.

        Raises InvalidError when its bytes are not there in the declared size; the upload can
        then be retried. Raises NotFoundError for an unknown or expired upload.
        """
        upload_id = await self._visible(principal, file_id)
        async with self._database.begin() as transaction:
            upload = await uploads.start_promotion(transaction, upload_id)
        if upload is None:
            await self._confirmed(upload_id)
            return
        try:
            media = await self._promote(upload)
        except (InvalidError, ConflictError):
            async with self._database.begin() as transaction:
                await uploads.reopen(transaction, upload_id)
            raise
        async with self._database.begin() as transaction:
            mine = await uploads.finish(transaction, upload)
            if mine:
                await medias.add(transaction, media)
                await self._processing.probe_in(transaction, principal, [media])
        if not mine:
            await self._confirmed(upload_id)
            return
        metrics.UPLOADS.labels("kept").inc()
        await self._uploads.clear_staging(upload_id)

    async def reject(self, principal: Principal, file_id: str) -> None:
        """Forget an upload that its client gave up, and its bytes.

        Raises ConflictError when it was confirmed before: then nothing is deleted.
        """
        upload_id = await self._visible(principal, file_id)
        async with self._database.begin() as transaction:
            removed = await uploads.remove_pending(transaction, upload_id)
        if not removed:
            raise ConflictError("The file was confirmed before. Delete it, if it is not wanted.")
        metrics.UPLOADS.labels("discarded").inc()
        await self._uploads.clear_staging(upload_id)

    async def list(
        self, principal: Principal, listing: Listing, *, name_part: str, tags: tuple[str, ...]
    ) -> tuple[list[Media], int]:
        """Return one page of files and how many there are in all."""
        async with self._database.read() as connection:
            return await medias.originals(
                connection,
                listing,
                name_part=name_part,
                tags=tags,
                owner=owner_scope(principal),
            )

    async def download_url(self, media: Media, *, base_url: str, disposition: str) -> str:
        """Return a link to a file's bytes that works for a limited time."""
        expires_in = self._limits.download_url_expiry
        url = await self._store.signed_get(
            media.object_key,
            expires_in=expires_in,
            content_type=media.mime_type,
            disposition=disposition,
        )
        if url is not None:
            return url
        return self._signer.signed_url(
            base_url, "GET", content_path(media.id), expires_in=expires_in
        )

    async def delete(self, principal: Principal, file_id: str) -> None:
        """Delete a file with everything derived from it. Raises NotFoundError."""
        parsed = parse_id(file_id)
        removed = None
        if parsed is not None:
            async with self._database.begin() as transaction:
                removed = await medias.remove_resource(
                    transaction, parsed, owner=owner_scope(principal)
                )
        if removed is None:
            raise NotFoundError(NOT_FOUND)
        await self._uploads.delete_objects(removed)

    async def _visible(self, principal: Principal, file_id: str) -> UUID:
        """Return the id of an upload or file that the caller may see. Raises NotFoundError."""
        parsed = parse_id(file_id)
        if parsed is not None:
            owner = owner_scope(principal)
            async with self._database.read() as connection:
                if await uploads.find(connection, parsed, owner=owner) is not None:
                    return parsed
                if await medias.find(connection, parsed, owner=owner) is not None:
                    return parsed
        raise NotFoundError(NOT_FOUND)

    async def _confirmed(self, upload_id: UUID) -> None:
        """Return when an upload has become a file, by another confirmation than this one."""
        async with self._database.read() as connection:
            confirmed = await medias.find(connection, upload_id, owner=None)
            reopened = await uploads.find(connection, upload_id, owner=None)
        if confirmed is not None:
            return
        if reopened is not None:
            raise ConflictError("The upload took other bytes meanwhile. Confirm it again.")
        raise NotFoundError(NOT_FOUND)

    async def _pending(self, upload_id: UUID) -> Upload:
        async with self._database.read() as connection:
            return await find_pending(connection, upload_id)

    async def _promote(self, upload: Upload) -> Media:
        final_key = keys.original(upload.id, upload.name)
        stored = await self._moved(upload, final_key)
        head = b"".join([p async for p in self._store.read(final_key, 0, HEAD_BYTES)])
        now = datetime.now(UTC)
        return Media(
            id=upload.id,
            resource=str(upload.id),
            key="",
            filename=upload.name,
            size=stored.size,
            mime_type=sniff(head, upload.name),
            created_by=upload.created_by,
            created_role=upload.created_role,
            public=False,
            project_id=None,
            created_at=now,
            updated_at=now,
            tags=upload.tags,
            crc64nvme=upload.crc64nvme or stored.crc64nvme,
            blake3=upload.blake3,
            object_key=final_key,
        )

    async def _moved(self, upload: Upload, final_key: str) -> ObjectInfo:
        """Return the object under its final key, moved there now or by an earlier attempt."""
        source = await self._store.head(upload.staged_key) if upload.staged_key else None
        if source is None:
            moved = await self._store.head(final_key)
            if moved is not None and moved.size == upload.size:
                return moved
            raise InvalidError("No bytes have arrived. PUT them to the uploadUrl, then confirm.")
        if source.size != upload.size:
            raise InvalidError(
                f"The upload was declared with {upload.size} bytes, but {source.size} arrived. "
                "PUT the whole file to the uploadUrl, then confirm again."
            )
        return await self._store.promote(source, final_key)
