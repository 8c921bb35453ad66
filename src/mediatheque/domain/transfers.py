"""Transfers: local files on their way into the store. Each is a job of the same id."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from mediatheque.domain.errors import InvalidError
from mediatheque.domain.ids import parse_id
from mediatheque.domain.jobs import JobStatus
from mediatheque.domain.media import MAX_NAME_LENGTH

MAX_BANDWIDTH = 2**53
"""Largest limit in bytes per second; every JSON reader takes it exactly."""

_CURSOR = re.compile(r"(?P<id>[0-9a-f-]{36})\.(?P<segment>0|[1-9][0-9]{0,8})")
_UNNAMED = "unnamed"
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class TransferStatus(StrEnum):
    """Where a transfer stands, in the words of its door."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"


STATUS_OF: Mapping[JobStatus, TransferStatus] = {
    JobStatus.PENDING: TransferStatus.PENDING,
    JobStatus.RUNNING: TransferStatus.RUNNING,
    JobStatus.PAUSED: TransferStatus.PAUSED,
    JobStatus.COMPLETED: TransferStatus.COMPLETE,
    JobStatus.ERRORED: TransferStatus.FAILED,
    JobStatus.CANCELLED: TransferStatus.CANCELLED,
}

JOB_STATUS_OF: Mapping[TransferStatus, JobStatus] = {
    status: job_status for job_status, status in STATUS_OF.items()
}


class FileState(StrEnum):
    """What became of one file of a transfer.

    SKIPPED: it holds no bytes of its own that could be transferred, and that is fine. FAILED: its
    bytes were wanted, and could not be had or kept.
    """

    PENDING = "pending"
    COMPLETE = "complete"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One transfer, with the job's side of it.

    ``sources`` are ``file:///`` URIs of what was named. ``segments`` counts the calls that moved
    it, for one that moves only when called (``segmented``). ``scanned``: every file is known.
    ``retake``: its next run takes up again what failed.
    ``bandwidth`` in bytes per second, None for no limit. ``bytes_complete`` counts what the store
    has, of files under way too. ``rate`` in bytes per second, None while nothing is measured.
    ``due``: when it is tried again after a failure.
    """

    id: UUID
    status: TransferStatus
    sources: tuple[str, ...]
    request_digest: str
    segmented: bool
    segments: int
    scanned: bool
    retake: bool
    bandwidth: int | None
    files_total: int
    files_complete: int
    files_failed: int
    files_skipped: int
    bytes_total: int
    bytes_complete: int
    progress: float
    rate: float | None
    error: str | None
    due: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def files_pending(self) -> int:
        """How many files are still to come, of those that are known."""
        return self.files_total - self.files_complete - self.files_failed - self.files_skipped

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen unless somebody asks for it."""
        return not JOB_STATUS_OF[self.status].live

    @property
    def at_rest(self) -> bool:
        """Whether it is at rest: ended, paused, or waiting to be tried again."""
        moving = {TransferStatus.PENDING, TransferStatus.RUNNING}
        return self.status not in moving or self.due is not None

    @property
    def eta(self) -> float | None:
        """Seconds until the end at the present rate; None while nothing is known of it."""
        if not self.rate or not self.scanned:
            return None
        return (self.bytes_total - self.bytes_complete) / self.rate

    @property
    def cursor(self) -> str:
        """Opaque text that names the transfer and the calls it has seen."""
        return f"{self.id}.{self.segments}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferFile:
    """One file of a transfer.

    ``position`` orders the files as they were found; numbers may be missing. ``root`` and ``path``
    are exact, ``path`` absolute. ``size`` in bytes; ``sent`` of them the store has, or had, as far
    as that is recorded. ``media_id`` is what the file's media is or will be; ``upload_id`` the
    store's multipart upload under way.
    """

    position: int
    root: bytes
    path: bytes
    size: int
    sent: int
    state: FileState
    error: str | None
    media_id: UUID | None
    upload_id: str | None
    crc64nvme: str | None
    blake3: str | None

    @property
    def name(self) -> bytes:
        """The last name of the path, exact."""
        return self.path.rpartition(b"/")[2]


class BadSourcesError(InvalidError):
    """Some of the named sources cannot be transferred. ``bad``: each with the reason."""

    def __init__(self, bad: Sequence[tuple[object, str]], *, of: int) -> None:
        what = f"{len(bad)} of {of} entries cannot be transferred" if of > 1 else bad[0][1]
        super().__init__(f"{what.rstrip('.')}. Nothing was started.", field="media_files")
        self.bad = tuple(bad)


def parse_cursor(text: str) -> tuple[UUID, int] | None:
    """Return the transfer and the number of calls that a cursor names; None when it is none."""
    found = _CURSOR.fullmatch(text)
    transfer_id = found and parse_id(found["id"])
    return (transfer_id, int(found["segment"])) if found and transfer_id else None


def request_digest(media_files: Sequence[str]) -> str:
    """Return a text that two lists share only when they name the same in the same order."""
    digest = hashlib.sha256()
    for text in media_files:
        encoded = text.encode(errors="surrogatepass")
        digest.update(b"%d:" % len(encoded) + encoded)
    return digest.hexdigest()


def storable_name(name: bytes) -> str:
    """Return the file name of a media for a name on disk: what no text can hold is replaced."""
    text = "".join(
        character if unicodedata.category(character) not in {"Cc", "Cs"} else _REPLACEMENT
        for character in name.decode(errors="replace")
    )
    return text[:MAX_NAME_LENGTH] if text.strip() else _UNNAMED


def check_bandwidth(bandwidth: int | None) -> int | None:
    """Return a limit in bytes per second when it can be one. Raises InvalidError."""
    if bandwidth is not None and not 1 <= bandwidth <= MAX_BANDWIDTH:
        raise InvalidError(
            "bandwidth must be a whole number of bytes per second, at least 1, or null.",
            field="bandwidth",
        )
    return bandwidth
