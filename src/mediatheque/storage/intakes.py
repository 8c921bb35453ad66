"""Bytes that arrive in pieces: what every store can do with them until the item is whole.

The comments here are the contract; ``tests/conformance/test_intakes.py`` holds every store to it.
The caller sees to it that one appender works on an intake at a time, and only means to: one that
was presumed dead may still be at work. It can spoil nothing that was acknowledged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mediatheque.domain.intakes import Intake, Segment
from mediatheque.storage.stores import ObjectInfo


@dataclass(frozen=True, slots=True)
class Appended:
    """What an intake is once the bytes so far are acknowledged; see ``Intake``.

    Objects of former segments that are not among ``segments`` may be deleted from then on.
    """

    segments: tuple[Segment, ...]
    size: int
    crc64nvme: str


class Hasher(Protocol):
    """What is fed every byte of a piece, in a thread: one of hashlib's, or blake3's."""

    def update(self, piece: bytes, /) -> object:
        """Feed the next bytes."""


class Appender(Protocol):
    """Bytes on their way to the end of an intake. See ``IntakeStore.appender``."""

    async def write(self, piece: bytes) -> None:
        """Take the next bytes. Applies back-pressure; holds a bounded amount.

        Raises StorageFullError or UnavailableError, this one also while another appender of the
        same intake, presumed dead, holds on to it.
        """

    async def flush(self) -> Appended:
        """Make everything written so far durable. May be called again after more was written.

        Nothing that was acknowledged before is touched: until the caller has recorded what is
        returned, the former segments are as good as they were. Raises what ``write`` raises.
        """

    async def close(self) -> None:
        """Let go. What was not flushed is discarded, now or by the next appender. Never raises.

        Harmless when called twice. Waits for what is under way.
        """


class IntakeStore(Protocol):
    """The part of a store that intakes need."""

    def appender(self, intake: Intake, *, digests: Sequence[Hasher] = ()) -> Appender:
        """Continue an intake behind its acknowledged bytes; what is there already is discarded.

        ``digests`` are fed every byte that is written. Contacts nobody yet.
        """

    async def join(self, intake: Intake, key: str, *, content_type: str) -> ObjectInfo:
        """Make exactly the acknowledged bytes one durable object under ``key``; return it.

        A rename locally, a copy inside the store on S3. When the object is there already with the
        intake's size and checksum (as far as the store tells one), an earlier call made it. The
        segments' objects may be gone afterwards; what is left of them the caller deletes. Raises
        ConflictError when the store does not have the acknowledged bytes any more.
        """
