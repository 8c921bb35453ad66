"""Resumable uploads: medias whose bytes arrive in as many requests as it takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from mediatheque.domain.errors import ConflictError, GoneError


class ResumableState(StrEnum):
    """Where a resumable upload stands.

    RECEIVING: it takes bytes, or has all of them and is about to become a media. COMPLETE: it has
    become one, or the bytes of an announced file; a partial upload: it has all its bytes. EXPIRED:
    nobody finished it in time, and its bytes are gone.
    """

    RECEIVING = "receiving"
    COMPLETE = "complete"
    EXPIRED = "expired"


class Concatenation(StrEnum):
    """What part an upload has in the making of a media, as tus 1.0.0 names it.

    WHOLE: it becomes a media. PARTIAL: it becomes a part of one. FINAL: it becomes a media, made
    of the bytes of partial ones.
    """

    WHOLE = "whole"
    PARTIAL = "partial"
    FINAL = "final"


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """What a client says of the media that an upload shall become; nothing of it is trusted.

    ``resource`` None: the media's id. ``meta`` is what the client says beside what we understand.
    With a ``file_id`` it becomes no media, but the bytes of that announced file, which becomes one
    when its client confirms it.
    """

    filename: str
    resource: str | None = None
    key: str = ""
    public: bool = False
    project_id: str | None = None
    tags: tuple[str, ...] = ()
    meta: Mapping[str, str] | None = None
    file_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumableUpload:
    """One resumable upload. Its id is that of its intake, and of the media that it becomes.

    ``size`` is how many bytes were acknowledged; ``length`` how many there will be, None while
    that is not known. ``ending``: it becomes a media as soon as it has them; else its client says
    when. ``parts`` are the partial uploads of a final one, and ``final_id`` is the final one of a
    partial. ``metadata`` is the client's description as it was sent, ``concat`` what it said of
    the concatenation. ``digests`` is what the whole must hash to, in hexadecimal digits, by
    algorithm. ``media_id``: the media that it has become. ``touched_at`` is that of its
    intake.
    """

    id: UUID
    state: ResumableState
    concatenation: Concatenation
    size: int
    length: int | None
    ending: bool
    parts: tuple[UUID, ...]
    final_id: UUID | None
    destination: Destination
    metadata: str | None
    concat: str | None
    digests: Mapping[str, str]
    media_id: UUID | None
    created_by: str
    created_role: str
    created_at: datetime
    touched_at: datetime
    expires_at: datetime

    @property
    def has_all_bytes(self) -> bool:
        """Whether every byte was acknowledged."""
        return self.length is not None and self.size == self.length

    @property
    def ready(self) -> bool:
        """Whether it is to be finished: nothing is missing, and nothing more will come."""
        return self.state is ResumableState.RECEIVING and self.has_all_bytes and self.ending


class OffsetConflictError(ConflictError):
    """Bytes were sent for an offset at which the upload is not; tells where it is.

    ``size`` is how many bytes were acknowledged, ``given`` the offset of the request.
    """

    def __init__(self, *, size: int, given: int) -> None:
        super().__init__(
            f"The upload has {size} bytes, and these are for offset {given}. Ask where it is, and "
            "go on from there."
        )
        self.size = size
        self.given = given


class UploadCompleteError(ConflictError):
    """The upload has all its bytes and takes no more."""


class LengthConflictError(ConflictError):
    """What a request says of the length contradicts what was said before, or arrived."""


class DigestError(ConflictError):
    """Bytes hash to something else than was promised; they were not kept."""


class UploadExpiredError(GoneError):
    """Nobody finished the upload in time, and its bytes are gone."""


def describe(destination: Destination) -> dict[str, Any]:
    """Return what ``meta`` of the media says of an upload; empty when there is nothing to say."""
    return {"upload": dict(destination.meta)} if destination.meta else {}
