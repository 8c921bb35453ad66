"""Mirrors in a folder of this machine: the bucket is a folder, its objects are plain files."""

import contextlib
import errno
import functools
import os
import stat
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from blake3 import blake3

from mediatheque.domain.errors import (
    ConflictError,
    NotFoundError,
    UnavailableError,
)
from mediatheque.domain.sync_plan import BucketEntry
from mediatheque.domain.syncs import MAX_KEY_BYTES
from mediatheque.storage import durable as disk
from mediatheque.storage.beneath import Place, best_opener
from mediatheque.storage.fingerprints import Fingerprint, fingerprint
from mediatheque.storage.folder_tree import FolderTree, is_nowhere
from mediatheque.storage.keys import BUCKETS
from mediatheque.storage.local import INCOMING
from mediatheque.storage.local_sender import LocalSender
from mediatheque.storage.mirrors import (
    BlockedError,
    Compared,
    Put,
    Refused,
    TooLateError,
    UnstorableError,
)
from mediatheque.storage.pace import UNLIMITED
from mediatheque.storage.sending import (
    READ_BYTES,
    Sending,
    Source,
    SourceChangedError,
    check_unchanged,
    read_source,
)
from mediatheque.storage.sources import SourceFile
from mediatheque.storage.stores import Stored
from mediatheque.storage.threads import Threads, in_thread
from mediatheque.storage.walk import Found, FoundKind, walk

_AT_ONCE = 8
_BATCH = 1000
# Links on the way as well: ELOOP and EXDEV, as the two openers say.
_BLOCKED = {errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EXDEV}
_LINKS_REFUSED = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}


