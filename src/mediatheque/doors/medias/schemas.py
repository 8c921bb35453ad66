"""What door 3 answers beside single medias, and what it takes."""

from msgspec import Struct

from mediatheque.domain.errors import InvalidError
from mediatheque.domain.media import LISTED_FIELDS
from mediatheque.domain.processing import Step
from mediatheque.doors.jsonapi.documents import Links
from mediatheque.doors.jsonapi.medias import TYPE, Attributes, Resource
from mediatheque.doors.jsonapi.query import Collection


class JobReference(Struct, frozen=True):
    """Which job it is; ``GET /jobs/{id}`` shows it."""

    id: str
    type: str = "media:jobs"


class JobIdentifier(Struct, frozen=True):
    """The job that does what was asked for."""

    data: JobReference


class Page(Struct, frozen=True):
    """One page of medias. ``meta`` is empty unless ``count=true`` was asked."""

    data: list[Resource]
    meta: dict[str, int | bool]
    links: Links


COLLECTION = Collection(
    type=TYPE,
    fields=LISTED_FIELDS,
    ranges=frozenset({"size", "created_at", "updated_at"}),
    nullable=frozenset({"project_id"}),
    attributes=frozenset(Attributes.__struct_fields__),
)


def parse_steps(body: object) -> list[Step]:
    """Return the steps that a body such as ``{"steps": ["hls"]}`` names. Raises InvalidError."""
    if not isinstance(body, dict):
        raise InvalidError('The body must be a JSON object, such as {"steps": ["hls"]}.')
    unknown = sorted(set(body) - {"steps"})
    if unknown:
        raise InvalidError(
            f"There is nothing called {unknown[0][:100]!r} here.", field=unknown[0][:100]
        )
    steps = body.get("steps")
    if not isinstance(steps, list) or not all(step in list(Step) for step in steps):
        raise InvalidError(f"steps must be a list of some of {', '.join(Step)}.", field="steps")
    return [Step(step) for step in steps]
