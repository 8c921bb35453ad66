"""Mirrors in buckets of S3 stores."""

import hashlib
import operator
import re
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from botocore.exceptions import ClientError

from mediatheque.domain.errors import ConflictError, InvalidError, UnavailableError
from mediatheque.domain.sync_plan import BucketEntry
from mediatheque.domain.syncs import MAX_KEY_BYTES
from mediatheque.storage.digest import Digest
from mediatheque.storage.mirrors import Compared, Put, Refused, UnorderedError, UnstorableError
from mediatheque.storage.multipart import MultipartUpload
from mediatheque.storage.part_buffers import PartBuffers
from mediatheque.storage.s3_bucket import S3Bucket
from mediatheque.storage.s3_copy import LARGEST_COPY, copy_object
from mediatheque.storage.s3_deadline import sent_before
from mediatheque.storage.s3_deletion import delete_objects
from mediatheque.storage.s3_errors import code_of, s3_errors
from mediatheque.storage.s3_listing import list_objects, look_for_object
from mediatheque.storage.s3_sender import S3Sender
from mediatheque.storage.sending import READ_BYTES, Sending, Source, check_unchanged, read_source
from mediatheque.storage.sorting import sort_entries
from mediatheque.storage.stores import ObjectInfo
from mediatheque.storage.threads import Threads

if TYPE_CHECKING:
    from mypy_boto3_s3.literals import BucketLocationConstraintType

_FIRST_REGION = "us-east-1"  # the one that must not be named when a bucket is made in it
_AT_ONCE = 16
_SENDERS = 16
_SENDING_MEMORY = 64 << 20
_UNKNOWN_TIME = datetime.fromtimestamp(0, UTC)
_MD5 = re.compile("[0-9a-f]{32}")
_PROBE = b"Mediatheque looks what becomes of a backslash."
# Always the same, so that what a crash leaves there goes with the next probe.
_PROBE_FOLDER = "mediatheque-probe-5b3b61c0a1f0487e9d0a94a1f6a5f1c7"


