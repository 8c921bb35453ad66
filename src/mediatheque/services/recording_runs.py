"""Finishing recordings: from the chunks that were acknowledged to a film that can be played.

Order: the bytes become one object, which is read once more and compared with what was acknowledged;
the original's row replaces the intake's; then what is made of it, and the recording's end, are
written together. Each step finds out whether it has happened, so that a run that was killed is done
again from where it stood.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from mediatheque.catalog import intakes, medias, recordings
from mediatheque.catalog.database import Database
from mediatheque.domain.errors import ExistsError, NotFoundError, UnavailableError
from mediatheque.domain.ids import new_id
from mediatheque.domain.intakes import Intake
from mediatheque.domain.media import Media
from mediatheque.domain.processing import PLAYABLE, RECORDING_STEPS
from mediatheque.domain.recordings import Recording, RecordingState, original_name
from mediatheque.processing.sniff import extension_of, sniff
from mediatheque.processing.tasks import RejectedError
from mediatheque.services.derivation import Derivation, Deriver, Share
from mediatheque.services.intake_heads import read_head
from mediatheque.services.job_runs import JobFailedError, JobRun, patiently
from mediatheque.services.uploads import UploadService
from mediatheque.storage import keys
from mediatheque.storage.digest import Digest
from mediatheque.storage.stores import ObjectInfo, Store
from mediatheque.telemetry import metrics

_JOINED = 0.1
"""Ratio of a recording's work that is done when its bytes are one object."""


class RecordingRunner:
    """Does the work of recordings' jobs. ``keep_original``: also when a film was made of it."""

    def __init__(
        self,
        database: Database,
        store: Store,
        uploads: UploadService,
        deriver: Deriver,
        *,
        keep_original: bool,
    ) -> None:
        self._database = database
        self._store = store
        self._uploads = uploads
        self._deriver = deriver
        self._keep_original = keep_original

    async def run(self, run: JobRun) -> None:
        """Finish a recording; goes on where an earlier run ended.

        Raises JobFailedError when nothing that can be played could be made of it: then its bytes
        are kept as they were received.
        """
        run.check()
        recording = await self._find(UUID(run.arguments["recording"]))
        if recording is None or recording.state is RecordingState.COMPLETE:
            return
        original = await self._original(run, recording)
        if original is None:
            return
        try:
            derivation = await self._deriver.derive(
                run, original, RECORDING_STEPS, share=Share(_JOINED, 1 - _JOINED)
            )
        except RejectedError as error:
            await self._fail(run, recording, original, error.detail)
            raise JobFailedError(error.detail) from error
        try:
            replaced = await patiently(lambda: self._complete(run, recording, derivation))
        except NotFoundError:  # somebody deleted it: there is nothing left to finish
            await self._deriver.discard(derivation)
            return
        except BaseException:
            await self._deriver.discard(derivation)
            raise
        await self._deriver.delete_objects(replaced)

    async def _find(self, recording_id: UUID) -> Recording | None:
        async with self._database.read() as connection:
            return await recordings.find(connection, recording_id, owner=None)

    async def _original(self, run: JobRun, recording: Recording) -> Media | None:
        """Return the original, made now or by an earlier run; None when it was deleted since."""
        async with self._database.read() as connection:
            intake = await intakes.find(connection, recording.media_id)
            if intake is None:
                return await medias.find(connection, recording.media_id, owner=None)
        head = await read_head(self._store, intake)
        mime_type = sniff(head, "")
        filename = original_name(recording.created_at, extension_of(mime_type))
        joined = await self._store.join(
            intake, keys.original(intake.id, filename), content_type=mime_type
        )
        await run.save(progress=_JOINED / 2)
        digest = await self._verified(intake, joined)
        original = Media(
            id=intake.id,
            resource=str(recording.id),
            key="",
            filename=filename,
            size=intake.size,
            mime_type=mime_type,
            created_by=recording.created_by,
            created_role=recording.created_role,
            public=False,
            project_id=None,
            created_at=recording.created_at,
            updated_at=datetime.now(UTC),
            crc64nvme=digest.crc64nvme,
            blake3=digest.blake3,
            object_key=joined.key,
        )
        await patiently(lambda: self._add_original(run, original))
        metrics.UPLOADS.labels("kept").inc()
        await self._uploads.clear_staging(intake.id)
        return original

    async def _verified(self, intake: Intake, joined: ObjectInfo) -> Digest:
        """Read the whole once more. Raises UnavailableError unless it is what was acknowledged."""
        digest = Digest()
        async for piece in self._store.read(joined.key):
            await asyncio.to_thread(digest.update, piece)
        if (digest.size, digest.crc64nvme) != (intake.size, intake.crc64nvme):
            raise UnavailableError(
                f"The store does not give back what was received: {digest.size} bytes with the "
                f"checksum {digest.crc64nvme} instead of {intake.size} with {intake.crc64nvme}. "
                "Check the disk."
            )
        return digest

    async def _add_original(self, run: JobRun, original: Media) -> None:
        async with self._database.begin() as transaction:
            await run.still_holds(transaction)
            if await medias.find(transaction, original.id, owner=None) is not None:
                return  # written by an earlier try, whose answer was lost
            try:
                await medias.add(transaction, original)
            except ExistsError as error:
                raise JobFailedError(
                    f"The resource {original.resource} is taken by another media, so the "
                    "recording cannot get its name. Delete that one, then retry the job."
                ) from error
            await intakes.remove(transaction, original.id)

    async def _complete(
        self, run: JobRun, recording: Recording, derivation: Derivation
    ) -> list[str]:
        """Write the end of a recording; return the keys of objects that nobody needs any more."""
        async with self._database.begin() as transaction:
            await run.still_holds(transaction)
            there = await recordings.lock(transaction, recording.id)
            if there is not None and there.state is RecordingState.COMPLETE:
                return []  # written by an earlier try, whose answer was lost
            replaced = await self._deriver.record_in(transaction, derivation)
            warning = _warning(derivation)
            media_id = recording.media_id
            playable = derivation.made(PLAYABLE)
            if playable is not None and warning is None and not self._keep_original:
                media_id = new_id()
                old = await medias.replace_original(transaction, media_id, playable)
                replaced.append(old)
            await recordings.change(
                transaction,
                recording.id,
                state=RecordingState.COMPLETE,
                warning=warning,
                error=None,
                finished_at=datetime.now(UTC),
                media_id=media_id,
            )
            return replaced

    async def _fail(self, run: JobRun, recording: Recording, original: Media, reason: str) -> None:
        async def write() -> None:
            async with self._database.begin() as transaction:
                await run.still_holds(transaction)
                await medias.learn(
                    transaction, original.id, meta={"error": reason}, mime_type=original.mime_type
                )
                await recordings.change(
                    transaction,
                    recording.id,
                    state=RecordingState.FAILED,
                    error=reason,
                    finished_at=datetime.now(UTC),
                )

        await patiently(write)


def _warning(derivation: Derivation) -> str | None:
    """Return what people should know of a complete recording, in sentences; None for nothing."""
    warnings: Sequence[str] = derivation.processed.meta.get("warnings", ())
    sentences = [*warnings, *derivation.processed.failures.values()]
    return " ".join(sentences) or None
