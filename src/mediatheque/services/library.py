"""What people who look for medias can ask."""

from dataclasses import dataclass

from mediatheque.catalog import library, media_jobs, medias
from mediatheque.catalog.database import Database, Transaction
from mediatheque.domain.access import Principal, owner_scope
from mediatheque.domain.errors import NotFoundError
from mediatheque.domain.ids import parse_id
from mediatheque.domain.jobs import Job
from mediatheque.domain.library import MOST_COUNTED, LibraryEntry, LibraryQuery, encode_position
from mediatheque.domain.media import Media

_MOST_JOBS = 50


@dataclass(frozen=True, slots=True)
class LibraryPage:
    """One page of the library; ``next`` is where the next one begins, None when there is none.

    ``count`` of all that pass the filter, up to one more than ``MOST_COUNTED``; None for a page
    that is not the first.
    """

    entries: list[LibraryEntry]
    next: str | None
    count: int | None


@dataclass(frozen=True, slots=True)
class LibraryFamily:
    """A media, what was made of it, and what it was made of."""

    entry: LibraryEntry
    derived: list[LibraryEntry]
    of: LibraryEntry | None


class LibraryService:
    """Finds medias for people who look for them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, principal: Principal, query: LibraryQuery) -> LibraryPage:
        """Return one page of medias."""
        owner = owner_scope(principal)
        total = None
        async with self._database.read() as connection:
            found = await library.page(connection, query, owner=owner)
            shown, more = found[: query.limit], len(found) > query.limit
            if query.after is None:
                # What fits one page has been counted by reading it.
                total = len(shown)
                if more:
                    total = await library.count(
                        connection, query.filter, most=MOST_COUNTED, owner=owner
                    )
            resources = list({media.resource for media in shown})
            made = await library.made_of(connection, resources, owner=owner) if shown else {}
        return LibraryPage(
            [LibraryEntry(media, made.get(media.resource, frozenset())) for media in shown],
            encode_position(query, shown[-1]) if more else None,
            total,
        )

    async def find(self, principal: Principal, media_id: str) -> LibraryFamily:
        """Return a media with what was made of it. Raises NotFoundError."""
        owner = owner_scope(principal)
        async with self._database.read() as connection:
            media = await self._find(connection, principal, media_id)
            family = await library.of_resource(connection, media.resource, owner=owner)
        made = frozenset(one.key for one in family)
        entries = [LibraryEntry(one, made) for one in family]
        if not media.key:
            return LibraryFamily(
                LibraryEntry(media, made), [one for one in entries if one.media.key], None
            )
        originals = [one for one in entries if not one.media.key]
        return LibraryFamily(LibraryEntry(media, made), [], originals[0] if originals else None)

    async def jobs(self, principal: Principal, media_id: str) -> list[Job]:
        """Return the newest jobs that worked on a media. Raises NotFoundError."""
        async with self._database.read() as connection:
            media = await self._find(connection, principal, media_id)
            return await media_jobs.of_media(
                connection, media, limit=_MOST_JOBS, owner=owner_scope(principal)
            )

    async def _find(self, connection: Transaction, principal: Principal, media_id: str) -> Media:
        parsed = parse_id(media_id)
        if parsed is not None:
            owner = owner_scope(principal)
            media = await medias.find(connection, parsed, owner=owner)
            if media is not None:
                return media
        raise NotFoundError(f"There is no media {media_id[:100]!r}. It may have been deleted.")
