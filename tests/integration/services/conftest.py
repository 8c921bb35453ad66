"""Services on a real database and a real folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mediatheque.catalog.database import Database
from mediatheque.storage.local import LocalStore
from tests.support.parts import Parts, open_parts


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[LocalStore]:
    """An empty store in a folder."""
    opened = LocalStore(tmp_path / "objects", durable=False)
    yield opened
    await opened.close()


@pytest.fixture
def parts(database: Database, store: LocalStore) -> Parts:
    """Every service, with nothing in the catalog and nothing in the store."""
    return open_parts(database, store)
