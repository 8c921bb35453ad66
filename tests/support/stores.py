"""Opening stores, and moving whole objects in and out of them."""

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest
from obstore.store import S3Store as ObstoreS3

from mediatheque.storage.local import LocalStore
from mediatheque.storage.part_memory import PartMemory
from mediatheque.storage.remote import CLIENT_OPTIONS, RETRIES, RemoteStore, open_remote
from mediatheque.storage.s3 import S3Store
from mediatheque.storage.stores import Store, Stored
from tests.support.seaweedfs import SeaweedFS

PIECE_BYTES = 300_000
_BEGUN_BYTES = 1_000_000
_SOON_SECONDS = 30


def open_s3(
    server: SeaweedFS,
    monkeypatch: pytest.MonkeyPatch,
    *,
    endpoint: str | None = None,
    bucket: str | None = None,
    **options: Any,
) -> S3Store:
    """Open a store below a prefix of its own, so that tests do not see each other's objects."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    prefix = f"test/{uuid.uuid4().hex}"
    return S3Store(bucket or server.bucket, prefix, endpoint=endpoint or server.endpoint, **options)


def open_kind(
    kind: str, request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Store:
    """Open an empty store: "local", below ``folder``, "memory" or "s3"."""
    if kind == "local":
        return LocalStore(folder / "objects")
    if kind == "memory":
        return open_remote("memory://")
    return open_s3(request.getfixturevalue("seaweedfs"), monkeypatch)


def open_obstore(
    server: SeaweedFS, *, endpoint: str | None = None, memory: PartMemory | None = None
) -> RemoteStore:
    """Open the same server through obstore alone, in the place of stores that tests cannot run."""
    objects = ObstoreS3(
        server.bucket,
        prefix=f"test/{uuid.uuid4().hex}",
        endpoint=endpoint or server.endpoint,
        region="us-east-1",
        access_key_id=server.access_key,
        secret_access_key=server.secret_key,
        client_options={**CLIENT_OPTIONS, "allow_http": True},
        retry_config=RETRIES,
    )
    return RemoteStore(objects, "The test store", memory)


async def put(
    store: Store, key: str, content: bytes, *, content_type: str = "application/octet-stream"
) -> Stored:
    """Write one object in pieces, as they would arrive from a client."""
    writer = store.writer(key, content_type=content_type, size_hint=len(content))
    for start in range(0, len(content), PIECE_BYTES):
        await writer.write(content[start : start + PIECE_BYTES])
    return await writer.commit()


async def check_not_kept_waiting(store: Store, content: bytes) -> None:
    """Let three slow clients begin, then write an object; each gets ``content`` in the end."""
    slow = [store.writer(f"a/slow{n}", content_type="a/b", size_hint=None) for n in range(3)]
    async with asyncio.timeout(_SOON_SECONDS):
        for writer in slow:
            await writer.write(content[:_BEGUN_BYTES])

        await put(store, "a/fast", content)

    assert await get(store, "a/fast") == content
    for number, writer in enumerate(slow):
        await writer.write(content[_BEGUN_BYTES:])
        await writer.commit()
        assert await get(store, f"a/slow{number}") == content


async def get(store: Store, key: str, start: int = 0, end: int | None = None) -> bytes:
    """Read one object, or a part of it."""
    return b"".join([piece async for piece in store.read(key, start, end)])


async def keys(store: Store, prefix: str = "") -> set[str]:
    """Return the keys of all objects below a prefix."""
    return {info.key async for info in store.list(prefix)}
