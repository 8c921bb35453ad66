"""The plan of a sync while it is being made: counted here, written down in batches."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from mediatheque.catalog import sync_objects, sync_operations, syncs
from mediatheque.catalog.database import Database, Transaction
from mediatheque.domain.sync_plan import BucketEntry, Remembered, SourceEntry, is_owned
from mediatheque.domain.syncs import RANK, Action, Operation, OperationState, Plan, Sync, Tally
from mediatheque.services.job_runs import JobRun, patiently

T = TypeVar("T")

_BATCH = 1000
_CLEARED_AT_ONCE = 50_000
_PATIENCE_SECONDS = 30.0


class Draft:
    """Operations, and what was found out about objects on the way. Every write holds the claim.

    A dry run remembers nothing of objects.
    """

    def __init__(self, run: JobRun, database: Database, sync: Sync) -> None:
        self._run = run
        self._database = database
        self._sync = sync
        self._operations: list[Operation] = []
        self._remembered: list[Remembered] = []
        self._forgotten: list[bytes] = []
        self._positions = dict.fromkeys(RANK.values(), 0)
        self._files = dict.fromkeys(Action, 0)
        self._bytes = dict.fromkeys(Action, 0)
        self._foreign = 0
        self._failed = 0
        self._skipped = 0
        self._skipped_bytes = 0

    async def begin(self) -> None:
        """Remove the operations of an earlier plan, and of syncs of the bucket that have ended."""

        cleared = _CLEARED_AT_ONCE

        async def write(transaction: Transaction) -> None:
            nonlocal cleared
            cleared = await sync_operations.clear(
                transaction, self._sync.bucket_id, self._sync.id, limit=_CLEARED_AT_ONCE
            )

        while cleared == _CLEARED_AT_ONCE:
            await self.write(write)

    def skip(self, files: int, size: int) -> None:
        """Count files of which nothing is to be done; ``size`` in bytes of all of them."""
        self._skipped += files
        self._skipped_bytes += size

    def upload(self, source: SourceEntry) -> None:
        """Plan to upload a file that has no object."""
        self._add(Action.UPLOAD, source.key, source.path, source.size)

    def update(
        self,
        source: SourceEntry,
        stored: BucketEntry,
        remembered: Remembered | None,
        error: str | None = None,
    ) -> None:
        """Plan to replace the object of a file; one with an ``error`` has failed already."""
        self._add(
            Action.UPDATE,
            source.key,
            source.path,
            source.size,
            stored_etag=stored.etag,
            stored_size=stored.size,
            owned=is_owned(stored, remembered),
            error=error,
        )

    def copy(self, source: SourceEntry, origin: Remembered, looks: Remembered) -> None:
        """Plan to copy the object ``origin``; ``looks`` is what to remember of the file then."""
        self._add(
            Action.COPY,
            source.key,
            source.path,
            source.size,
            copy_from=origin.key,
            stored_etag=origin.etag,
            stored_size=origin.size,
            mtime_ns=looks.mtime_ns,
            ctime_ns=looks.ctime_ns,
            inode=looks.inode,
            blake3=looks.blake3,
        )

    def delete(self, stored: BucketEntry, remembered: Remembered | None) -> None:
        """Plan to delete an object that has no file."""
        owned = is_owned(stored, remembered)
        self._foreign += not owned
        self._add(
            Action.DELETE,
            stored.key,
            stored.key,
            stored.size,
            stored_etag=stored.etag,
            stored_size=stored.size,
            owned=owned,
        )

    def refuse(self, path: bytes, size: int, reason: str) -> None:
        """Note a file that cannot be uploaded, because of its name."""
        self._add(Action.UPLOAD, path, path, size, error=reason)

    def remember(self, known: Remembered) -> None:
        """Keep what was found out about an object."""
        self._remembered.append(known)

    def forget(self, key: bytes) -> None:
        """Keep nothing of a key any more that neither the source nor the bucket has."""
        self._forgotten.append(key)

    async def flush(self, *, least: int = _BATCH) -> None:
        """Write what was not written yet, when it is much."""
        if len(self._operations) + len(self._remembered) + len(self._forgotten) < least:
            return
        operations, self._operations = self._operations, []
        remembered, self._remembered = self._remembered, []
        forgotten, self._forgotten = self._forgotten, []

        async def write(transaction: Transaction) -> None:
            if operations:
                await sync_operations.add(transaction, self._sync.id, operations)
            if self._sync.options.dry_run:
                return
            await sync_objects.save(transaction, self._sync.bucket_id, remembered)
            if forgotten:
                await sync_objects.forget(transaction, self._sync.bucket_id, forgotten)

        await self.write(write)

    async def end(self, *, objects: int, ignored: int, empty: bool) -> Plan:
        """Write the rest and the plan itself, and return it."""
        await self.flush(least=1)
        plan = Plan(
            upload=self._tally(Action.UPLOAD),
            copy=self._tally(Action.COPY),
            update=self._tally(Action.UPDATE),
            delete=self._tally(Action.DELETE),
            skip=Tally(self._skipped, self._skipped_bytes),
            foreign=self._foreign,
            objects=objects,
            ignored=ignored,
            empty=empty,
        )
        await self.write(
            lambda transaction: syncs.change(
                transaction,
                self._sync.id,
                plan=plan,
                planned_at=datetime.now(UTC),
                done_files=0,
                done_bytes=0,
                failed=self._failed,
            )
        )
        return plan

    async def write(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Do a write as long as this run holds its job. Raises LeaseLost."""

        async def once() -> T:
            async with self._database.begin() as transaction:
                await self._run.still_holds(transaction)
                return await work(transaction)

        return await patiently(once, seconds=_PATIENCE_SECONDS)

    def _add(
        self,
        action: Action,
        key: bytes,
        path: bytes,
        size: int,
        *,
        error: str | None = None,
        **values: Any,
    ) -> None:
        rank = RANK[action]
        state = OperationState.PENDING if error is None else OperationState.FAILED
        self._operations.append(
            Operation(
                action=action,
                position=self._positions[rank],
                key=key,
                path=path,
                size=size,
                state=state,
                error=error,
                **values,
            )
        )
        self._positions[rank] += 1
        self._files[action] += 1
        self._bytes[action] += size
        self._failed += error is not None

    def _tally(self, action: Action) -> Tally:
        return Tally(self._files[action], self._bytes[action])
