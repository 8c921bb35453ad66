"""What can be asked of a file's tags."""

from mediatheque.catalog import medias
from mediatheque.catalog.database import Database
from mediatheque.domain.access import Principal, owner_scope
from mediatheque.domain.errors import InvalidError, NotFoundError
from mediatheque.domain.ids import parse_id
from mediatheque.domain.tags import check_tags


class TagService:
    """Adds and removes tags. Two changes of one file at once do not lose each other's tags."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, principal: Principal, file_id: str, tags: tuple[str, ...]) -> None:
        """Put tags on a file, those it has already included. Raises NotFoundError."""
        added = check_tags(tags)
        await self._change(principal, file_id, added=added, removed=())

    async def remove(self, principal: Principal, file_id: str, tags: tuple[str, ...]) -> None:
        """Take all of these tags off a file, or none.

        Raises InvalidError when one is not on the file, NotFoundError.
        """
        await self._change(principal, file_id, added=(), removed=tags)

    async def _change(
        self,
        principal: Principal,
        file_id: str,
        *,
        added: tuple[str, ...],
        removed: tuple[str, ...],
    ) -> None:
        media_id = parse_id(file_id)
        async with self._database.begin() as transaction:
            current = (
                await medias.lock_tags(transaction, media_id, owner=owner_scope(principal))
                if media_id is not None
                else None
            )
            if media_id is None or current is None:
                raise NotFoundError("file not found")
            if not set(removed) <= set(current):
                raise InvalidError("tag not found on file", field="tags")
            kept = check_tags([tag for tag in (*current, *added) if tag not in removed])
            if kept != current:
                await medias.set_tags(transaction, media_id, kept)
