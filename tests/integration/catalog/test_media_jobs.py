"""Which jobs worked on a media."""

from uuid import UUID

from mediatheque.catalog import media_jobs
from mediatheque.catalog.database import Database
from mediatheque.domain.access import LOCAL_OPERATOR, Principal
from mediatheque.domain.ids import new_id
from mediatheque.domain.media import Media
from mediatheque.services.jobs import JobService
from tests.support.database import a_media, add_medias, execute

SOMEBODY = Principal("somebody", "editor")


async def enqueue(
    database: Database, job_class: str, *named: Media, principal: Principal = LOCAL_OPERATOR
) -> UUID:
    job = await JobService(database).enqueue(
        principal,
        job_class=job_class,
        queue="q",
        arguments={"medias": [str(media.id) for media in named], "steps": ["probe"]},
    )
    return job.id


async def jobs_of(
    database: Database, media: Media, *, limit: int = 50, owner: str | None = None
) -> list[UUID]:
    async with database.read() as connection:
        found = await media_jobs.of_media(connection, media, limit=limit, owner=owner)
    return [job.id for job in found]


async def test_jobs_that_processed_a_media_are_its_own_newest_first(database: Database) -> None:
    media, other = a_media(), a_media()
    await add_medias(database, media, other)
    first = await enqueue(database, "processing", media)
    second = await enqueue(database, "processing", other, media)
    await enqueue(database, "processing", other)
    await enqueue(database, "something", media)

    assert await jobs_of(database, media) == [second, first]
    assert await jobs_of(database, media, limit=1) == [second]


async def test_what_was_made_of_an_original_has_the_jobs_of_that(database: Database) -> None:
    original = a_media(resource="x")
    made = a_media(resource="x", key="thumbnail.jpg")
    await add_medias(database, original, made, a_media(resource="x", key="sprite.vtt"))
    job = await enqueue(database, "processing", original)
    own = await enqueue(database, "processing", made)

    assert await jobs_of(database, made) == [own, job]
    assert await jobs_of(database, original) == [job]


async def test_jobs_of_others_are_not_shown(database: Database) -> None:
    media = a_media()
    await add_medias(database, media)
    await enqueue(database, "processing", media)
    theirs = await enqueue(database, "processing", media, principal=SOMEBODY)

    assert await jobs_of(database, media, owner="somebody") == [theirs]


async def test_a_media_that_nothing_worked_on_has_no_jobs(database: Database) -> None:
    media = a_media(resource=str(new_id()), meta={"source": {"transfer": "no id"}})
    await add_medias(database, media)

    assert await jobs_of(database, media) == []


async def test_the_transfer_that_brought_it_is_shown(database: Database) -> None:
    job = await enqueue(database, "transfer")
    media = a_media(meta={"source": {"uri": "file:///x", "transfer": str(job)}})
    await add_medias(database, media)

    assert await jobs_of(database, media) == [job]


async def test_the_job_of_its_recording_is_shown(database: Database, database_url: str) -> None:
    recording, job = new_id(), await enqueue(database, "recording")
    media = a_media(resource=str(recording))
    await add_medias(database, media)
    await execute(
        database_url,
        "INSERT INTO recordings (id, media_id, state, job_id, created_by, created_role)"
        " VALUES ($1, $2, 'complete', $3, 'local', 'operator')",
        recording,
        media.id,
        job,
    )

    assert await jobs_of(database, media) == [job]
