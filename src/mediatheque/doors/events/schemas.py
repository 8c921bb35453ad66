"""What happens to jobs, as the stream tells it."""

from datetime import datetime
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from mediatheque.domain.jobs import JobEvent, JobGlimpse, JobStatus


class Happening(Struct, frozen=True, kw_only=True):
    """What happened to a job, or (``state``, ``progress``) where it stands.

    Who caused it and the details are there for what its history keeps.
    """

    job: str
    kind: str
    at: datetime
    actor: str | UnsetType = UNSET
    detail: dict[str, Any] | UnsetType = UNSET
    status: JobStatus
    progress: float


def happening(news: JobEvent | JobGlimpse) -> Happening:
    """Return news of a job as the stream tells them."""
    return Happening(
        job=str(news.job_id),
        kind=news.kind,
        at=news.at,
        actor=news.actor if isinstance(news, JobEvent) else UNSET,
        detail=news.detail if isinstance(news, JobEvent) else UNSET,
        status=news.status,
        progress=news.progress,
    )
