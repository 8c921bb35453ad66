"""Jobs: durable pieces of long-running work, and what may be done to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from mediatheque.domain.errors import MediathequeError
from mediatheque.domain.paging import FieldType

RETRY_DELAYS = (5, 10, 40, 110, 320)
"""Seconds before each retry of a job that failed; after the last one it stays failed."""

MOST_CRASHES = 5
"""How many workers may end while they run one job before it is not tried again."""

MAX_ERROR_LENGTH = 500
MAX_UNICITY_LENGTH = 200


class JobStatus(StrEnum):
    """Where a job stands."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    ERRORED = "errored"
    CANCELLED = "cancelled"

    @property
    def live(self) -> bool:
        """Whether there is still something to come: such a job holds its unicity key."""
        return self in LIVE


LIVE = frozenset({JobStatus.PENDING, JobStatus.RUNNING, JobStatus.PAUSED})


class Signal(StrEnum):
    """What people can ask of a job."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"


class EventKind(StrEnum):
    """What can happen to a job."""

    ENQUEUED = "enqueued"
    STARTED = "started"
    SIGNALLED = "signalled"
    RETRYING = "retrying"
    PAUSED = "paused"
    RESUMED = "resumed"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    ERRORED = "errored"
    TAKEN_OVER = "taken_over"
    HANDED_BACK = "handed_back"


SIGNALS_ALLOWED: Mapping[Signal, frozenset[JobStatus]] = {
    Signal.CANCEL: LIVE,
    Signal.PAUSE: frozenset({JobStatus.PENDING, JobStatus.RUNNING, JobStatus.PAUSED}),
    Signal.RESUME: frozenset({JobStatus.PAUSED, JobStatus.PENDING, JobStatus.RUNNING}),
    Signal.RETRY: frozenset({JobStatus.ERRORED, JobStatus.CANCELLED}),
}
"""In which statuses a signal makes sense. Asking for what is already so is not an error."""

LISTED_FIELDS: dict[str, FieldType] = {
    "id": FieldType.ID,
    "job_class": FieldType.TEXT,
    "priority": FieldType.INTEGER,
    "status": FieldType.TEXT,
    "progress": FieldType.NUMBER,
    "retry_count": FieldType.INTEGER,
    "error": FieldType.TEXT,
    "unicity": FieldType.TEXT,
    "scheduled_at": FieldType.TIME,
    "created_at": FieldType.TIME,
    "updated_at": FieldType.TIME,
}
"""What a list of jobs can be filtered and sorted by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One durable piece of work.

    ``progress`` is a ratio from 0 to 1. ``unicity``: no two live jobs have the same. ``signal`` is
    what a running job is asked to do and has not done yet. ``checkpoint`` is where it goes on
    after an interruption. ``epoch`` grows whenever a worker claims it; only the newest claim may
    write. ``queue_id`` names its entry in the queue, the only one under which it may be claimed.
    """

    id: UUID
    job_class: str
    queue: str
    arguments: dict[str, Any]
    priority: int
    status: JobStatus
    signal: Signal | None
    progress: float
    checkpoint: dict[str, Any] | None
    error: str | None
    retry_count: int
    crashes: int
    unicity: str | None
    epoch: int
    queue_id: int | None
    created_by: str
    created_role: str
    scheduled_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """One line of a job's history: what happened when, who caused it, how the job stood then.

    ``id`` counts the events of all jobs in the order in which they became visible.
    """

    id: int
    job_id: UUID
    at: datetime
    kind: EventKind
    actor: str
    detail: dict[str, Any]
    status: JobStatus
    progress: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobGlimpse:
    """Where a job stands, told in passing: no part of its history."""

    kind: Literal["state", "progress"]
    job_id: UUID
    at: datetime
    status: JobStatus
    progress: float


def retry_delay(retry_count: int) -> int | None:
    """Return seconds to wait before the next retry after ``retry_count``; None: no more."""
    return RETRY_DELAYS[retry_count] if retry_count < len(RETRY_DELAYS) else None


def error_sentence(error: BaseException) -> str:
    """Return why a job failed, for people; what was not meant for them stays in the log.

    It may name a file whose name is no text: what cannot be written down is escaped.
    """
    if isinstance(error, MediathequeError):
        detail = error.detail.encode(errors="backslashreplace").decode().replace("\0", r"\x00")
        return detail[:MAX_ERROR_LENGTH]
    return f"An unexpected {type(error).__name__}; the log of the worker tells more."
