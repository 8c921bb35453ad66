"""What every object store can do.

The comments here are the contract; ``tests/conformance/test_stores.py`` holds every store to it.
Keys are ``/``-separated, made by us (see ``keys``), never derived from a client's text.
"""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mediatheque.storage.intakes import IntakeStore

if TYPE_CHECKING:
    from mediatheque.storage.sending import Sending, Source


@dataclass(frozen=True, slots=True)
class Stored:
    """What a finished write put into the store.

    ``size`` in bytes. ``crc64nvme`` is base64 of the 8 big-endian bytes, as S3 writes it.
    ``blake3`` is 64 hexadecimal digits.
    """

    key: str
    size: int
    crc64nvme: str
    blake3: str


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What the store says of one object. ``size`` in bytes; ``modified`` is aware UTC.

    ``etag`` is the store's own, opaque, and changes with the content. ``crc64nvme`` as in
    ``Stored``, when the store keeps one over the whole object.
    """

    key: str
    size: int
    modified: datetime
    etag: str | None = None
    crc64nvme: str | None = None


class ObjectWriter(Protocol):
    """One object being written. Nothing is visible under its key before ``commit`` returns."""

    async def write(self, piece: bytes) -> None:
        """Take the next bytes, in order. Applies back-pressure; holds a bounded amount.

        Raises StorageFullError or UnavailableError.
        """

    async def commit(self) -> Stored:
        """Make the object durable and visible, replacing any other under its key.

        The store has verified the bytes against their CRC64NVME, or they are fsynced together
        with the folder that names them. Raises StorageFullError or UnavailableError.
        """

    async def abort(self) -> None:
        """Leave nothing behind. Harmless after ``commit`` and when called twice; never raises."""


class Store(IntakeStore, Protocol):
    """An object store. Every method may raise UnavailableError when the store does not answer."""

    async def check(self) -> None:
        """Raise UnavailableError, saying what to do, unless objects can be written and read."""

    def writer(self, key: str, *, content_type: str, size_hint: int | None) -> ObjectWriter:
        """Start an object. ``size_hint`` is the expected size in bytes, not trusted."""

    async def send_file(
        self, source: "Source", key: str, *, content_type: str, sending: "Sending"
    ) -> Stored:
        """Make the bytes of ``source`` one durable object, replacing any other under its key.

        Verified as by ``ObjectWriter.commit``: never is there a wrong object under the key. A
        large file becomes a multipart upload where the store has them; what the store has of an
        earlier one, named by ``sending.upload_id``, is not sent again. Passing troubles are
        waited out, half a minute for each request.

        Raises SourceChangedError, with nothing left behind, when the file changed while it was
        read; SourceReadError when it cannot be read; SendingStoppedError soon after
        ``sending.stop`` was set; StorageFullError or UnavailableError. All but the first leave a
        multipart upload behind, to be continued, or removed by ``abandon``. A cancelled call waits
        until nothing reads the source any more, which setting ``stop`` first makes soon; there may
        be an object then.
        """

    async def abandon(self, key: str, upload_id: str) -> None:
        """Remove a multipart upload that will not be continued. One that is gone is fine."""

    def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Yield the bytes from ``start`` to before ``end``, in pieces of at most 1 MiB or so.

        Raises NotFoundError before the first piece when there is no such object.
        """

    async def head(self, key: str) -> ObjectInfo | None:
        """Return what is known of an object, or None when there is none."""

    async def delete(self, key: str) -> None:
        """Remove an object. One that does not exist is fine."""

    async def promote(self, source: ObjectInfo, target: str) -> ObjectInfo:
        """Move ``source``, exactly as it was seen, to the key ``target``, durably, and return it.

        A rename locally, a copy inside the store elsewhere (by parts above 5 GiB). When the
        source is gone but the target has its size, an earlier call did it: the target is
        returned. Raises ConflictError when the source has changed since it was seen,
        NotFoundError when neither exists.
        """

    def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        """Yield every finished object whose key starts with ``prefix``, in bounded memory."""

    async def sweep_unfinished(
        self, before: datetime, *, in_use: Collection[str] = frozenset()
    ) -> int:
        """Remove what writers last touched before ``before`` left behind; return how many.

        Temporary files locally, incomplete multipart uploads under our prefix elsewhere, save
        those whose upload id is ``in_use``: somebody means to continue them. Ids of uploads that
        began after ``before`` need not be known.
        """

    def local_path(self, key: str) -> Path | None:
        """Return the file that holds an object, when it is one on this machine."""

    async def signed_put(self, key: str, *, expires_in: int) -> str | None:
        """Return a URL to PUT one object at the store itself within ``expires_in`` seconds.

        Any Content-Type may be sent. None when the store cannot take bytes directly.
        """

    async def signed_get(
        self, key: str, *, expires_in: int, content_type: str, disposition: str
    ) -> str | None:
        """Return a URL to GET one object at the store itself within ``expires_in`` seconds.

        The store answers with the given Content-Type and Content-Disposition. None when the
        store does not serve HTTP.
        """

    async def free_bytes(self) -> int | None:
        """Return how many bytes still fit, or None when the store has no such limit."""

    async def close(self) -> None:
        """Release connections and threads. The store is not used afterwards."""
