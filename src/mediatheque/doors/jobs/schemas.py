"""Jobs as JSON:API resources."""

from datetime import datetime
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from mediatheque.domain.errors import InvalidError
from mediatheque.domain.jobs import LISTED_FIELDS, Job, JobStatus, Signal
from mediatheque.doors.jsonapi.documents import Links
from mediatheque.doors.jsonapi.query import Collection

TYPE = "media:jobs"


class Attributes(Struct, frozen=True, kw_only=True):
    """What is known of a job. ``progress`` from 0 to 1, times in UTC."""

    job_class: str | UnsetType = UNSET
    arguments: dict[str, Any] | UnsetType = UNSET
    priority: int | UnsetType = UNSET
    status: JobStatus | UnsetType = UNSET
    progress: float | UnsetType = UNSET
    retry_count: int | UnsetType = UNSET
    error: str | UnsetType | None = UNSET
    unicity: str | UnsetType | None = UNSET
    scheduled_at: datetime | UnsetType | None = UNSET
    created_at: datetime | UnsetType = UNSET
    updated_at: datetime | UnsetType = UNSET
    started_at: datetime | UnsetType | None = UNSET
    finished_at: datetime | UnsetType | None = UNSET


class Resource(Struct, frozen=True):
    """One job."""

    type: str
    id: str
    attributes: Attributes


class Document(Struct, frozen=True):
    """One job as a document."""

    data: Resource


class Page(Struct, frozen=True):
    """One page of jobs. ``meta`` is empty unless ``count=true`` was asked."""

    data: list[Resource]
    meta: dict[str, int | bool]
    links: Links


class SignalledMeta(Struct, frozen=True):
    """How many jobs took a signal, and how many are in a status that does not allow it."""

    signalled: int
    refused: int


class SignalledDocument(Struct, frozen=True):
    """What became of a signal for many jobs."""

    meta: SignalledMeta


COLLECTION = Collection(
    type=TYPE,
    fields=LISTED_FIELDS,
    ranges=frozenset(
        {"priority", "progress", "retry_count", "scheduled_at", "created_at", "updated_at"}
    ),
    nullable=frozenset({"error", "unicity", "scheduled_at"}),
    attributes=frozenset(Attributes.__struct_fields__),
)


def resource(job: Job, attributes: frozenset[str] | None = None) -> Resource:
    """Return a job as a resource, with all attributes or those that were asked for."""
    chosen = COLLECTION.attributes if attributes is None else attributes & COLLECTION.attributes
    return Resource(TYPE, str(job.id), Attributes(**{name: getattr(job, name) for name in chosen}))


def parse_signal(body: object) -> Signal:
    """Return the signal that a body such as ``{"signal": "cancel"}`` names.

    Raises InvalidError.
    """
    if not isinstance(body, dict):
        raise InvalidError('The body must be a JSON object, such as {"signal": "cancel"}.')
    unknown = sorted(set(body) - {"signal"})
    if unknown:
        raise InvalidError(
            f"There is nothing called {unknown[0][:100]!r} here.", field=unknown[0][:100]
        )
    if body.get("signal") not in list(Signal):
        raise InvalidError(f"signal must be one of {', '.join(Signal)}.", field="signal")
    return Signal(body["signal"])
