"""What is due for resumable uploads that nobody cares for."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from mediatheque.catalog import resumable_uploads
from mediatheque.catalog.database import Database
from mediatheque.domain.errors import MediathequeError
from mediatheque.domain.resumable_uploads import ResumableUpload
from mediatheque.services.held_intake import HeldIntake
from mediatheque.services.intake import IntakeService
from mediatheque.services.resumable_finish import ResumableFinisher
from mediatheque.telemetry.logs import get_logger

log = get_logger(__name__)

_LEFT_ALONE = timedelta(seconds=30)
_BATCH = 100


class ResumableSweeper:
    """Finishes uploads that have all their bytes, and gives up those that nobody finishes.

    ``lifetime``: how long after its last bytes an unfinished one is given up.
    """

    def __init__(
        self,
        database: Database,
        intake: IntakeService,
        finisher: ResumableFinisher,
        *,
        lifetime: timedelta,
    ) -> None:
        self._database = database
        self._intake = intake
        self._finisher = finisher
        self._lifetime = lifetime

    async def sweep(self) -> None:
        """Do one round. Any number of processes may do so at once; each upload is tried once."""
        now = datetime.now(UTC)
        await self._finish_all(now - _LEFT_ALONE)
        await self._expire_all(now - self._lifetime)
        forgotten = _BATCH
        while forgotten == _BATCH:
            async with self._database.begin() as transaction:
                forgotten = await resumable_uploads.forget(
                    transaction, now - self._lifetime, limit=_BATCH
                )

    async def _finish_all(self, before: datetime) -> None:
        while True:
            async with self._database.read() as connection:
                left = await resumable_uploads.unfinished(connection, before, limit=_BATCH)
            for upload_id in left:
                await self._finish(upload_id)
            if len(left) < _BATCH:
                return

    async def _finish(self, upload_id: UUID) -> None:
        # Whatever becomes of it, its turn is over until all others had one.
        async with self._database.begin() as transaction:
            await resumable_uploads.change(transaction, [upload_id])
        with _alone("upload not finished", upload_id):
            async with self._intake.hold(upload_id, patience=0) as held:
                upload = await self._find(upload_id)
                if upload is not None and upload.ready:
                    await self._finisher.finish(held, upload)
                    log.info("upload finished that was left alone", upload=str(upload_id))

    async def _expire_all(self, before: datetime) -> None:
        last: UUID | None = None
        while True:
            async with self._database.read() as connection:
                left = await resumable_uploads.expired(connection, before, after=last, limit=_BATCH)
            for upload_id in left:
                with _alone("upload not expired", upload_id):
                    async with self._intake.hold(upload_id, patience=0) as held:
                        if held.intake.touched_at < before:
                            await self._expire(held)
            if len(left) < _BATCH:
                return
            last = left[-1]

    async def _expire(self, held: HeldIntake) -> None:
        upload = await self._find(held.intake.id)
        if upload is None:
            return
        await self._finisher.give_up(held, upload, expired=True)
        log.info("upload expired", upload=str(upload.id), size=upload.size)

    async def _find(self, upload_id: UUID) -> ResumableUpload | None:
        async with self._database.read() as connection:
            return await resumable_uploads.find(
                connection, upload_id, owner=None, lifetime=self._lifetime
            )


@contextlib.contextmanager
def _alone(failed: str, upload_id: UUID) -> Iterator[None]:
    """Log that the block ``failed`` one upload; the others have their turn all the same."""
    try:
        yield
    except MediathequeError as error:  # most likely somebody cares for it after all
        log.info(failed, upload=str(upload_id), error=error.detail)
    except Exception:
        log.exception(failed, upload=str(upload_id))
