"""The Python client, on the way to the real service."""

from collections.abc import AsyncIterator

import pytest

from mediatheque.client import AsyncClient
from tests.support.proxy import Proxy, run_proxy
from tests.support.service import Service


@pytest.fixture
async def client(service: Service) -> AsyncIterator[AsyncClient]:
    """A client of each of the shared services."""
    async with AsyncClient(service.url) as opened:
        yield opened


@pytest.fixture
async def proxy(local_service: Service) -> AsyncIterator[Proxy]:
    """A proxy that can harm what passes to the service on the embedded defaults."""
    async with run_proxy(local_service.url) as running:
        yield running


@pytest.fixture
async def shaky(proxy: Proxy) -> AsyncIterator[AsyncClient]:
    """A client that reaches the service through a proxy that harms its requests."""
    async with AsyncClient(proxy.endpoint) as opened:
        yield opened