class FolderMirror:
    """The folder ``buckets/<name>`` of the store at ``store``; see ``Mirror``.

    Files come by a rename from the store's folder for unfinished ones. ``durable`` and
    ``reserved_bytes`` are as for ``LocalStore``.
    """

    at_once = _AT_ONCE

    def __init__(
        self, store: Path, name: str, *, durable: bool = True, reserved_bytes: int = 0
    ) -> None:
        self._store = store
        self._root = store / BUCKETS / name
        self.place = f"The bucket {name!r} in {store}"
        self._tree = FolderTree(self._root, durable=durable)
        self._durable = durable
        self._reserved_bytes = reserved_bytes
        self._threads = Threads(_AT_ONCE, thread_name_prefix="folder-mirror")

    def exists(self) -> bool:
        """See ``Mirror.exists``. A store that is missing altogether may not be mounted."""
        with self._errors():
            if self._tree.is_there():
                return True
        if not self._store.is_dir():
            raise UnavailableError(f"The storage folder {self._store} is not there.")
        return False

    def create(self) -> bool:
        """See ``Mirror.create``."""
        with self._errors():
            if self.exists():
                return False
            if self._tree.make_root() or self._tree.is_there():
                return True
        raise ConflictError(f"{self._root} is no folder, so it cannot be a bucket.")

    def entries(self, *, in_order: bool) -> Iterator[list[BucketEntry]]:
        """See ``Mirror.entries``. Links and special files are no objects; always in order."""
        del in_order
        if not self.exists():
            return
        found = walk(Place(self._root, b""), best_opener(), follow_links=False)
        objects = (_entry_of(each) for each in found if _is_object(each))
        while batch := list(islice(objects, _BATCH)):
            yield batch

    def keeps_backslashes(self) -> bool:
        """See ``Mirror.keeps_backslashes``: file systems do."""
        return True

    def head(self, key: bytes) -> BucketEntry | None:
        """See ``Mirror.head``."""
        status = self._status(key)
        if status is None or not stat.S_ISREG(status.st_mode):
            return None
        return _entry(key, status)

    def compare(self, entry: BucketEntry, source: Source) -> Compared:
        """See ``Mirror.compare``. There is no checksum, so the object is read as well."""
        digest = blake3()
        with self._errors(), self._open(entry) as stored:
            equal = stored is not None
            mine = memoryview(bytearray(min(READ_BYTES, source.size)))
            for offset in range(0, source.size, READ_BYTES):
                piece = mine[: source.size - offset]
                read_source(source.descriptor, offset, piece)
                digest.update(piece)
                if stored is not None and equal:
                    equal = os.pread(stored.descriptor, len(piece), offset) == piece
            check_unchanged(source)
            equal = equal and stored is not None and not stored.changed()
        return Compared(equal, digest.hexdigest())

    def put(
        self,
        source: Source,
        key: bytes,
        content_type: str,
        *,
        give_up: threading.Event | None = None,
    ) -> Put:
        """See ``Mirror.put``. A folder keeps no content type, and nothing is tried again."""
        del content_type, give_up
        return self._put(source, key, _Unhurried())

    async def send(self, source: Source, key: bytes, content_type: str, sending: Sending) -> Put:
        """See ``Mirror.send``. What was copied before a stop is copied again."""
        del content_type
        return await in_thread(self._threads, functools.partial(self._put, source, key, sending))

    async def copy(self, entry: BucketEntry, target: bytes) -> BucketEntry:
        """See ``Mirror.copy``. The copy is the same file under another name, where that can be.

        Nothing is ever written into a file that has its name, so neither changes the other.
        """
        return await in_thread(self._threads, functools.partial(self._copy, entry, target))

    def delete(self, keys: Sequence[bytes], *, before: float | None = None) -> list[Refused]:
        """See ``Mirror.delete``. Folders that become empty go as well."""
        if not self.exists():
            return []

        def check() -> None:
            if before is not None and time.monotonic() >= before:
                raise TooLateError("The process stood still.")

        with self._errors():
            refused = self._tree.unlink([_path(key) for key in keys], check=check)
        return [Refused(key, disk.storage_error(error).detail) for key, error in refused.items()]

    def in_the_way(self, key: bytes) -> list[BucketEntry]:
        """See ``Mirror.in_the_way``."""
        names = key.split(b"/")
        for count in range(1, len(names)):
            above = self.head(b"/".join(names[:count]))
            if above is not None:
                return [above]
        status = self._status(key)
        if status is None or not stat.S_ISDIR(status.st_mode):
            return []
        below = walk(Place(self._root, key), best_opener(), follow_links=False)
        return [_entry_of(each) for each in below if _is_object(each)]

    def remove(self) -> None:
        """See ``Mirror.remove``."""
        with self._errors():
            if self.exists() and not self._tree.remove_root():
                raise ConflictError(f"{self.place} still has files, so it was not removed.")

    async def abandon(self, key: bytes, upload_id: str) -> None:
        """See ``Mirror.abandon``: a folder has no multipart uploads."""
        del key, upload_id

    def close(self) -> None:
        """See ``Mirror.close``."""
        self._threads.shutdown()

    def _status(self, key: bytes) -> os.stat_result | None:
        with self._errors():
            try:
                return self._tree.status(_path(key))
            except OSError as error:
                if is_nowhere(error):
                    return None
                raise

    def _put(self, source: Source, key: bytes, sending: Sending) -> Put:
        path, temporary = _storable(key), self._temporary()
        status: os.stat_result | None = None

        def publish(file: Path) -> None:
            nonlocal status
            status = file.stat()
            self._take(file, path)

        sender = LocalSender(
            source=source,
            sending=sending,
            key=key.decode(),
            temporary=temporary,
            publish=publish,
            durable=self._durable,
            reserved_bytes=self._reserved_bytes,
        )
        stored: Stored = sender.send()
        assert status is not None
        return Put(stored.size, _entry(key, status).etag, stored.blake3)

    def _copy(self, entry: BucketEntry, target: bytes) -> BucketEntry:
        path, temporary = _storable(target), self._temporary()
        with self._errors():
            disk.make_folder(temporary.parent, durable=False)
            try:
                self._tree.link(_path(entry.key), temporary)
            except OSError as error:
                if is_nowhere(error):
                    raise self._gone(entry) from error
                if error.errno not in _LINKS_REFUSED:
                    raise
                return self._copy_bytes(entry, target)
            try:
                copied = _entry(target, temporary.lstat())
                if copied[1:] != entry[1:]:
                    raise self._changed(entry)
                self._take(temporary, path)
            except FileNotFoundError:
                # The janitor has removed the temporary name: its file may be as old as any.
                return self._copy_bytes(entry, target)
            finally:
                # Still there after an error, and when the target was the same file already.
                temporary.unlink(missing_ok=True)
        return copied

    def _copy_bytes(self, entry: BucketEntry, target: bytes) -> BucketEntry:
        with self._open(entry) as stored:
            if stored is None:
                raise self._gone(entry) if self.head(entry.key) is None else self._changed(entry)
            try:
                put = self._put(stored, target, _Unhurried())
            except SourceChangedError as error:
                raise self._changed(entry) from error
        return BucketEntry(target, put.size, put.etag)

    def _take(self, file: Path, path: bytes) -> None:
        try:
            self._tree.take(file, path)
        except OSError as error:
            text = path.decode(errors="replace")
            if error.errno == errno.ENAMETOOLONG:
                raise UnstorableError(
                    f"{text!r} has a name longer than a file's can be, so it cannot be kept in "
                    f"{self.place[0].lower()}{self.place[1:]}."
                ) from error
            if error.errno in _BLOCKED and self._tree.is_there():
                raise BlockedError(
                    f"{text!r} cannot be kept beside what is there: where one of the two is a "
                    "file, the other one needs a folder."
                ) from error
            raise

    @contextlib.contextmanager
    def _open(self, entry: BucketEntry) -> Iterator[SourceFile | None]:
        """Open an object; None when it is not there as it was seen."""
        try:
            descriptor = self._tree.open_file(_path(entry.key))
        except OSError as error:
            if not is_nowhere(error):
                raise
            yield None
            return
        status = os.fstat(descriptor)
        with SourceFile(descriptor, status) as file:
            seen = stat.S_ISREG(status.st_mode) and _entry(entry.key, status) == entry
            yield file if seen else None

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise disk.storage_error(error) from error

    def _temporary(self) -> Path:
        return self._store / INCOMING / uuid.uuid4().hex

    def _gone(self, entry: BucketEntry) -> NotFoundError:
        return NotFoundError(f"{self.place} has no object {_text(entry.key)!r} any more.")

    def _changed(self, entry: BucketEntry) -> ConflictError:
        return ConflictError(f"{_text(entry.key)!r} was replaced since it was seen.")


