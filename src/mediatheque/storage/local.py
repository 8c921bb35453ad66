"""A store that is a folder on this machine.

An object becomes visible by a rename, so that nobody ever sees half of one. Order of a write:
bytes to a temporary name, fsync, folder of the target made durable, rename, fsync of the folder.
A crash before the rename leaves a temporary file (``sweep_unfinished`` removes it); a crash after
it leaves a whole object, which the janitor removes when no row refers to it.
"""

import asyncio
import contextlib
import itertools
import os
import stat
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from mediatheque.domain.errors import ConflictError, NotFoundError, UnavailableError
from mediatheque.domain.intakes import Intake
from mediatheque.storage import durable as disk
from mediatheque.storage import keys
from mediatheque.storage.intakes import Hasher, Target, lost
from mediatheque.storage.local_appender import LocalAppender, lock_file, release_file
from mediatheque.storage.local_join import LocalJoin
from mediatheque.storage.local_sender import LocalSender
from mediatheque.storage.local_writer import LocalWriter
from mediatheque.storage.segments import join_by_merging, joined, joined_now
from mediatheque.storage.sending import Sending, Source
from mediatheque.storage.stores import ObjectInfo, Stored
from mediatheque.storage.threads import Threads, in_thread, opened_in_thread
from mediatheque.storage.write_behind import WriteBudget

INCOMING = ".incoming"
_READ_BYTES = 1 << 20
_LIST_BATCH = 500
_THREADS = 8
_SENDERS = 8  # more of them wait for the same disk
_APPENDERS = 16  # what they sync together costs the disk little more than one of them
_WRITING_BYTES = 4 << 20
_APPENDING_BYTES = 16 << 20  # many short pieces, each written whole

T = TypeVar("T")


