"""Fixtures of tests that need a database or a store but no service."""

from collections.abc import AsyncIterator

import pytest

from tests.support.database import database, database_url, empty_database_url, postgres_url
from tests.support.proxy import Proxy, run_proxy
from tests.support.seaweedfs import SeaweedFS

__all__ = ["database", "database_url", "empty_database_url", "postgres_url"]


@pytest.fixture
async def proxy(seaweedfs: SeaweedFS) -> AsyncIterator[Proxy]:
    """A proxy that can harm what passes to the S3 store."""
    async with run_proxy(seaweedfs.endpoint) as running:
        yield running
