"""What only stores that speak S3 have: addresses, keys, buckets, copies by parts, old uploads."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from mediatheque.domain.errors import ConflictError, NotFoundError, UnavailableError
from mediatheque.storage.s3 import S3Store
from mediatheque.storage.stores import ObjectInfo
from tests.support.proxy import Fault, Harm, answer, run_proxy
from tests.support.seaweedfs import SeaweedFS
from tests.support.stores import get, keys, open_s3, put

MIB = 1 << 20
CONTENT = random.Random(3).randbytes(13 * MIB + 5)


@pytest.fixture
async def store(seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[S3Store]:
    """A store that already copies by parts what is larger than 5 MiB."""
    opened = open_s3(seaweedfs, monkeypatch, largest_copy=5 * MIB)
    yield opened
    await opened.close()


async def existing(store: S3Store, key: str) -> ObjectInfo:
    info = await store.head(key)
    assert info is not None
    return info


async def bucket_key(store: S3Store, key: str) -> str:
    """Return the name that an object has in the bucket itself, as a signed URL shows it."""
    url = await store.signed_put(key, expires_in=60)
    assert url is not None
    return urlsplit(url).path.split("/", 2)[2]


async def why_unavailable(store: S3Store) -> str:
    with pytest.raises(UnavailableError) as caught:
        await store.check()
    await store.close()
    return caught.value.detail


async def test_a_missing_bucket_is_named_and_not_created(
    seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    detail = await why_unavailable(open_s3(seaweedfs, monkeypatch, bucket="absent"))

    assert "'absent'" in detail
    assert "does not exist. Create it" in detail
    names = [bucket["Name"] for bucket in seaweedfs.client().list_buckets()["Buckets"]]
    assert "absent" not in names


@pytest.mark.parametrize(
    ("variable", "value"),
    [("AWS_ACCESS_KEY_ID", "another-key"), ("AWS_SECRET_ACCESS_KEY", "another-secret")],
)
async def test_a_wrong_key_is_named_by_its_variable_only(
    seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    for name, right in seaweedfs.environment.items():
        monkeypatch.setenv(name, right)
    monkeypatch.setenv(variable, value)

    detail = await why_unavailable(S3Store(seaweedfs.bucket, endpoint=seaweedfs.endpoint))

    assert f"Check {variable}." in detail
    assert not any(
        secret in detail for secret in (value, seaweedfs.access_key, seaweedfs.secret_key)
    )


async def test_missing_credentials_are_asked_for(
    seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in seaweedfs.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    detail = await why_unavailable(S3Store(seaweedfs.bucket, endpoint=seaweedfs.endpoint))

    assert "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY where the service runs" in detail


async def test_an_address_where_nobody_listens_is_named_without_its_password(
    seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    detail = await why_unavailable(
        open_s3(seaweedfs, monkeypatch, endpoint="http://user:password@127.0.0.1:1")
    )

    assert "http://127.0.0.1:1 does not answer" in detail
    assert "password" not in detail


@pytest.mark.parametrize(
    ("status", "code", "sentence"),
    [
        ("403 Forbidden", "AccessDenied", "Allow it to list, read, write and delete"),
        ("403 Forbidden", "SomethingNew", "Allow it to list, read, write and delete"),
        ("403 Forbidden", "RequestTimeTooSkewed", "clock"),
        ("400 Bad Request", "ExpiredToken", "AWS_SESSION_TOKEN"),
        ("400 Bad Request", "AuthorizationHeaderMalformed", "AWS_DEFAULT_REGION"),
        ("418 I'm a teapot", "Teapot", "418 Teapot"),
    ],
)
async def test_what_the_store_refuses_is_said_together_with_what_to_do(
    seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch, status: str, code: str, sentence: str
) -> None:
    refusal = answer(status, f"<Error><Code>{code}</Code></Error>")
    async with run_proxy(seaweedfs.endpoint) as proxy:
        proxy.faults.append(Fault("^PUT ", Harm.ANSWER, times=99, answer=refusal))
        store = open_s3(seaweedfs, monkeypatch, endpoint=proxy.endpoint)

        assert sentence in await why_unavailable(store)


async def test_objects_outside_the_prefix_are_not_seen(
    seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch, store: S3Store
) -> None:
    other = open_s3(seaweedfs, monkeypatch)
    await put(other, "a/object", b"content")

    assert await keys(store) == set()
    assert await store.head("a/object") is None
    await other.close()


async def test_a_large_object_is_promoted_by_parts(store: S3Store, seaweedfs: SeaweedFS) -> None:
    stored = await put(store, "staging/1/a", CONTENT, content_type="video/mp4")

    moved = await store.promote(await existing(store, "staging/1/a"), "originals/1/a")

    assert (moved.size, moved.crc64nvme) == (len(CONTENT), stored.crc64nvme)
    assert moved.etag is not None
    assert moved.etag.endswith('-3"')  # the three parts of at most 5 MiB it was copied by
    assert await get(store, "originals/1/a") == CONTENT
    assert await keys(store) == {"originals/1/a"}
    head = seaweedfs.client().head_object(
        Bucket=seaweedfs.bucket, Key=await bucket_key(store, "originals/1/a")
    )
    assert head["ContentType"] == "video/mp4"


async def test_a_large_object_that_changed_is_not_promoted_and_leaves_no_parts(
    store: S3Store,
) -> None:
    await put(store, "staging/1/a", CONTENT)
    seen = await existing(store, "staging/1/a")
    await put(store, "staging/1/a", CONTENT[::-1])

    with pytest.raises(ConflictError):
        await store.promote(seen, "originals/1/a")

    assert await keys(store) == {"staging/1/a"}
    assert await store.sweep_unfinished(datetime.now(UTC) + timedelta(minutes=1)) == 0


async def test_a_large_object_may_be_promoted_again_and_is_not_found_when_it_is_nowhere(
    store: S3Store,
) -> None:
    await put(store, "staging/1/a", CONTENT)
    seen = await existing(store, "staging/1/a")
    first = await store.promote(seen, "originals/1/a")

    assert await store.promote(seen, "originals/1/a") == first
    with pytest.raises(NotFoundError):
        await store.promote(seen, "originals/2/a")


async def test_the_unfinished_uploads_of_others_are_left_alone(
    store: S3Store, seaweedfs: SeaweedFS
) -> None:
    client, name = seaweedfs.client(), await bucket_key(store, "films/theirs")
    theirs = client.create_multipart_upload(Bucket=seaweedfs.bucket, Key=name)["UploadId"]
    ours = [
        client.create_multipart_upload(Bucket=seaweedfs.bucket, Key=await bucket_key(store, key))
        for key in ("originals/1/a", "staging/1/a", "buckets/b/a")
    ]

    assert await store.sweep_unfinished(datetime.now(UTC) + timedelta(minutes=1)) == len(ours)

    client.list_parts(Bucket=seaweedfs.bucket, Key=name, UploadId=theirs)
    client.abort_multipart_upload(Bucket=seaweedfs.bucket, Key=name, UploadId=theirs)


async def test_an_upload_that_ends_while_it_is_looked_at_is_none_to_sweep(
    store: S3Store, monkeypatch: pytest.MonkeyPatch, seaweedfs: SeaweedFS
) -> None:
    client = seaweedfs.client()
    names = [await bucket_key(store, f"originals/{number}/a") for number in (1, 2)]
    uploads = [
        client.create_multipart_upload(Bucket=seaweedfs.bucket, Key=name)["UploadId"]
        for name in names
    ]
    touched = S3Store._touched

    def end_first(self: S3Store, key: str, upload_id: str, since: datetime) -> bool:
        if upload_id == uploads[0]:
            client.abort_multipart_upload(Bucket=seaweedfs.bucket, Key=key, UploadId=upload_id)
        return touched(self, key, upload_id, since)

    monkeypatch.setattr(S3Store, "_touched", end_first)

    assert await store.sweep_unfinished(datetime.now(UTC) + timedelta(minutes=1)) == 1


async def test_an_upload_is_as_old_as_its_last_part(store: S3Store) -> None:
    slow = store.writer("originals/1/object", content_type="video/mp4", size_hint=None)
    await slow.write(CONTENT[: 8 * MIB + 1])
    await asyncio.sleep(2.1)  # S3 tells times in whole seconds
    between = datetime.now(UTC) - timedelta(seconds=1)
    await slow.write(CONTENT[: 8 * MIB])
    await slow.write(CONTENT[: 8 * MIB])

    assert await store.sweep_unfinished(between) == 0
    await slow.commit()

    assert (await existing(store, "originals/1/object")).size == 24 * MIB + 1


async def test_reading_goes_on_where_the_connection_broke(
    seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_proxy(seaweedfs.endpoint) as proxy:
        store = open_s3(seaweedfs, monkeypatch, endpoint=proxy.endpoint)
        await put(store, "originals/1/object", CONTENT)
        proxy.faults.append(Fault("^GET ", Harm.CUT_ANSWER, times=2))

        assert await get(store, "originals/1/object") == CONTENT
        assert proxy.count("^GET ") == 3
        await store.close()


async def test_signed_urls_of_aws_name_the_bucket_and_the_region_themselves(
    seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in seaweedfs.environment.items():
        monkeypatch.setenv(name, value)
    store = S3Store("media", "inside", region="eu-central-1")

    url = await store.signed_put("staging/1/a", expires_in=60)

    assert url is not None
    parts = urlsplit(url)
    assert parts.hostname == "media.s3.eu-central-1.amazonaws.com"
    assert parts.path == "/inside/staging/1/a"
    # A client may send any Content-Type, and no checksum, because neither is signed.
    assert parse_qs(parts.query)["X-Amz-SignedHeaders"] == ["host"]
    assert not any("checksum" in name.lower() for name in parse_qs(parts.query))
    await store.close()
