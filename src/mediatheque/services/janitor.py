"""Removing what crashes and clients leave behind.

Three kinds of leftovers are counted: uploads that nobody finished in time, objects that no row
refers to, and writes that never became an object. Recordings go whose medias people have deleted.
Every object is under a row's protection from before its first byte (the upload, the file of a
transfer, the intake) to its end (the media), so that an old object without one can never come into
use again; it is looked at once more right before it is deleted all the same.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mediatheque.catalog import (
    intakes,
    medias,
    recordings,
    sync_operations,
    transfer_files,
    uploads,
)
from mediatheque.catalog.database import Database
from mediatheque.services.identity import IdentityService
from mediatheque.storage import keys
from mediatheque.storage.stores import Store
from mediatheque.telemetry import metrics
from mediatheque.telemetry.logs import get_logger

log = get_logger(__name__)

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Swept:
    """How many leftovers of each kind were removed."""

    uploads: int
    objects: int
    unfinished: int


class Janitor:
    """Removes leftovers. ``orphan_age`` and ``unfinished_age`` in seconds."""

    def __init__(
        self,
        database: Database,
        store: Store,
        identity: IdentityService,
        *,
        orphan_age: int,
        unfinished_age: int,
    ) -> None:
        self._database = database
        self._store = store
        self._identity = identity
        self._orphan_age = timedelta(seconds=orphan_age)
        self._unfinished_age = timedelta(seconds=unfinished_age)

    async def sweep(self) -> Swept:
        """Do one round and return what was removed.

        Raises UnavailableError, with nothing removed, when the store is another catalog's.
        """
        await self._identity.claim()
        await self._release_transfers()
        await self._forget_recordings()
        swept = Swept(
            uploads=await self._sweep_uploads(),
            objects=await self._sweep_objects(),
            unfinished=await self._sweep_unfinished(),
        )
        for kind in ("uploads", "objects", "unfinished"):
            metrics.JANITOR_REMOVED.labels(kind).inc(getattr(swept, kind))
        metrics.JANITOR_LAST_RUN.set_to_current_time()
        if swept != Swept(0, 0, 0):
            log.info(
                "leftovers removed",
                uploads=swept.uploads,
                objects=swept.objects,
                unfinished=swept.unfinished,
            )
        return swept

    async def _sweep_uploads(self) -> int:
        """Remove uploads that have expired, row first: from then on nothing can use their bytes."""
        removed = 0
        while True:
            async with self._database.begin() as transaction:
                expired = await uploads.remove_expired(transaction, limit=_BATCH)
            for upload in expired:
                await self._delete_all(keys.staging(upload.id, ""))
                await self._store.delete(keys.original(upload.id, upload.name))
            removed += len(expired)
            if len(expired) < _BATCH:
                return removed

    async def _delete_all(self, prefix: str) -> None:
        async for info in self._store.list(prefix):
            await self._store.delete(info.key)

    async def _release_transfers(self) -> None:
        """Give up what transfers that ended long ago left in the store; a sweep then finds it."""
        before = datetime.now(UTC) - self._orphan_age
        released = _BATCH
        while released == _BATCH:
            async with self._database.begin() as transaction:
                released = await transfer_files.release_ended(transaction, before, limit=_BATCH)

    async def _forget_recordings(self) -> None:
        """Remove what is left of recordings whose medias people have deleted."""
        removed = _BATCH
        while removed == _BATCH:
            async with self._database.begin() as transaction:
                removed = await recordings.remove_forgotten(transaction, limit=_BATCH)

    async def _sweep_unfinished(self) -> int:
        # Asked after the age was fixed: an upload that begins later is too young to be swept.
        before = datetime.now(UTC) - self._unfinished_age
        async with self._database.read() as connection:
            in_use = await transfer_files.uploads_in_use(connection)
            in_use |= await sync_operations.uploads_in_use(connection)
            in_use |= await intakes.uploads_in_use(connection)
        return await self._store.sweep_unfinished(before, in_use=in_use)

    async def _sweep_objects(self) -> int:
        before = datetime.now(UTC) - self._orphan_age
        removed = 0
        old: list[str] = []
        for prefix in (keys.ORIGINALS, keys.STAGING):
            async for info in self._store.list(prefix):
                if info.modified < before:
                    old.append(info.key)
                if len(old) == _BATCH:
                    removed += await self._delete_unreferenced(old)
                    old = []
        return removed + await self._delete_unreferenced(old)

    async def _delete_unreferenced(self, object_keys: list[str]) -> int:
        removed = 0
        for key in await self._unreferenced(object_keys):
            # Seconds may have passed since all of them were looked at together.
            if await self._unreferenced([key]):
                await self._store.delete(key)
                removed += 1
        return removed

    async def _unreferenced(self, object_keys: list[str]) -> list[str]:
        """Return the keys that belong to no media and to nothing under way."""
        owners = {key: keys.owner(key) for key in object_keys}
        ids = [owner for owner in owners.values() if owner is not None]
        if not ids:
            return []
        async with self._database.read() as connection:
            under_way = await uploads.existing(connection, ids)
            under_way |= await transfer_files.unfinished(connection, ids)
            under_way |= await intakes.existing(connection, ids)
            in_use = await medias.object_keys(connection, object_keys)
        return [
            key
            for key, owner in owners.items()
            if owner is not None and owner not in under_way and key not in in_use
        ]
