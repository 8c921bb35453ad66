"""What a sync takes away: only what it may, only what is still so, and kept before if wanted."""

import asyncio
import contextlib
import time

from mediatheque.catalog import sync_objects
from mediatheque.catalog.database import Database
from mediatheque.domain.errors import ConflictError, UnavailableError
from mediatheque.domain.sync_plan import BucketEntry, Remembered, is_owned
from mediatheque.domain.syncs import Operation, OperationState, Sync
from mediatheque.services.job_runs import patiently
from mediatheque.services.sync_ledger import Outcome
from mediatheque.services.sync_sender import SyncSender
from mediatheque.storage.mirrors import (
    BlockedError,
    Mirror,
    Refused,
    TooLateError,
    UnstorableError,
)

FOREIGN = (
    "It was not uploaded by Mediatheque, so it is not deleted. The operator can allow that with "
    "MEDIATHEQUE_SYNC_DELETE_UNOWNED."
)

_FRESH_SECONDS = 60.0
"""How long what a plan says of objects is believed without another look."""

_LOOK_HOLDS_SECONDS = 1.0
"""How long it is believed that files are gone; much less than a claim of a job lasts."""

_LOOKS = 5

_PATIENCE_SECONDS = 30.0


class SyncDeleter:
    """Deletes objects for one round of a sync, and never what lies below ``backups``.

    ``unowned``: also what others have uploaded.
    """

    def __init__(
        self,
        database: Database,
        mirror: Mirror,
        sync: Sync,
        sender: SyncSender,
        *,
        backups: tuple[bytes, ...],
        unowned: bool,
    ) -> None:
        self._database = database
        self._mirror = mirror
        self._sync = sync
        self._sender = sender
        self._backups = backups
        self._unowned = unowned

    async def delete(self, operations: list[Operation]) -> list[Outcome]:
        """Delete objects and return what became of each.

        An object stays when it is not ours to delete, when the source has its file again, and when
        somebody has replaced it since the plan was made.
        """
        outcomes: list[Outcome] = []
        going = operations
        # The last looks come after the copies, which may take long.
        for check in (self._whose, self._back_up, self._look_again):
            kept = [await check(operation) for operation in going]
            outcomes += filter(None, kept)
            going = [each for each, why in zip(going, kept, strict=True) if why is None]
        return outcomes + await asyncio.to_thread(self._delete_gone, going)

    async def keep(self, operation: Operation) -> Outcome | None:
        """Copy the object that an operation overwrites to the backups, if wanted.

        Returns the operation's failure when that cannot be.
        """
        try:
            try:
                await self._sender.back_up(_object_of(operation))
            except ConflictError:
                # Somebody has replaced it meanwhile: what is there now is what would be lost.
                newer = await asyncio.to_thread(self._mirror.head, operation.key)
                if newer is not None:
                    await self._sender.back_up(newer)
        except (ConflictError, UnstorableError) as error:
            return Outcome(operation, OperationState.FAILED, error.detail)
        return None

    async def clear_the_way(self, operation: Operation) -> Outcome | None:
        """Delete what is in the way of an operation; return its failure when that may not be.

        Where a bucket has real folders, ``a`` and ``a/b`` exclude each other. The source has only
        one of them, so the other one goes away in this sync anyway.
        """
        entries = await asyncio.to_thread(self._mirror.in_the_way, operation.key)
        keys = [entry.key for entry in entries]
        backups = [key for key in keys if key.startswith(self._backups)]
        if backups:
            return _in_the_way(operation, backups[0], "It is a backup.")
        remembered = {each.key: each for each in await self._remembered(keys)}
        foreign = [e.key for e in entries if not is_owned(e, remembered.get(e.key))]
        if foreign and not self._unowned:
            return _in_the_way(operation, foreign[0], FOREIGN)
        try:
            for entry in entries:
                await self._sender.back_up(entry)
            return await asyncio.to_thread(self._delete_in_the_way, operation, keys)
        except (ConflictError, UnstorableError) as error:
            return Outcome(operation, OperationState.FAILED, error.detail)

    def still_blocked(self, operation: Operation, error: BlockedError) -> Outcome:
        """Return the failure of an operation that something new got in the way of."""
        return Outcome(operation, OperationState.FAILED, error.detail)

    async def _whose(self, operation: Operation) -> Outcome | None:
        if operation.owned or self._unowned:
            return None
        return Outcome(operation, OperationState.FAILED, FOREIGN)

    async def _look_again(self, operation: Operation) -> Outcome | None:
        planned_at = self._sync.planned_at
        if planned_at is None or time.time() - planned_at.timestamp() < _FRESH_SECONDS:
            return None
        entry = await asyncio.to_thread(self._mirror.head, operation.key)
        if entry is not None and entry.etag != operation.stored_etag:
            return _replaced(operation)
        return None

    async def _back_up(self, operation: Operation) -> Outcome | None:
        """Copy an object that is to be deleted to the backups; return what forbids to go on."""
        try:
            await self._sender.back_up(_object_of(operation))
        except ConflictError:
            return _replaced(operation)
        except UnstorableError as error:
            return Outcome(operation, OperationState.FAILED, error.detail)
        return None

    def _delete_gone(self, operations: list[Operation]) -> list[Outcome]:
        """Delete the objects whose files are still gone; blocks.

        A process that was stopped right after its look must not act on it when it goes on: by then
        another worker may have done the sync, and a later one may have put the object again.
        Raises UnavailableError when the store is in trouble for longer than a look holds.
        """
        for _ in range(_LOOKS):
            holds_until = time.monotonic() + _LOOK_HOLDS_SECONDS
            there = {each.key for each in operations if self._sender.is_file_now(each.path)}
            if time.monotonic() >= holds_until and len(operations) > 1:
                half = len(operations) // 2  # of fewer it takes less
                return [
                    *self._delete_gone(operations[:half]),
                    *self._delete_gone(operations[half:]),
                ]
            gone = [each.key for each in operations if each.key not in there]
            with contextlib.suppress(TooLateError):
                refused = self._mirror.delete(gone, before=holds_until)
                return _outcomes(operations, there, refused)
        raise UnavailableError("The store, or the source, took too long to delete objects safely.")

    def _delete_in_the_way(self, operation: Operation, keys: list[bytes]) -> Outcome | None:
        """Delete objects that have no file; blocks. Raises TooLateError, as ``_delete_gone``."""
        holds_until = time.monotonic() + _LOOK_HOLDS_SECONDS
        there = self._first_file(keys)
        if there is not None:
            return _in_the_way(operation, there, "The source has this file again.")
        refused = self._mirror.delete(keys, before=holds_until)
        if refused:
            return Outcome(operation, OperationState.FAILED, refused[0].reason)
        return None

    def _first_file(self, keys: list[bytes]) -> bytes | None:
        return next(filter(self._sender.is_file_now, keys), None)

    async def _remembered(self, keys: list[bytes]) -> list[Remembered]:
        async def read() -> list[Remembered]:
            async with self._database.read() as connection:
                return await sync_objects.find(connection, self._sync.bucket_id, keys)

        return await patiently(read, seconds=_PATIENCE_SECONDS)


def _outcomes(
    operations: list[Operation], there: set[bytes], refused: list[Refused]
) -> list[Outcome]:
    """Return what became of deletions; objects with a key in ``there`` have a file again."""
    ends: dict[bytes, tuple[OperationState, str | None]]
    ends = {each.key: (OperationState.DONE, None) for each in operations}
    ends |= dict.fromkeys(there, (OperationState.SKIPPED, "The source has this file again."))
    ends |= {one.key: (OperationState.FAILED, one.reason) for one in refused}
    return [Outcome(each, *ends[each.key]) for each in operations]


def _object_of(operation: Operation) -> BucketEntry:
    """Return the object that an operation overwrites or deletes, as it was seen."""
    assert operation.stored_etag is not None  # of what is updated and deleted it is known
    return BucketEntry(operation.key, operation.stored_size or 0, operation.stored_etag)


def _replaced(operation: Operation) -> Outcome:
    return Outcome(operation, OperationState.SKIPPED, "Somebody has replaced the object.")


def _in_the_way(operation: Operation, key: bytes, why: str) -> Outcome:
    name = key.decode(errors="replace")
    return Outcome(operation, OperationState.FAILED, f"{name} is in the way. {why}")
