"""From all bytes of a resumable upload to the media that it becomes.

Order: the bytes become one object, then the media's row takes the place of the intake's. Each step
finds out whether it has happened, so that it can be done again by whoever holds the intake next,
after a crash at any point. The bytes of an announced file become one object, too, to which then
the file's row points, as after a PUT of all of them.
"""

import asyncio
import contextlib
import mimetypes
from datetime import UTC, datetime, timedelta
from uuid import UUID

from mediatheque.catalog import intakes, medias, resumable_uploads, uploads
from mediatheque.catalog.database import Database, Transaction
from mediatheque.domain.access import Principal, owner_scope
from mediatheque.domain.digests import PromisedDigests
from mediatheque.domain.errors import (
    ConflictError,
    ExistsError,
    MediathequeError,
    UnavailableError,
)
from mediatheque.domain.intakes import NO_BYTES_CRC64NVME, Intake
from mediatheque.domain.media import Media
from mediatheque.domain.resumable_uploads import (
    Concatenation,
    DigestError,
    ResumableState,
    ResumableUpload,
    describe,
)
from mediatheque.processing.sniff import HEAD_BYTES, sniff
from mediatheque.services.announced_files import find_pending
from mediatheque.services.held_intake import HeldIntake, HoldLostError
from mediatheque.services.processing import ProcessingService
from mediatheque.services.uploads import UploadService
from mediatheque.storage import keys
from mediatheque.storage.digest import RunningCrc
from mediatheque.storage.intakes import Target
from mediatheque.storage.stores import Store
from mediatheque.telemetry import metrics

_ANY_BYTES = "application/octet-stream"


