"""From a bucket's address and name to a mirror; nothing is contacted."""

import contextlib

import pytest

from mediatheque.domain.errors import InvalidError
from mediatheque.storage.folder_mirror import FolderMirror
from mediatheque.storage.mirror_opening import Mirrors
from mediatheque.storage.mirrors import Mirror
from mediatheque.storage.s3_keys import S3Keys
from mediatheque.storage.s3_mirror import S3Mirror, S3PrefixMirror

KEYS = S3Keys("access", "secret")
MINIO = "http://127.0.0.1:9000"


def opened(
    store_url: str, location: str, bucket: str = "videos", *, s3_endpoint: str | None = None
) -> Mirror:
    mirrors = Mirrors(store_url, s3_endpoint=s3_endpoint, durable=True, reserved_bytes=0)
    mirror = mirrors.open(location, bucket, region="us-east-1", keys=KEYS if location else None)
    with contextlib.closing(mirror):
        return mirror


@pytest.mark.parametrize("store_url", ["file:///srv/media", "memory://", "s3://media"])
def test_an_address_is_a_bucket_there_whatever_the_configured_store_is(store_url: str) -> None:
    mirror = opened(store_url, MINIO)

    assert type(mirror) is S3Mirror
    assert mirror.place == "The bucket 'videos' at http://127.0.0.1:9000"


def test_without_an_address_a_bucket_is_part_of_the_configured_store() -> None:
    folder = opened("file:///srv/a%20b", "")
    prefix = opened("s3://media/some/where", "", s3_endpoint=MINIO)
    bare = opened("s3://media", "", s3_endpoint=MINIO)

    assert isinstance(folder, FolderMirror)
    assert folder.place == "The bucket 'videos' in /srv/a b"
    assert isinstance(prefix, S3PrefixMirror)
    assert prefix._bucket.full_key("a") == "some/where/buckets/videos/a"
    assert isinstance(bare, S3PrefixMirror)
    assert bare._bucket.full_key("a") == "buckets/videos/a"


@pytest.mark.parametrize("store_url", ["memory://", "gs://media", "az://media"])
def test_other_stores_hold_no_buckets(store_url: str) -> None:
    with pytest.raises(InvalidError, match="storage_url"):
        opened(store_url, "")