class S3Mirror:
    """A whole bucket of an S3 store; see ``Mirror``. Closes ``bucket`` with itself.

    A bucket that has the object ``forbidden`` is none that may be mirrored into. What is larger
    than ``largest_copy`` bytes is copied by parts.
    """

    at_once = _AT_ONCE

    def __init__(
        self,
        bucket: S3Bucket,
        *,
        forbidden: bytes | None = None,
        largest_copy: int = LARGEST_COPY,
    ) -> None:
        self.place = bucket.place
        self._largest_copy = largest_copy
        self._forbidden = forbidden
        self._bucket = bucket
        self._buffers = PartBuffers(_SENDING_MEMORY)
        self._senders = Threads(_SENDERS, thread_name_prefix="s3-mirror")
        self._never = threading.Event()

    def exists(self) -> bool:
        """See ``Mirror.exists``. Lists rather than asks with HEAD, whose answers give no reason."""
        with s3_errors(self.place):
            try:
                look_for_object(self._bucket)
            except ClientError as error:
                if code_of(error) != "NoSuchBucket":
                    raise
                return False
        if self._forbidden is not None and self.head(self._forbidden) is not None:
            raise InvalidError(
                f"{self.place} holds the service's own objects. Name another one.", field="dest"
            )
        return True

    def create(self) -> bool:
        """See ``Mirror.create``."""
        if self.exists():
            return False
        client = self._bucket.client
        region = cast("BucketLocationConstraintType", client.meta.region_name)
        with s3_errors(self.place):
            try:
                if region == _FIRST_REGION:
                    client.create_bucket(Bucket=self._bucket.name)
                else:
                    client.create_bucket(
                        Bucket=self._bucket.name,
                        CreateBucketConfiguration={"LocationConstraint": region},
                    )
            except ClientError as error:
                if code_of(error) != "BucketAlreadyOwnedByYou":
                    raise
                return False
        return True

    def entries(self, *, in_order: bool) -> Iterator[list[BucketEntry]]:
        """See ``Mirror.entries``."""
        pages = self._pages()
        if in_order:
            return _in_order(pages, self.place)
        return _each_once(sort_entries(pages))

    def keeps_backslashes(self) -> bool:
        """See ``Mirror.keeps_backslashes``."""
        probe, changed = f"{_PROBE_FOLDER}\\probe", f"{_PROBE_FOLDER}/probe"
        with s3_errors(self.place):
            try:
                self._bucket.client.put_object(
                    Bucket=self._bucket.name, Key=self._bucket.full_key(probe), Body=_PROBE
                )
                pages = list_objects(self._bucket, _PROBE_FOLDER)
                found = {entry.key for page in pages for entry in page}
            finally:
                delete_objects(self._bucket, [probe, changed])
        if found.isdisjoint({probe.encode(), changed.encode()}):
            raise UnavailableError(f"{self.place} does not list what was put there. Try again.")
        return probe.encode() in found

    def head(self, key: bytes) -> BucketEntry | None:
        """See ``Mirror.head``."""
        with s3_errors(self.place):
            found = self._bucket.head(_text(key))
        return None if found is None else _entry(key, found)

    def compare(self, entry: BucketEntry, source: Source) -> Compared:
        """See ``Mirror.compare``.

        The ETag of an object that the store encrypted may look like an MD5 and be none: then the
        checksum decides, as for what was put by parts.
        """
        digest, md5 = Digest(), hashlib.md5(usedforsecurity=False)
        needs_md5 = _MD5.fullmatch(entry.etag) is not None
        buffer = memoryview(bytearray(min(source.size, READ_BYTES)))
        for offset in range(0, source.size, READ_BYTES):
            piece = buffer[: source.size - offset]
            read_source(source.descriptor, offset, piece)
            digest.update(piece)
            if needs_md5:
                md5.update(piece)
        check_unchanged(source)
        if needs_md5 and md5.hexdigest() == entry.etag:
            return Compared(equal=True, blake3=digest.blake3)
        with s3_errors(self.place):
            found = self._bucket.head(_text(entry.key))
        equal = (
            found is not None
            and _entry(entry.key, found) == entry
            and found.crc64nvme == digest.crc64nvme
        )
        return Compared(equal, digest.blake3)

    def put(
        self,
        source: Source,
        key: bytes,
        content_type: str,
        *,
        give_up: threading.Event | None = None,
    ) -> Put:
        """See ``Mirror.put``."""
        name, digest = self._storable(key), Digest()
        content = memoryview(bytearray(source.size))
        read_source(source.descriptor, 0, content)
        digest.update(content)
        check_unchanged(source)
        with s3_errors(self.place):
            etag = self._bucket.put(
                name,
                content_type,
                content,
                crc64nvme=digest.crc64nvme,
                give_up=give_up or self._never,
            )
        return Put(digest.size, etag.strip('"'), digest.blake3)

    async def send(self, source: Source, key: bytes, content_type: str, sending: Sending) -> Put:
        """See ``Mirror.send``."""
        name = self._storable(key)
        sender = S3Sender(
            bucket=self._bucket,
            buffers=self._buffers,
            threads=self._senders,
            source=source,
            key=name,
            content_type=content_type,
            sending=sending,
        )
        stored = await sender.send()
        found = await self._bucket.run(self._bucket.head, name)
        # The ETag of another object would pass for that of this content ever after.
        if (
            found is None
            or found.size != stored.size
            or found.crc64nvme not in {None, stored.crc64nvme}
        ):
            raise ConflictError(f"{name!r} was replaced by somebody else as soon as it was sent.")
        return Put(stored.size, _entry(key, found).etag, stored.blake3)

    async def copy(self, entry: BucketEntry, target: bytes) -> BucketEntry:
        """See ``Mirror.copy``."""
        name = self._storable(target)
        source = ObjectInfo(_text(entry.key), entry.size, _UNKNOWN_TIME, f'"{entry.etag}"')
        etag = await copy_object(self._bucket, source, name, largest=self._largest_copy)
        if etag is not None:
            return BucketEntry(target, entry.size, etag.strip('"'))
        found = await self._bucket.run(self._bucket.head, name)
        if found is None or found.size != entry.size:
            raise ConflictError(f"{name!r} was replaced by somebody else as soon as it was copied.")
        return _entry(target, found)

    def delete(self, keys: Sequence[bytes], *, before: float | None = None) -> list[Refused]:
        """See ``Mirror.delete``."""
        with s3_errors(self.place), sent_before(before):
            return delete_objects(self._bucket, [_text(key) for key in keys])

    def in_the_way(self, key: bytes) -> list[BucketEntry]:
        """See ``Mirror.in_the_way``."""
        parts = key.split(b"/")
        above = (self.head(b"/".join(parts[:count])) for count in range(1, len(parts)))
        below = (entry for page in self._pages(_text(key + b"/")) for entry in page)
        return [*filter(None, above), *below]

    def remove(self) -> None:
        """See ``Mirror.remove``. The listing comes first: some stores remove full buckets."""
        self._check_empty()
        with s3_errors(self.place):
            try:
                self._bucket.client.delete_bucket(Bucket=self._bucket.name)
            except ClientError as error:
                if code_of(error) == "BucketNotEmpty":
                    raise self._not_empty() from error
                if code_of(error) != "NoSuchBucket":
                    raise

    async def abandon(self, key: bytes, upload_id: str) -> None:
        """See ``Mirror.abandon``."""
        await self._bucket.run(MultipartUpload(self._bucket, _text(key), upload_id).remove)

    def close(self) -> None:
        """See ``Mirror.close``."""
        self._senders.shutdown()
        self._bucket.close()

    def _pages(self, prefix: str = "") -> Iterator[list[BucketEntry]]:
        with s3_errors(self.place):
            try:
                yield from list_objects(self._bucket, prefix)
            except ClientError as error:
                if code_of(error) != "NoSuchBucket":
                    raise

    def _check_empty(self) -> None:
        if any(self._pages()):
            raise self._not_empty()

    def _not_empty(self) -> ConflictError:
        return ConflictError(f"{self.place} is not empty and stays. Remove its objects first.")

    def _storable(self, key: bytes) -> str:
        name = _text(key)
        if len(self._bucket.full_key(name).encode()) > MAX_KEY_BYTES:
            raise UnstorableError(
                f"The path has more than the {MAX_KEY_BYTES} bytes that a key can have. Shorten it."
            )
        return name