class ResumableFinisher:
    """Makes medias of uploads that have all their bytes."""

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

    def target(self, upload: ResumableUpload, *, expected: int) -> Target | None:
        """Tell the store what an upload will be, of which ``expected`` bytes come in one request.

        None when its bytes have to be copied in any case, or where others look for their object.
        """
        said = upload.destination
        if upload.concatenation is Concatenation.PARTIAL or said.file_id is not None:
            return None
        return Target(
            key=keys.original(upload.id, said.filename),
            content_type=_probable_type(said.filename),
            expected=expected,
        )

    async def finish(self, held: HeldIntake, upload: ResumableUpload) -> None:
        """Make a media of a whole upload, or whatever it shall become, under its hold.

        Raises ExistsError when its address is taken by other bytes; it can be finished when that
        media is gone. Raises NotFoundError or ConflictError when it shall become the bytes of a
        file that takes none any more. Raises DigestError when its bytes are not what was promised:
        then nothing of it is left. Raises HoldLostError, and what the store raises.
        """
        await held.end_appending()
        if upload.concatenation is Concatenation.PARTIAL:
            await self._end_partial(held, upload)
            return
        if upload.destination.file_id is not None:
            await self._stage(held, upload, upload.destination.file_id)
            return
        media = await self._joined(held, upload)
        if upload.digests:
            # A sweep tries it every minute: what has no chance need not be read whole.
            await self._find_existing(upload, media)
        await self._check_digests(held, upload, media.object_key)
        left = {segment.object_key for segment in held.intake.segments} - {media.object_key}
        try:
            await self._record(held, upload, media)
        except ExistsError:
            existing = await self._find_existing(upload, media)
            if existing is None:
                raise _taken(media) from None
            await self._record_existing(held, upload, existing)
            left.add(media.object_key)
        metrics.UPLOADS.labels("kept").inc()
        await self._uploads.delete_objects([key for key in left if keys.is_original(key)])
        await self._clear_staging(upload)

    async def give_up(
        self, held: HeldIntake, upload: ResumableUpload, *, expired: bool = False
    ) -> None:
        """Remove an upload with its bytes, and its parts, which go with it, under its hold.

        Of one that has ``expired`` the address stays a while, to say so. Raises ConflictError for
        a part of another upload, and HoldLostError.
        """
        async with held.ending() as transaction:
            await self._remove_intakes(transaction, upload)
            # It may have become a part just now.
            locked = await resumable_uploads.lock(transaction, [upload.id], lifetime=timedelta())
            if locked[upload.id].final_id is not None:
                raise ConflictError("The upload is a part of another one, and goes with that.")
            await resumable_uploads.remove(transaction, upload.parts)
            if expired:
                await resumable_uploads.change(
                    transaction,
                    [upload.id],
                    state=ResumableState.EXPIRED,
                    parts=[],
                    idempotency_key=None,
                )
            else:
                await resumable_uploads.remove(transaction, [upload.id])
        metrics.UPLOADS.labels("discarded").inc()
        await self._clear(upload, held.intake)

    async def _clear(self, upload: ResumableUpload, intake: Intake) -> None:
        """Remove all bytes of an upload whose rows are gone. The janitor does what fails here."""
        in_parts = {(one.object_key, one.part.upload_id) for one in intake.segments if one.part}
        with contextlib.suppress(MediathequeError):
            for key, multipart_upload_id in in_parts:
                await self._store.abandon(key, multipart_upload_id)
            folder = keys.original_folder(upload.id)
            await self._uploads.delete_objects([one.key async for one in self._store.list(folder)])
        if upload.destination.file_id is not None:
            await self._uploads.delete_objects([_staged(upload, upload.destination.file_id)])
        await self._clear_staging(upload)

    async def _clear_staging(self, upload: ResumableUpload) -> None:
        for one in (upload.id, *upload.parts):
            await self._uploads.clear_staging(one)

    async def _end_partial(self, held: HeldIntake, upload: ResumableUpload) -> None:
        async with self._database.read() as connection:
            settled = await resumable_uploads.settle(
                connection, upload.id, held.holder, state=ResumableState.COMPLETE
            )
        if settled is None:
            raise HoldLostError("Another request works on the upload. Ask where it is.")

    async def _stage(self, held: HeldIntake, upload: ResumableUpload, file_id: UUID) -> None:
        """Make the bytes those of an announced file; its client then confirms it."""
        async with self._database.read() as connection:
            await find_pending(connection, file_id)
        joined = await self._store.join(
            held.intake, _staged(upload, file_id), content_type=_ANY_BYTES
        )
        await self._check_digests(held, upload, joined.key)
        async with held.ending() as transaction:
            await self._remove_intakes(transaction, upload)
            file = await find_pending(transaction, file_id)
            staged = await uploads.stage(
                transaction,
                file_id,
                staged_key=joined.key,
                crc64nvme=held.intake.crc64nvme,
                blake3=None,
            )
            if not staged:
                raise ConflictError("The file is being confirmed; its bytes cannot be changed now.")
            await resumable_uploads.change(transaction, [upload.id], state=ResumableState.COMPLETE)
        if file.staged_key is not None:
            await self._uploads.delete_objects([file.staged_key])
        await self._clear_staging(upload)

    async def _joined(self, held: HeldIntake, upload: ResumableUpload) -> Media:
        """Make one object of the bytes; return the media that it can become."""
        said = upload.destination
        joined = await self._store.join(
            held.intake,
            keys.original(upload.id, said.filename),
            content_type=_probable_type(said.filename),
        )
        head = [piece async for piece in self._store.read(joined.key, 0, HEAD_BYTES)]
        mime_type = sniff(b"".join(head), said.filename)
        now = datetime.now(UTC)
        return Media(
            id=upload.id,
            resource=said.resource or str(upload.id),
            key=said.key,
            filename=said.filename,
            size=held.intake.size,
            mime_type=mime_type,
            created_by=upload.created_by,
            created_role=upload.created_role,
            public=said.public,
            project_id=said.project_id,
            created_at=now,
            updated_at=now,
            tags=said.tags,
            meta=describe(said),
            crc64nvme=held.intake.crc64nvme,
            blake3=None,
            object_key=joined.key,
        )

    async def _check_digests(self, held: HeldIntake, upload: ResumableUpload, key: str) -> None:
        """Compare the joined bytes with what was promised of them; remove everything if need be."""
        if not upload.digests:
            return
        promised = PromisedDigests({n: bytes.fromhex(text) for n, text in upload.digests.items()})
        crc = RunningCrc(NO_BYTES_CRC64NVME)

        def feed(piece: bytes) -> None:
            promised.update(piece)
            crc.update(piece)

        async for piece in self._store.read(key):
            await asyncio.to_thread(feed, piece)
        if promised.broken is None:
            return
        if crc.value != held.intake.crc64nvme:
            raise UnavailableError(
                "The store gave back other bytes than were received, so they could not be compared "
                "with the digest of the whole. They are kept; try again."
            )
        await self.give_up(held, upload)
        raise DigestError(
            f"The {promised.broken} of the upload is not what was promised of the whole. Nothing "
            "of it was kept; send it again."
        )

    async def _record(self, held: HeldIntake, upload: ResumableUpload, media: Media) -> None:
        async with held.ending() as transaction:
            await self._remove_intakes(transaction, upload)
            await medias.add(transaction, media)
            await self._complete_in(transaction, upload, media)
            await self._processing.probe_in(transaction, _creator(upload), [media])

    async def _record_existing(
        self, held: HeldIntake, upload: ResumableUpload, existing: Media
    ) -> None:
        async with held.ending() as transaction:
            await self._remove_intakes(transaction, upload)
            if not await medias.hold(transaction, [existing.id]):
                raise UnavailableError(
                    f"The resource {existing.resource} was deleted just now. Try again."
                )
            await self._complete_in(transaction, upload, existing)

    async def _remove_intakes(self, transaction: Transaction, upload: ResumableUpload) -> None:
        for one in (upload.id, *upload.parts):
            await intakes.remove(transaction, one)

    async def _complete_in(
        self, transaction: Transaction, upload: ResumableUpload, media: Media
    ) -> None:
        await resumable_uploads.remove(transaction, upload.parts)
        await resumable_uploads.change(
            transaction,
            [upload.id],
            state=ResumableState.COMPLETE,
            length=media.size,
            media_id=media.id,
        )

    async def _find_existing(self, upload: ResumableUpload, media: Media) -> Media | None:
        """Return the media with the same bytes that has the address; None: nobody has it.

        Raises ExistsError when it is one with other bytes, or one that the creator may not see.
        """
        async with self._database.read() as connection:
            found = await medias.find_address(connection, media.resource, media.key, owner=None)
        if found is None:
            return None
        is_seen = owner_scope(_creator(upload)) in {None, found.created_by}
        if not is_seen or not found.same_bytes(
            size=media.size, blake3=media.blake3, crc64nvme=media.crc64nvme
        ):
            raise _taken(media)
        return found


def _taken(media: Media) -> ExistsError:
    where = media.resource + (f" with the key {media.key}" if media.key else "")
    return ExistsError(
        f"The bytes have arrived, and the resource {where} is taken by another media. "
        "Delete that one, then ask for this upload again; or let it expire."
    )


def _creator(upload: ResumableUpload) -> Principal:
    return Principal(upload.created_by, upload.created_role)


def _probable_type(filename: str) -> str:
    """Return what the store is told of an object; what it is turns out once it is there."""
    return mimetypes.guess_type(filename)[0] or _ANY_BYTES


def _staged(upload: ResumableUpload, file_id: UUID) -> str:
    return keys.staging(file_id, str(upload.id))
