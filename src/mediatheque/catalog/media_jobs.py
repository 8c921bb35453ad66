"""Which jobs worked on a media."""

from typing import Any

from sqlalchemy import ColumnElement, Select, Uuid, literal, select, text, true, union_all
from sqlalchemy.dialects.postgresql import JSONB

from mediatheque.catalog.database import Transaction
from mediatheque.catalog.jobs import job_of
from mediatheque.catalog.tables import jobs, medias, recordings
from mediatheque.domain.ids import parse_id
from mediatheque.domain.jobs import Job
from mediatheque.domain.media import Media

# Constants, not parameters: by these an index is chosen.
_PROCESSING = text("job_class = 'processing'")
_MEDIAS: ColumnElement[Any] = jobs.c.arguments.op("->")(text("'medias'"))


async def of_media(
    connection: Transaction, media: Media, *, limit: int, owner: str | None
) -> list[Job]:
    """Return the jobs that worked on a media or on its original, newest first.

    Those that looked into it or made others of it, its recording's, and the transfer's it came by.
    """
    ids = select(medias.c.id).where(
        medias.c.resource == media.resource, medias.c.key.in_(("", media.key))
    )
    named: list[Select[Any]] = [
        select(jobs.c.id).where(_PROCESSING, _MEDIAS.contains(literal([str(one)], JSONB)))
        for one in {media.id, *await connection.scalars(ids)}
    ]
    recording = parse_id(media.resource)
    if recording is not None:
        named.append(select(recordings.c.job_id).where(recordings.c.id == recording))
    transfer = parse_id(str(media.meta.get("source", {}).get("transfer")))
    if transfer is not None:
        named.append(select(literal(transfer, Uuid)))
    query = (
        select(jobs)
        .where(jobs.c.id.in_(union_all(*named)), _owned(owner))
        .order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
        .limit(limit)
    )
    return [job_of(row) for row in await connection.execute(query)]


def _owned(owner: str | None) -> ColumnElement[bool]:
    return true() if owner is None else jobs.c.created_by == owner
