"""Keeping a catalog and a store together that belong together.

The janitor removes objects that no row refers to. With a database that was made anew, or another
one's, that would be everything. So both carry one id, and nothing starts when they differ.
Order: the catalog's row first, then the object; a crash in between leaves a store without an id,
which the next start gives it.
"""

from mediatheque.catalog import identity
from mediatheque.catalog.database import Database
from mediatheque.domain.errors import NotFoundError, UnavailableError
from mediatheque.domain.ids import new_id
from mediatheque.storage import keys
from mediatheque.storage.stores import Store

_LONGEST = 100


class IdentityService:
    """Ties one catalog to one store."""

    def __init__(self, database: Database, store: Store) -> None:
        self._database = database
        self._store = store

    async def claim(self) -> None:
        """Return when the store is this catalog's; a store that is nobody's becomes it.

        Raises UnavailableError when it is another catalog's.
        """
        async with self._database.begin() as transaction:
            mine = str(await identity.ensure(transaction, new_id()))
        named = await self._named()
        if named is None:
            writer = self._store.writer(
                keys.CATALOG_ID, content_type="text/plain", size_hint=len(mine)
            )
            try:
                await writer.write(mine.encode())
                await writer.commit()
            except BaseException:
                await writer.abort()
                raise
        else:
            _check_same(mine, named)

    async def check(self) -> None:
        """Raise UnavailableError when the store is another catalog's. Changes nothing."""
        async with self._database.read() as connection:
            mine = await identity.find(connection)
        named = await self._named()
        if named is not None:
            _check_same(str(mine), named)

    async def _named(self) -> str | None:
        """Return the id that the store carries, or None."""
        try:
            pieces = [piece async for piece in self._store.read(keys.CATALOG_ID, 0, _LONGEST)]
        except NotFoundError:
            return None
        return b"".join(pieces).decode(errors="replace")


def _check_same(mine: str, named: str) -> None:
    if named != mine:
        raise UnavailableError(
            "The store belongs to another database: to this one, everything in it would look "
            "left behind and be removed. Use the database that belongs to it, or another "
            f"store. To give the store to this database all the same, delete its object "
            f"{keys.CATALOG_ID}."
        )
