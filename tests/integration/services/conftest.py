"""Services on a real database and a real folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mediatheque.catalog.database import Database
from mediatheque.storage.local import LocalStore
from tests.support.parts import Parts, open_parts


@pytest.fixture
async def parts(database: Database, tmp_path: Path) -> AsyncIterator[Parts]:
    """Every service, with nothing in the catalog and nothing in the store."""
    store = LocalStore(tmp_path / "objects", durable=False)
    yield open_parts(database, store)
    await store.close()
