"""Recordings: medias that are received in chunks while they are being made."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from mediatheque.domain.errors import ConflictError


class RecordingState(StrEnum):
    """Where a recording stands; door 1 shows these words."""

    RECORDING = "recording"
    PROCESSING = "processing"
    COMPLETE = "complete"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One recording. ``id`` is the video_id of door 1 and the resource of its medias.

    ``media_id`` is the id of its intake, and of the original that this becomes. ``chunks`` is how
    many were acknowledged and ``size`` the bytes of all. ``warning`` is what people should know of
    a complete one, ``error`` why it failed, each a sentence.
    """

    id: UUID
    media_id: UUID
    state: RecordingState
    chunks: int
    size: int
    warning: str | None
    error: str | None
    job_id: UUID | None
    created_by: str
    created_role: str
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Chunk:
    """One acknowledged chunk: ``number`` from 0, its first byte at ``start``; ``size`` in bytes."""

    number: int
    start: int
    size: int
    blake3: str


@dataclass(frozen=True, slots=True)
class ChunkPlace:
    """Where a client says that a chunk belongs: its number from 0, the offset of its first byte.

    With neither it comes next.
    """

    number: int | None = None
    offset: int | None = None


class ChunkConflictError(ConflictError):
    """The chunk does not belong there, or the recording takes none; tells what it holds so far.

    ``chunks`` is the number of the next chunk, ``size`` the offset of its first byte.
    """

    def __init__(self, detail: str, *, chunks: int, size: int) -> None:
        super().__init__(detail)
        self.chunks = chunks
        self.size = size


def original_name(created_at: datetime, extension: str) -> str:
    """Return the file name of a recording's original; ``extension`` without its dot."""
    return f"recording-{created_at:%Y%m%dT%H%M%SZ}.{extension}"
