"""What a bucket must offer so that a folder can be mirrored into it.

The comments here are the contract; ``tests/conformance/test_mirrors.py`` holds every mirror to it.
Keys are bytes: the file's path below the source, as it is. Unlike a ``Store`` of ours, a mirror
belongs to other people as well, and its objects keep the names of the files.
"""

import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from mediatheque.domain.errors import ConflictError, InvalidError
from mediatheque.domain.sync_plan import BucketEntry
from mediatheque.storage.sending import Sending, Source

SMALL_BYTES = 1 << 20
"""Files up to this size are put by ``Mirror.put``, in batches that share one thread."""


class Put(NamedTuple):
    """An object that was put: ``size`` in bytes, ``etag`` without quotes, ``blake3`` of it."""

    size: int
    etag: str
    blake3: str


class Compared(NamedTuple):
    """Whether an object has the content of a file, and the BLAKE3 of the file."""

    equal: bool
    blake3: str


class Refused(NamedTuple):
    """An object that could not be deleted, and why, in a sentence."""

    key: bytes
    reason: str


class UnorderedError(ConflictError):
    """The bucket's listing is not in the order of its keys' bytes: ask for it sorted."""


class TooLateError(ConflictError):
    """The moment before which it was to be done has passed; maybe some of it was done."""


class UnstorableError(InvalidError):
    """This key cannot be kept in this bucket; the sentence says why."""


class BlockedError(ConflictError):
    """Objects are in the way: ``a`` of ``a/b`` or the reverse, where a bucket has real folders."""


class Mirror(Protocol):
    """One bucket. Methods that are not async block; call them from threads, several at once.

    Every method may raise UnavailableError when the store does not answer or refuses the keys.
    ``place`` is what people call it in an error's sentence; ``at_once`` is how many puts at once
    it is worth sending.
    """

    place: str
    at_once: int

    def exists(self) -> bool:
        """Tell whether there is such a bucket. Answers or raises within ten seconds.

        Raises InvalidError for one that may not be mirrored into.
        """

    def create(self) -> bool:
        """Make the bucket; False when it was there already."""

    def entries(self, *, in_order: bool) -> Iterator[list[BucketEntry]]:
        """Yield every object in batches, ordered by the keys' bytes, in bounded memory.

        Nothing for a bucket that does not exist. ``in_order`` says that the store is trusted to
        list them so: UnorderedError is raised as soon as it does not. Otherwise they are sorted
        here, on disk when there are many, and the first batch comes only after the last page.
        """

    def keeps_backslashes(self) -> bool:
        """Find out whether a key with a backslash keeps it; some stores take it for a slash.

        Writes a small object and removes it, when there is no other way to know.
        """

    def head(self, key: bytes) -> BucketEntry | None:
        """Return what is known of an object, or None when there is none."""

    def compare(self, entry: BucketEntry, source: Source) -> Compared:
        """Compare an object with a file of the same size, by what the store tells of its content.

        A checksum of the store's (or an ETag that is an MD5) decides; where there is none the
        object counts as another. Reads the file, in pieces. Raises SourceChangedError and
        SourceReadError.
        """

    def put(
        self,
        source: Source,
        key: bytes,
        content_type: str,
        *,
        give_up: threading.Event | None = None,
    ) -> Put:
        """Make a file of at most ``SMALL_BYTES`` one durable, verified object, replacing any other.

        Passing troubles are waited out, half a minute and more, but none after ``give_up`` was
        set: then SendingStoppedError.

        Raises SourceChangedError when the file changed while it was read (nothing is put then),
        SourceReadError, StorageFullError, UnstorableError and BlockedError.
        """

    async def send(self, source: Source, key: bytes, content_type: str, sending: Sending) -> Put:
        """Like ``put``, for any size; resumable and stoppable as ``Store.send_file`` is."""

    async def copy(self, entry: BucketEntry, target: bytes) -> BucketEntry:
        """Copy an object, as it was seen, to another key inside the bucket, replacing any other.

        Raises NotFoundError when it is gone, ConflictError when it has changed, and what ``put``
        raises of keys.
        """

    def delete(self, keys: Sequence[bytes], *, before: float | None = None) -> list[Refused]:
        """Remove objects; one that does not exist is fine. Returns those that could not be.

        From the moment ``before`` on, by the monotonic clock, no more is asked of the store: then
        it raises TooLateError.
        """

    def in_the_way(self, key: bytes) -> list[BucketEntry]:
        """Return the objects because of which ``put`` of this key raised BlockedError."""

    def remove(self) -> None:
        """Remove the bucket. Raises ConflictError while it has objects."""

    async def abandon(self, key: bytes, upload_id: str) -> None:
        """Remove a multipart upload that will not be continued. One that is gone is fine."""

    def close(self) -> None:
        """Release connections and threads."""
