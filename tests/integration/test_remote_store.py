"""What the conformance suite cannot see of a store behind obstore: its unfinished uploads."""

import pytest

from mediatheque.domain.errors import InvalidError, UnavailableError
from mediatheque.storage.remote import open_remote
from tests.support.seaweedfs import SeaweedFS
from tests.support.stores import open_obstore

MIB = 1 << 20


def unfinished(server: SeaweedFS) -> int:
    return len(server.client().list_multipart_uploads(Bucket=server.bucket).get("Uploads", []))


@pytest.mark.parametrize("parts", [1, 2, 3])
async def test_an_aborted_upload_is_removed_from_the_store(
    seaweedfs: SeaweedFS, parts: int
) -> None:
    store = open_obstore(seaweedfs)
    before = unfinished(seaweedfs)
    writer = store.writer("a/object", content_type="video/mp4", size_hint=None)
    await writer.write(bytes(parts * 8 * MIB + 1))

    await writer.abort()

    assert unfinished(seaweedfs) == before
    assert await store.head("a/object") is None


async def test_a_refused_store_is_unavailable_and_its_keys_stay_secret(
    seaweedfs: SeaweedFS,
) -> None:
    store = open_obstore(SeaweedFS(seaweedfs.endpoint, secret_key="another-secret"))

    with pytest.raises(UnavailableError) as caught:
        await store.check()

    assert "credentials" in caught.value.detail
    assert seaweedfs.access_key not in caught.value.detail


async def test_a_store_that_does_not_answer_is_unavailable() -> None:
    store = open_obstore(SeaweedFS("http://127.0.0.1:1"))

    with pytest.raises(UnavailableError, match="The test store"):
        await store.head("a/object")


@pytest.mark.parametrize("url", ["ftp://host/folder", "az://container"])
def test_a_url_that_names_no_complete_store_is_invalid(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)

    with pytest.raises(InvalidError):
        open_remote(url)


def test_the_stores_of_google_and_microsoft_are_opened_without_contacting_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")

    open_remote("az://container/prefix")
    open_remote("gs://bucket/prefix")
