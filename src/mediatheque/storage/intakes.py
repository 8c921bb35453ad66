"""Bytes that arrive in pieces: what every store can do with them until the item is whole.

The comments here are the contract; ``tests/conformance/test_intakes.py`` holds every store to it.
The caller sees to it that one appender works on an intake at a time, and only means to: one that
was presumed dead may still be at work. It can spoil nothing that was acknowledged, as nothing is
ever written over: who cannot be sure to be alone with an object begins another one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mediatheque.domain.errors import ConflictError
from mediatheque.domain.intakes import Intake, Segment

if TYPE_CHECKING:
    from mediatheque.storage.stores import ObjectInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What an intake shall become whose bytes nobody reads before they are whole.

    ``key`` is where it will be joined to, ``content_type`` what it will probably be. So many bytes
    are ``expected`` from one appender; that is not trusted.
    """

    key: str
    content_type: str
    expected: int


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

    def update(self, piece: bytes | memoryview, /) -> object:
        """Feed the next bytes."""


class Appender(Protocol):
    """Bytes on their way to the end of an intake. See ``IntakeStore.appender``.

    After an error it is of no more use, save that it must be closed.
    """

    async def write(self, piece: bytes) -> None:
        """Take the next bytes. Applies back-pressure; holds a bounded amount.

        Raises StorageFullError or UnavailableError, and ConflictError when the store does not
        have the acknowledged bytes any more.
        """

    async def flush(self) -> Appended:
        """Make everything written so far durable. May be called again after more was written.

        Nothing that was acknowledged before is touched: until the caller has recorded what is
        returned, the former segments are as good as they were. Raises what ``write`` raises.
        """

    async def checkpoint(self) -> Appended:
        """Make durable what can be without holding up ``write``, which may be called meanwhile.

        That may be less than what was written, but is never less than the last time. Otherwise as
        ``flush``, which must not be called meanwhile.
        """

    async def rest(self) -> "RestingAppender | None":
        """Close, as far as the next piece does not need what is open; None when it needs nothing.

        Called when all was flushed, and is about to be recorded.
        """

    async def close(self, *, recorded: bool = True) -> None:
        """Let go. What was not flushed is discarded. Never raises; harmless when called twice.

        ``recorded=False`` says that nothing of this piece was recorded, nor will be: what was
        flushed is discarded, too, as the bytes turned out to be wrong. When in doubt it stays,
        which costs nothing but room. Waits for what is under way.
        """


class RestingAppender(Protocol):
    """What an appender has left open between two pieces."""

    def go_on(self, digests: Sequence[Hasher]) -> Appender:
        """Take the next piece, which has these digests.

        All that was flushed before was recorded, and nobody else has appended since.
        """

    async def close(self) -> None:
        """Let go. Never raises; harmless when called twice."""


class IntakeStore(Protocol):
    """The part of a store that intakes need."""

    def appender(
        self, intake: Intake, *, digests: Sequence[Hasher] = (), target: Target | None = None
    ) -> Appender:
        """Continue an intake behind its acknowledged bytes; what else is there counts for nothing.

        ``digests`` are fed every byte that is written, at the latest when ``flush`` returns. With a
        ``target`` the store may keep the bytes where they need not be copied when they are joined,
        and cannot be read before. Contacts nobody yet.
        """

    async def join(self, intake: Intake, key: str, *, content_type: str) -> "ObjectInfo":
        """Make exactly the acknowledged bytes one durable object under ``key``; return it.

        A rename locally, a copy inside the store on S3. Bytes that came with a ``target`` may
        become an object under a key of their own instead, ``keys.beside`` that of the target. When
        the object is there already with the intake's size and checksum (as far as the store tells
        one), an earlier call made it. The segments' objects may be gone afterwards; what is left
        of them the caller deletes. Raises
        ConflictError when the store does not have the acknowledged bytes any more,
        StorageFullError or UnavailableError.
        """


def lost(intake: Intake) -> ConflictError:
    """Return the error that says that acknowledged bytes are gone."""
    return ConflictError(
        f"Bytes of {intake.id} that were received are not in the store any more, or are not what "
        "they were. Send everything again, as a new one."
    )