class _Unhurried:
    """What ``put`` says to the sender: nothing slows it down or stops it."""

    upload_id = None
    pace = UNLIMITED
    stop = threading.Event()

    async def begun(self, upload_id: str) -> None:
        """See ``Sending.begun``: a folder has no multipart uploads."""

    def advanced(self, count: int) -> None:
        """See ``Sending.advanced``: nobody asks."""


def _is_object(found: Found) -> bool:
    if found.kind is FoundKind.UNREADABLE:
        raise UnavailableError(found.problem or "")
    return found.kind is FoundKind.FILE


def _entry_of(found: Found) -> BucketEntry:
    return BucketEntry(found.place.relative, found.size, _etag(found))


def _entry(key: bytes, status: os.stat_result) -> BucketEntry:
    return BucketEntry(key, status.st_size, _etag(fingerprint(status)))


def _etag(looks: Found | Fingerprint) -> str:
    return f"{looks.inode:x}-{looks.mtime_ns:x}-{looks.size:x}"


def _path(key: bytes) -> bytes:
    """Return the path of an object. Raises UnstorableError for what no path can be."""
    if b"\0" in key or any(name in {b"", b".", b".."} for name in key.split(b"/")):
        raise UnstorableError(f"{_text(key)!r} cannot be the name of a file.")
    return key


def _storable(key: bytes) -> bytes:
    """Return the path of a new object; only what an S3 bucket would take as well."""
    try:
        key.decode()
    except UnicodeDecodeError as error:
        raise UnstorableError(
            f"{_text(key)!r} is not UTF-8, so it cannot be kept in a bucket."
        ) from error
    if len(key) > MAX_KEY_BYTES:
        raise UnstorableError(
            f"{_text(key)!r} is longer than {MAX_KEY_BYTES} bytes, the most that a bucket keeps."
        )
    return _path(key)


def _text(key: bytes) -> str:
    return key.decode(errors="backslashreplace")
