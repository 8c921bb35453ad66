"""Services on a real database and a real folder."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from mediatheque.catalog import intakes
from mediatheque.catalog.database import Database
from mediatheque.domain.ids import new_id
from mediatheque.storage.local import LocalStore
from tests.support.parts import Parts, open_parts


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[LocalStore]:
    """An empty store in a folder."""
    opened = LocalStore(tmp_path / "objects", durable=False)
    yield opened
    await opened.close()


@pytest.fixture
async def intake_id(database: Database) -> UUID:
    """The id of an intake without bytes."""
    added = new_id()
    async with database.begin() as transaction:
        await intakes.add(transaction, added)
    return added


@pytest.fixture
def parts(database: Database, store: LocalStore) -> Parts:
    """Every service, with nothing in the catalog and nothing in the store."""
    return open_parts(database, store)
