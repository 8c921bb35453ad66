"""One operation of a sync: a file into the bucket, a copy inside it, and what is kept before."""

import asyncio
import contextlib
import mimetypes
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from mediatheque.domain.errors import ConflictError, NotFoundError
from mediatheque.domain.sync_plan import BucketEntry, Remembered, settled_ctime
from mediatheque.domain.syncs import Operation, OperationState, Sync
from mediatheque.services.sync_ledger import Outcome
from mediatheque.services.sync_sending import SyncSending
from mediatheque.storage.beneath import Place
from mediatheque.storage.mirrors import SMALL_BYTES, BlockedError, Mirror, Put, UnstorableError
from mediatheque.storage.sending import SourceChangedError, SourceReadError
from mediatheque.storage.sources import Reason, SourceError, SourceFile, SourceRoots

_TRIES = 3
_PAUSE_SECONDS = 0.3
_MOST_BACKUPS = 10  # of one object by one round of a sync, which only crashes make more than one
_UNKNOWN_TYPE = "application/octet-stream"
_NO_FILE_ANY_MORE = {Reason.MISSING, Reason.FOLDER, Reason.SPECIAL}
_FILE_ERRORS = (SourceError, SourceReadError, SourceChangedError, UnstorableError)

Follow = Callable[[Operation, threading.Event], AbstractContextManager[SyncSending]]


class SyncSender:
    """Puts the files of one source into a mirror.

    ``follow`` is told of every file that may take long. ``abort`` stops these in their middle.
    """

    def __init__(
        self,
        mirror: Mirror,
        roots: SourceRoots,
        sync: Sync,
        follow: Follow,
        abort: threading.Event,
    ) -> None:
        self._mirror = mirror
        self._roots = roots
        self._sync = sync
        self._source = roots.place(os.fsencode(sync.source))
        self._follow = follow
        self._abort = abort

    def put(self, operation: Operation, give_up: threading.Event) -> Outcome | None:
        """Put a small file and return what became of it; blocks.

        None when it has grown beyond what is put at once. Raises BlockedError, UnavailableError
        or StorageFullError when the store is at fault, and SendingStoppedError when it is in
        trouble after ``give_up`` was set.
        """
        for last in (False,) * (_TRIES - 1) + (True,):
            opened_ns = time.time_ns()
            try:
                with self._roots.open(self._place(operation)) as source:
                    if source.size > SMALL_BYTES:
                        return None
                    put = self._mirror.put(
                        source, operation.key, _type_of(operation.key), give_up=give_up
                    )
                    return _done(operation, source, put, opened_ns)
            except _FILE_ERRORS as error:
                if last or not isinstance(error, SourceChangedError):
                    return _not_done(operation, error)
            time.sleep(_PAUSE_SECONDS)
        raise AssertionError  # the last try returns

    async def send(self, operation: Operation) -> Outcome:
        """Put a file of any size and return what became of it.

        Raises SendingStoppedError, and what ``put`` raises.
        """
        with self._follow(operation, self._abort) as sending:
            return await self._send(operation, sending)

    async def _send(self, operation: Operation, sending: SyncSending) -> Outcome:
        for last in (False,) * (_TRIES - 1) + (True,):
            opened_ns = time.time_ns()
            try:
                source = await asyncio.to_thread(self._roots.open, self._place(operation))
                with source:
                    key = operation.key
                    put = await self._mirror.send(source, key, _type_of(key), sending)
                    return _done(operation, source, put, opened_ns)
            except _FILE_ERRORS as error:
                if last or not isinstance(error, SourceChangedError):
                    return _not_done(operation, error)
            except BlockedError:
                raise
            except ConflictError as error:  # somebody else replaces this object
                return _not_done(operation, error)
            sending.start_again()
            await asyncio.sleep(_PAUSE_SECONDS)
        raise AssertionError  # as above

    async def copy(self, operation: Operation) -> Outcome:
        """Make the object out of another one in the bucket; out of the file when that is gone."""
        assert operation.copy_from is not None
        entry = BucketEntry(operation.copy_from, operation.size, operation.stored_etag or "")
        try:
            made = await self._mirror.copy(entry, operation.key)
        except BlockedError:
            raise
        except UnstorableError as error:
            return _not_done(operation, error)
        except (NotFoundError, ConflictError):
            return await self.send(operation)
        remembered = Remembered(
            key=operation.key,
            size=made.size,
            etag=made.etag,
            mtime_ns=operation.mtime_ns or 0,
            ctime_ns=operation.ctime_ns or 0,
            inode=operation.inode or 0,
            blake3=operation.blake3 or "",
            uploaded=True,
        )
        return Outcome(operation, OperationState.DONE, remembered=remembered)

    async def back_up(self, entry: BucketEntry) -> None:
        """Copy an object that is about to go to where the sync keeps such, if it does.

        An earlier backup is never replaced: the second one has the sync's number in its name.
        Raises ConflictError when the object is another by now, and UnstorableError.
        """
        prefix = self._sync.options.backup_prefix
        if prefix is None:
            return
        number = f".{self._sync.number}-{self._sync.rounds}".encode()
        for name in _backup_names(entry.key, number):
            target = prefix.encode() + b"/" + name
            kept = await asyncio.to_thread(self._mirror.head, target)
            if kept is not None and kept[1:] == entry[1:]:
                return  # by a run that ended before it could say so
            if kept is None:
                with contextlib.suppress(BlockedError):  # by another backup
                    await self._copy_if_there(entry, target)
                    return
        shown = entry.key.decode(errors="backslashreplace")
        raise UnstorableError(
            f"{shown!r} cannot be kept under {prefix!r}: what is there is in the way of it."
        )

    def is_file_now(self, path: bytes) -> bool:
        """Tell whether the source has this file after all, or may have it; blocks."""
        return self._roots.is_file(self._source, path)

    async def _copy_if_there(self, entry: BucketEntry, target: bytes) -> None:
        with contextlib.suppress(NotFoundError):
            await self._mirror.copy(entry, target)

    def _place(self, operation: Operation) -> Place:
        return self._source.below(operation.path)