class S3PrefixMirror(S3Mirror):
    """What lies below the prefix of ``bucket``, as though it were a bucket; see ``Mirror``.

    It exists as long as there is an object; making and removing it is a matter of the caller's
    records alone.
    """

    def exists(self) -> bool:
        """See ``Mirror.exists``."""
        with s3_errors(self.place):
            return look_for_object(self._bucket)

    def create(self) -> bool:
        """See ``Mirror.create``."""
        return not self.exists()

    def remove(self) -> None:
        """See ``Mirror.remove``."""
        self._check_empty()


def _in_order(pages: Iterator[list[BucketEntry]], place: str) -> Iterator[list[BucketEntry]]:
    last: list[bytes] = []
    for page in pages:
        keys = [*last, *(entry.key for entry in page)]
        if any(map(operator.ge, keys, keys[1:])):
            raise UnorderedError(f"{place} does not list its objects in the order of their keys.")
        last = keys[-1:]
        yield page


def _each_once(batches: Iterator[list[BucketEntry]]) -> Iterator[list[BucketEntry]]:
    """Keep one entry for each key: what changes while it is listed may be listed twice."""
    last: bytes | None = None
    for batch in batches:
        by_key = {entry.key: entry for entry in batch if entry.key != last}
        last = batch[-1].key
        yield list(by_key.values())


def _entry(key: bytes, found: ObjectInfo) -> BucketEntry:
    return BucketEntry(key, found.size, (found.etag or "").strip('"'))


def _text(key: bytes) -> str:
    try:
        return key.decode()
    except UnicodeDecodeError as error:
        raise UnstorableError(
            "The path is not UTF-8, as keys of objects have to be. Rename the file."
        ) from error
