"""Recordings as door 1 speaks of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from mediatheque.domain import recordings as domain
from mediatheque.domain.media import Media
from mediatheque.domain.recordings import RecordingState

MAX_PAGE_SIZE = 1000
DEFAULT_PAGE_SIZE = 100


class Created(Struct, frozen=True):
    """The answer to a new recording: the id that its chunks go to."""

    video_id: str


class Message(Struct, frozen=True):
    """It was done."""

    message: str


class Status(Struct, frozen=True, omit_defaults=True):
    """Where a recording stands.

    ``warning`` is there when people should know something of a complete one, ``error`` when it
    failed.
    """

    status: RecordingState
    warning: str | None = None
    error: str | None = None


class Videos(Struct, frozen=True):
    """Names of the playable files of a recording; none while it is not complete."""

    completed_videos: list[str]


class Recording(Struct, frozen=True, kw_only=True):
    """One recording: ``size`` in bytes and ``chunks`` were acknowledged.

    ``job`` is the job that processes it, ``resource`` that of its medias.
    """

    id: str
    status: RecordingState
    size: int
    chunks: int
    warning: str | None
    error: str | None
    job: str | None
    resource: str
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None


class RecordingPage(Struct, frozen=True):
    """One page of recordings, newest first; ``next`` is the address of the next page."""

    recordings: list[Recording]
    next: str | None


class File(Struct, frozen=True):
    """A media of a recording; ``key`` is empty for the original. ``size`` in bytes."""

    key: str
    url: str
    mime_type: str
    size: int


class RecordingWithFiles(Recording, frozen=True, kw_only=True):
    """One recording with its medias; ``media`` is the id of the original once there is one."""

    media: str | None
    files: list[File]


def recording_values(recording: domain.Recording) -> dict[str, Any]:
    """Return the values of a ``Recording``."""
    return {
        "id": str(recording.id),
        "status": recording.state,
        "size": recording.size,
        "chunks": recording.chunks,
        "warning": recording.warning,
        "error": recording.error,
        "job": None if recording.job_id is None else str(recording.job_id),
        "resource": str(recording.id),
        "created_at": recording.created_at,
        "updated_at": recording.updated_at,
        "finished_at": recording.finished_at,
    }


def with_files(
    recording: domain.Recording, medias: Sequence[Media], base: str
) -> RecordingWithFiles:
    """Return a recording with its medias; ``base`` is the address of the service."""
    originals = [media for media in medias if media.key == ""]
    return RecordingWithFiles(
        **recording_values(recording),
        media=str(originals[0].id) if originals else None,
        files=[_file(media, base) for media in medias],
    )


def _file(media: Media, base: str) -> File:
    path = "/".join(quote(part, safe="") for part in (media.resource, media.key) if part)
    return File(media.key, f"{base}/medias/files/{path}", media.mime_type, media.size)