def _backup_names(key: bytes, number: bytes) -> Iterator[bytes]:
    """Yield names for the backup of an object, the best one first.

    Where a bucket has real folders, the backup of ``a`` is in the way of any below ``a/``, but not
    of one below a name of its own.
    """
    yield key
    yield key + number
    top, slash, rest = key.partition(b"/")
    yield top + number + slash + rest
    for again in range(2, _MOST_BACKUPS):
        yield b"%s%s_%d%s%s" % (top, number, again, slash, rest)


def _done(operation: Operation, source: SourceFile, put: Put, opened_ns: int) -> Outcome:
    looked = source.fingerprint
    remembered = Remembered(
        key=operation.key,
        size=put.size,
        etag=put.etag,
        mtime_ns=looked.mtime_ns,
        # As of the opening: a write during the put may have left the times as they were.
        ctime_ns=settled_ctime(looked.ctime_ns, opened_ns),
        inode=looked.inode,
        blake3=put.blake3,
        uploaded=True,
    )
    return Outcome(operation, OperationState.DONE, remembered=remembered)


def _not_done(operation: Operation, error: Exception) -> Outcome:
    if isinstance(error, SourceError) and error.reason in _NO_FILE_ANY_MORE:
        return Outcome(operation, OperationState.SKIPPED, "The file is gone.")
    detail = getattr(error, "detail", str(error))
    return Outcome(operation, OperationState.FAILED, detail)


def _type_of(key: bytes) -> str:
    """Return the content type that a name speaks of, as other programs that copy to S3 do."""
    name = key.rpartition(b"/")[2].decode(errors="replace")
    return mimetypes.guess_type(name)[0] or _UNKNOWN_TYPE