class LocalStore:
    """Objects as files below ``root``.

    ``durable=False`` skips every fsync: faster, and a power cut may lose what was acknowledged.
    ``reserved_bytes`` of the disk stay free, so that a full store never stops the database.
    """

    def __init__(self, root: Path, *, durable: bool = True, reserved_bytes: int = 0) -> None:
        self._root = root
        self._durable = durable
        self._reserved_bytes = reserved_bytes
        self._threads = Threads(_THREADS, thread_name_prefix="local-store")
        self._senders = Threads(_SENDERS, thread_name_prefix="local-sender")
        self._appenders = Threads(_APPENDERS, thread_name_prefix="local-appender")
        self._budget = WriteBudget(_WRITING_BYTES)
        self._appending_budget = WriteBudget(_APPENDING_BYTES)

    async def check(self) -> None:
        """See ``Store.check``."""
        try:
            await self._run(self._probe)
        except OSError as error:
            raise UnavailableError(
                f"The storage folder {self._root} cannot be written: {error.strerror}. "
                "Create it, or give its owner write permission."
            ) from error

    def writer(self, key: str, *, content_type: str, size_hint: int | None) -> LocalWriter:
        """See ``Store.writer``. A folder keeps no content type; the catalog does."""
        del content_type
        return LocalWriter(
            key=key,
            temporary=self._temporary(),
            target=self._path(key),
            threads=self._threads,
            budget=self._budget,
            durable=self._durable,
            reserved_bytes=self._reserved_bytes,
            size_hint=size_hint,
        )

    async def send_file(
        self, source: Source, key: str, *, content_type: str, sending: Sending
    ) -> Stored:
        """See ``Store.send_file``. What was copied before a stop or a crash is copied again."""
        del content_type
        sender = LocalSender(
            source=source,
            sending=sending,
            key=key,
            temporary=self._temporary(),
            publish=partial(disk.rename, target=self._path(key), durable=self._durable),
            durable=self._durable,
            reserved_bytes=self._reserved_bytes,
        )
        return await in_thread(self._senders, sender.send)

    async def abandon(self, key: str, upload_id: str) -> None:
        """See ``Store.abandon``: a folder has no multipart uploads."""
        del key, upload_id

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See ``Store.read``."""
        try:
            async with opened_in_thread(self._threads, self._path(key), os.O_RDONLY) as descriptor:
                position = start
                while end is None or position < end:
                    wanted = _READ_BYTES if end is None else min(_READ_BYTES, end - position)
                    piece = await in_thread(
                        self._threads, partial(os.pread, descriptor, wanted, position)
                    )
                    if not piece:
                        return
                    position += len(piece)
                    yield piece
        except FileNotFoundError as error:
            raise NotFoundError(f"There is no object {key}.") from error
        except OSError as error:
            raise disk.reading_error(error) from error

    async def head(self, key: str) -> ObjectInfo | None:
        """See ``Store.head``."""
        return await self._ask(lambda: self._info(self._path(key)))

    async def delete(self, key: str) -> None:
        """See ``Store.delete``. The emptied folder of the object goes with it."""
        try:
            await self._run(lambda: self._unlink(self._path(key)))
        except OSError as error:
            raise disk.storage_error(error) from error

    async def promote(self, source: ObjectInfo, target: str) -> ObjectInfo:
        """See ``Store.promote``."""
        try:
            return await self._run(lambda: self._rename(source, target))
        except OSError as error:
            raise disk.storage_error(error) from error

    def appender(
        self, intake: Intake, *, digests: Sequence[Hasher] = (), target: Target | None = None
    ) -> LocalAppender:
        """See ``IntakeStore.appender``. A file is never copied that grew in one piece."""
        del target
        return LocalAppender(
            intake,
            path_of=self._path,
            digests=digests,
            threads=self._appenders,
            budget=self._appending_budget,
            durable=self._durable,
            reserved_bytes=self._reserved_bytes,
        )

    async def join(self, intake: Intake, key: str, *, content_type: str) -> ObjectInfo:
        """See ``IntakeStore.join``. Several files are copied by the kernel, hence verified.

        So is one that somebody still writes to, who may be stopped for ever.
        """
        done = await joined(self, intake, key)
        if done is None:
            try:
                return await self._join(intake, key, content_type)
            except ConflictError:
                # A call that nobody waits for any more may have moved the file meanwhile.
                done = await joined(self, intake, key)
                if done is None:
                    raise
        if self._durable:  # who made it may not have come further than the rename
            await self._run(lambda: disk.sync_folder(self._path(key).parent))
        return done

    async def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        """See ``Store.list``. In no particular order."""
        found = self._walk(self._root, prefix)
        while batch := await self._ask(lambda: list(itertools.islice(found, _LIST_BATCH))):
            for info in batch:
                yield info

    async def sweep_unfinished(
        self, before: datetime, *, in_use: Collection[str] = frozenset()
    ) -> int:
        """See ``Store.sweep_unfinished``. A live writer touches its file all the time."""
        del in_use
        return await self._ask(lambda: self._sweep(before.timestamp()))

    def local_path(self, key: str) -> Path | None:
        """See ``Store.local_path``."""
        return self._path(key)

    async def signed_put(self, key: str, *, expires_in: int) -> None:
        """See ``Store.signed_put``: a folder speaks no HTTP."""
        del key, expires_in

    async def signed_get(
        self, key: str, *, expires_in: int, content_type: str, disposition: str
    ) -> None:
        """See ``Store.signed_get``: a folder speaks no HTTP."""
        del key, expires_in, content_type, disposition

    async def free_bytes(self) -> int | None:
        """See ``Store.free_bytes``."""
        return await self._ask(lambda: disk.free_bytes(self._root))

    async def close(self) -> None:
        """See ``Store.close``."""
        await asyncio.to_thread(self._appenders.shutdown)
        await asyncio.to_thread(self._senders.shutdown)
        await asyncio.to_thread(self._threads.shutdown)

    async def _ask(self, work: Callable[[], T]) -> T:
        """Run what only looks. Raises UnavailableError when the disk does not answer."""
        try:
            return await self._run(work)
        except OSError as error:
            raise disk.reading_error(error) from error

    async def _run(self, work: Callable[[], T], threads: Threads | None = None) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(threads or self._threads, work)

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if not key or any(part in {"", ".", ".."} or "\0" in part for part in parts):
            raise ValueError(f"not an object key: {key!r}")
        return self._root.joinpath(*parts)

    def _temporary(self) -> Path:
        return self._root / INCOMING / uuid.uuid4().hex

    def _probe(self) -> None:
        folder = self._root / INCOMING
        if not self._root.exists():  # what it lies in may be nobody's to read
            disk.make_folder(self._root, durable=self._durable)
        disk.make_folder(folder, durable=self._durable)
        probe = folder / f"probe-{uuid.uuid4().hex}"
        try:
            probe.write_bytes(b"probe")
        finally:
            probe.unlink(missing_ok=True)

    def _info(self, path: Path) -> ObjectInfo | None:
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        return ObjectInfo(
            key=path.relative_to(self._root).as_posix(),
            size=status.st_size,
            modified=datetime.fromtimestamp(status.st_mtime, UTC),
            etag=f"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}",
        )

    def _unlink(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        if path.parent != self._root:
            with contextlib.suppress(OSError):  # not empty, or already gone
                path.parent.rmdir()

    def _rename(self, source: ObjectInfo, target: str) -> ObjectInfo:
        from_path, to_path = self._path(source.key), self._path(target)
        seen = self._info(from_path)
        if seen is not None and seen.etag != source.etag:
            raise ConflictError(f"The object {source.key} changed while it was being moved.")
        try:
            disk.rename(from_path, to_path, durable=self._durable)
        except FileNotFoundError as error:
            done = self._info(to_path)
            if done is None or done.size != source.size:
                raise NotFoundError(f"There is no object {source.key}.") from error
            return done
        if self._durable:
            disk.sync_folder(from_path.parent)
        with contextlib.suppress(OSError):
            from_path.parent.rmdir()
        moved = self._info(to_path)
        if moved is None:
            raise UnavailableError(f"The object {target} vanished while it was being moved.")
        return moved

    async def _join(self, intake: Intake, key: str, content_type: str) -> ObjectInfo:
        target = self._path(key)
        try:
            made = await self._run(lambda: self._move_segment(intake, target))
            if not made:  # may take long, and what is short shall not wait for it
                made = await self._run(lambda: self._copy_segments(intake, target), self._senders)
        except OSError as error:
            raise disk.storage_error(error) from error
        if not made:
            return await join_by_merging(self, intake, key, content_type=content_type)
        return await joined_now(self, intake, key)

    def _move_segment(self, intake: Intake, target: Path) -> bool:
        """Give the one file of an intake its final name; False when it is not one, or in use."""
        if len(intake.segments) != 1:
            return False
        path = self._path(intake.segments[0].object_key)
        try:
            descriptor = lock_file(path)
        except FileNotFoundError as error:
            raise lost(intake) from error
        if descriptor is None:
            return False
        try:
            self._cut(descriptor, intake)
            disk.rename(path, target, durable=self._durable)
            if self._durable:
                disk.sync_folder(path.parent)
            with contextlib.suppress(OSError):  # not empty: other files were never recorded
                path.parent.rmdir()
        finally:
            release_file(descriptor)
        return True

    def _copy_segments(self, intake: Intake, target: Path) -> bool:
        """Make one file of those of an intake; False when this machine cannot."""
        joining = LocalJoin(
            intake,
            path_of=self._path,
            durable=self._durable,
            reserved_bytes=self._reserved_bytes,
        )
        return joining.copy_to(self._path(keys.staging(intake.id, uuid.uuid4().hex)), target)

    def _cut(self, descriptor: int, intake: Intake) -> None:
        """Remove what is behind the acknowledged bytes."""
        size = os.fstat(descriptor).st_size
        if size < intake.size:
            raise lost(intake)
        if size > intake.size:
            os.ftruncate(descriptor, intake.size)
            if self._durable:
                disk.sync_file(descriptor)

    def _walk(self, folder: Path, prefix: str) -> Iterator[ObjectInfo]:
        try:
            entries = os.scandir(folder)
        except FileNotFoundError:
            return
        with entries:
            for entry in entries:
                path = Path(entry.path)
                key = path.relative_to(self._root).as_posix()
                if entry.is_dir(follow_symlinks=False):
                    inside = key + "/"
                    if entry.name != INCOMING and (
                        inside.startswith(prefix) or prefix.startswith(inside)
                    ):
                        yield from self._walk(path, prefix)
                elif key.startswith(prefix):
                    info = self._info(path)
                    if info is not None:
                        yield info

    def _sweep(self, before: float) -> int:
        removed = 0
        folder = self._root / INCOMING
        for path in folder.iterdir() if folder.is_dir() else ():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    path.unlink()
                    removed += 1
        return removed
