"""From a storage URL to a store; nothing is contacted."""

from pathlib import Path

import pytest

from mediatheque.domain.errors import InvalidError
from mediatheque.storage.local import LocalStore
from mediatheque.storage.opening import open_store
from mediatheque.storage.part_memory import PartMemory
from mediatheque.storage.remote import RemoteStore
from mediatheque.storage.s3 import S3Store
from mediatheque.storage.stores import Store


def opened(url: str) -> Store:
    return open_store(url, s3_endpoint=None, durable=True, reserved_bytes=0, memory=PartMemory())


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("file:///srv/media", "/srv/media"),
        ("file://localhost/srv/media", "/srv/media"),
        ("file:///srv/a%20b%23c", "/srv/a b#c"),
        (Path("/srv/ünïcode %41").as_uri(), "/srv/ünïcode %41"),
    ],
)
def test_a_file_url_is_a_folder(url: str, root: str) -> None:
    store = opened(url)

    assert isinstance(store, LocalStore)
    assert store.local_path("a/b") == Path(root) / "a/b"


def test_cloud_urls_are_their_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")

    assert isinstance(opened("s3://bucket/prefix"), S3Store)
    assert isinstance(opened("memory://"), RemoteStore)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/srv/media",
        "file:",
        "file://elsewhere/srv",
        "s3://",
        "s3:///prefix",
        "gs://",
        "az:///x",
        "http://host/x",
        "s3://[",
        "s3://key:secret@bucket/prefix",
        "s3://secret@bucket",
        "ftp://me:secret@host/x",
    ],
)
def test_what_is_no_storage_url_is_refused_naming_the_setting(url: str) -> None:
    with pytest.raises(InvalidError, match="not understood") as refused:
        opened(url)

    assert refused.value.field == "MEDIATHEQUE_STORAGE_URL"
    assert "secret" not in refused.value.detail
