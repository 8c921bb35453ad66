"""What the conformance suite cannot see of mirrors in S3 stores: stores that make trouble."""

import asyncio
import random
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
import urllib3

from mediatheque.domain.errors import (
    ConflictError,
    InvalidError,
    MediathequeError,
    UnavailableError,
)
from mediatheque.domain.sync_plan import BucketEntry
from mediatheque.storage import s3_answers, s3_bucket
from mediatheque.storage.mirror_opening import Mirrors
from mediatheque.storage.mirrors import BlockedError, Refused, UnorderedError
from mediatheque.storage.pace import SendingStoppedError
from mediatheque.storage.s3_bucket import S3Bucket
from mediatheque.storage.s3_keys import S3Keys
from mediatheque.storage.s3_mirror import S3Mirror, _each_once, _in_order
from tests.support.proxy import Fault, Harm, Proxy, answer
from tests.support.scripted import scripted
from tests.support.seaweedfs import SeaweedFS
from tests.support.sending import Recorder, open_source

LIST = r"^GET .*list-type=2"


def refused(status: str, code: str) -> bytes:
    return answer(status, f"<Error><Code>{code}</Code></Error>")


NO_BUCKET = refused("404 Not Found", "NoSuchBucket")
BUSY = refused("503 Slow Down", "SlowDown")


def open_mirror(
    server: SeaweedFS,
    endpoint: str,
    *,
    bucket: str | None = None,
    access_key: str | None = None,
    secret_key: str | None = None,
) -> S3Mirror:
    keys = S3Keys(access_key or server.access_key, secret_key or server.secret_key)
    name = bucket or server.bucket
    prefix = f"test/{uuid.uuid4().hex}"
    return S3Mirror(S3Bucket(name, prefix, endpoint=endpoint, region=None, keys=keys))


@pytest.fixture
async def mirror(
    seaweedfs: SeaweedFS, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[S3Mirror]:
    """A mirror behind the proxy that waits only briefly before it tries again."""
    monkeypatch.setattr(s3_bucket, "_PAUSES", (0.01,) * 4)
    opened = open_mirror(seaweedfs, proxy.endpoint)
    yield opened
    await asyncio.to_thread(opened.close)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(b"content")
    return path


def put(mirror: S3Mirror, path: Path, key: bytes = b"a/object") -> None:
    with open_source(path) as source:
        mirror.put(source, key, "video/mp4")


def listed(mirror: S3Mirror) -> list[BucketEntry]:
    return [entry for page in mirror.entries(in_order=False) for entry in page]


async def detail_of(call: Callable[[], object]) -> str:
    """Return the sentence with which ``call`` fails, in a thread, for want of the store."""
    with pytest.raises(UnavailableError) as caught:
        await asyncio.to_thread(call)
    return caught.value.detail


async def test_the_content_type_is_kept(seaweedfs: SeaweedFS, mirror: S3Mirror, file: Path) -> None:
    await asyncio.to_thread(put, mirror, file)
    await asyncio.to_thread(put, mirror, file)  # the second one goes another way

    key = mirror._bucket.full_key("a/object")
    found = seaweedfs.client().head_object(Bucket=seaweedfs.bucket, Key=key)
    assert found["ContentType"] == "video/mp4"


@pytest.mark.parametrize(
    ("access_key", "secret_key", "sentence"),
    [
        ("canary-access", None, "does not know the access key"),
        (None, "canary-secret", "refused the signature"),
    ],
    ids=["access", "secret"],
)
async def test_wrong_keys_are_told_apart_and_not_told(
    seaweedfs: SeaweedFS, access_key: str | None, secret_key: str | None, sentence: str
) -> None:
    mirror = open_mirror(
        seaweedfs, seaweedfs.endpoint, access_key=access_key, secret_key=secret_key
    )
    calls: list[Callable[[], object]] = [
        mirror.exists,
        mirror.create,
        mirror.remove,
        mirror.keeps_backslashes,
        lambda: listed(mirror),
        lambda: mirror.delete([b"a/object"]),
    ]

    details = [await detail_of(call) for call in calls]

    assert all(sentence in detail for detail in details)
    assert not any("canary" in detail for detail in details)
    mirror.close()


async def test_a_store_that_is_not_there_is_noticed_at_once(seaweedfs: SeaweedFS) -> None:
    mirror = open_mirror(seaweedfs, "http://127.0.0.1:1")
    began = time.monotonic()

    assert "does not answer" in await detail_of(mirror.exists)
    assert time.monotonic() - began < 5
    mirror.close()


@asynccontextmanager
async def silent() -> AsyncIterator[str]:
    """Accept connections and say nothing."""
    over = asyncio.Event()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        over.set()


@asynccontextmanager
async def trickling() -> AsyncIterator[str]:
    """Answer without an end, one byte at a time, so that no read takes long."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(b"<")
                await writer.drain()
                await asyncio.sleep(0.02)
        except (ConnectionError, asyncio.CancelledError):
            writer.close()

    serving: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.create_task(serve(reader, writer)))

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for task in serving:
            task.cancel()


@pytest.mark.parametrize("server", [silent, trickling])
async def test_a_store_that_does_not_finish_its_answer_is_given_up(
    seaweedfs: SeaweedFS,
    monkeypatch: pytest.MonkeyPatch,
    server: Callable[[], AbstractAsyncContextManager[str]],
) -> None:
    monkeypatch.setattr(s3_bucket, "_LOOK_SECONDS", 0.4)
    monkeypatch.setattr(s3_bucket, "_LOOK_TIMEOUT", urllib3.Timeout(0.2))
    began = time.monotonic()
    async with server() as endpoint:
        mirror = open_mirror(seaweedfs, endpoint)
        assert "does not answer" in await detail_of(mirror.exists)
        await asyncio.to_thread(mirror.close)
        assert time.monotonic() - began < 5


@pytest.mark.parametrize(("limit", "value"), [("_SECONDS", 0.2), ("_LONGEST", 10)])
async def test_an_answer_without_an_end_ends_the_listing(
    seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch, limit: str, value: float
) -> None:
    monkeypatch.setattr(s3_answers, limit, value)
    monkeypatch.setattr(s3_bucket, "_PAUSES", ())
    began = time.monotonic()
    async with trickling() as endpoint:
        mirror = open_mirror(seaweedfs, endpoint)
        await detail_of(lambda: listed(mirror))
        await asyncio.to_thread(mirror.close)
        assert time.monotonic() - began < 5


async def test_the_name_of_an_error_cannot_steer_a_terminal(mirror: S3Mirror, proxy: Proxy) -> None:
    steering = refused("400 Bad Request", "Evil\x1b[31m\n\x07")
    proxy.faults.append(Fault(LIST, Harm.ANSWER, answer=steering))

    assert "(400 Evil??31m??)" in await detail_of(mirror.exists)


async def test_a_listing_that_goes_round_in_circles_is_ended(
    mirror: S3Mirror, proxy: Proxy
) -> None:
    page = (
        "<ListBucketResult><IsTruncated>true</IsTruncated>"
        "<NextContinuationToken>same</NextContinuationToken></ListBucketResult>"
    )
    proxy.faults.append(Fault(LIST, Harm.ANSWER, times=9, answer=answer("200 OK", page)))

    assert "again and again" in await detail_of(lambda: listed(mirror))
    assert proxy.count(LIST) == 2


async def test_proxies_of_the_environment_are_told_nothing(
    seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    async with scripted() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        mirror = open_mirror(seaweedfs, seaweedfs.endpoint)
        for _ in range(2):  # the second one goes another way
            await asyncio.to_thread(put, mirror, file)
        assert await asyncio.to_thread(mirror.head, b"a/object") is not None
        assert mirror._bucket._verifies
        await asyncio.to_thread(mirror.close)

    assert proxy.asked == []


async def test_no_redirect_leads_to_another_host(
    seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    monkeypatch.setattr(s3_bucket, "_PAUSES", ())
    async with scripted(answer("200 OK")) as other:
        elsewhere = answer("307 Temporary Redirect", headers=f"Location: {other.url}/\r\n")
        async with scripted(*[elsewhere] * 8) as store:
            mirror = open_mirror(seaweedfs, store.url)
            mirror._bucket._verifies = True  # so that both ways of putting are tried
            details = [
                await detail_of(mirror.exists),
                await detail_of(lambda: listed(mirror)),
                await detail_of(lambda: put(mirror, file)),
            ]
            assert len(store.asked) == 4

        assert all("refers to another address" in detail for detail in details)
        assert other.asked == []
    mirror.close()


@pytest.mark.parametrize("page", ["<html></html>", "no XML", "<ListBucketResult><Contents/>"])
async def test_an_answer_that_is_no_listing_is_not_taken_for_an_empty_bucket(
    mirror: S3Mirror, proxy: Proxy, page: str
) -> None:
    proxy.faults.append(Fault(LIST, Harm.ANSWER, times=2, answer=answer("200 OK", page)))

    assert "no listing" in await detail_of(mirror.exists)
    assert "no listing" in await detail_of(lambda: listed(mirror))


async def test_a_page_that_does_not_say_how_to_go_on_ends_the_listing_with_an_error(
    mirror: S3Mirror, proxy: Proxy
) -> None:
    page = "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"
    proxy.faults.append(Fault(LIST, Harm.ANSWER, answer=answer("200 OK", page)))

    assert "no listing" in await detail_of(lambda: listed(mirror))


async def test_keys_are_decoded_only_where_the_store_says_that_they_are_encoded(
    mirror: S3Mirror, proxy: Proxy
) -> None:
    prefix = mirror._bucket.prefix
    page = (
        '<ListBucketResult xmlns="urn:any"><Contents><Size>1</Size><ETag>"x"</ETag>'
        f"<Key>{prefix}a+b%20c</Key></Contents></ListBucketResult>"
    )
    proxy.faults.append(Fault(LIST, Harm.ANSWER, answer=answer("200 OK", page)))

    assert await asyncio.to_thread(listed, mirror) == [BucketEntry(b"a+b%20c", 1, "x")]


async def test_a_listing_waits_passing_troubles_out(
    mirror: S3Mirror, proxy: Proxy, file: Path
) -> None:
    await asyncio.to_thread(put, mirror, file)
    proxy.faults.append(Fault(LIST, Harm.ANSWER, times=2, answer=BUSY))
    proxy.faults.append(Fault(LIST, Harm.LOSE_ANSWER))

    assert [entry.key for entry in await asyncio.to_thread(listed, mirror)] == [b"a/object"]
    assert proxy.count(LIST) == 4


async def test_a_bucket_that_appeared_meanwhile_was_not_made(
    seaweedfs: SeaweedFS, mirror: S3Mirror, proxy: Proxy
) -> None:
    proxy.faults.append(Fault(LIST, Harm.ANSWER, answer=NO_BUCKET))
    owned = refused("409 Conflict", "BucketAlreadyOwnedByYou")
    proxy.faults.append(Fault("^PUT ", Harm.ANSWER, answer=owned))

    assert await asyncio.to_thread(mirror.create) is False


async def test_a_bucket_of_somebody_else_cannot_be_made(mirror: S3Mirror, proxy: Proxy) -> None:
    proxy.faults.append(Fault(LIST, Harm.ANSWER, answer=NO_BUCKET))
    taken = refused("409 Conflict", "BucketAlreadyExists")
    proxy.faults.append(Fault("^PUT ", Harm.ANSWER, answer=taken))

    assert "belongs to somebody else" in await detail_of(mirror.create)


async def test_a_bucket_that_was_filled_meanwhile_stays(mirror: S3Mirror, proxy: Proxy) -> None:
    full = refused("409 Conflict", "BucketNotEmpty")
    proxy.faults.append(Fault("^DELETE ", Harm.ANSWER, answer=full))

    with pytest.raises(ConflictError):
        await asyncio.to_thread(mirror.remove)


@pytest.mark.parametrize("code", ["XMinioParentIsObject", "XMinioObjectExistsAsDirectory"])
async def test_what_is_in_the_way_at_minio_is_known_as_such(
    mirror: S3Mirror, proxy: Proxy, file: Path, code: str
) -> None:
    proxy.faults.append(
        Fault("^PUT ", Harm.ANSWER, times=2, answer=refused("400 Bad Request", code))
    )

    with pytest.raises(BlockedError):
        await asyncio.to_thread(put, mirror, file)
    with open_source(file) as source, pytest.raises(BlockedError):
        await mirror.send(source, b"a/object", "video/mp4", Recorder())


async def test_what_the_store_refuses_to_delete_is_named_and_the_rest_deleted(
    mirror: S3Mirror, proxy: Proxy, file: Path
) -> None:
    for key in (b"a", b"b\x01", b"c\x01"):
        await asyncio.to_thread(put, mirror, file, key)
    prefix = mirror._bucket.prefix
    locked = (
        f"<DeleteResult><Error><Key>{prefix}a</Key><Code>AccessDenied</Code></Error>"
        f"<Error><Key>{prefix}gone</Key><Code>NoSuchKey</Code></Error></DeleteResult>"
    )
    proxy.faults.append(Fault("^POST .*delete", Harm.ANSWER, answer=answer("200 OK", locked)))
    denied = refused("403 Forbidden", "AccessDenied")
    proxy.faults.append(Fault("^DELETE ", Harm.ANSWER, answer=denied))

    kept = await asyncio.to_thread(mirror.delete, [b"a", b"gone", b"b\x01", b"c\x01"])

    reason = f"{mirror.place} refused to delete it (AccessDenied)."
    assert kept == [Refused(b"a", reason), Refused(b"b\x01", reason)]
    assert [entry.key for entry in await asyncio.to_thread(listed, mirror)] == [b"a", b"b\x01"]


async def test_the_etag_of_another_object_is_not_taken_for_that_of_the_file(
    mirror: S3Mirror, proxy: Proxy, file: Path
) -> None:
    other = (
        'ETag: "other"\r\nLast-Modified: Sat, 21 Nov 2026 10:00:00 GMT\r\n'
        "x-amz-checksum-crc64nvme: AAAAAAAAAAA=\r\n"
    )
    proxy.faults.append(Fault("^HEAD ", Harm.ANSWER, answer=answer("200 OK", headers=other)))

    with open_source(file) as source, pytest.raises(ConflictError):
        await mirror.send(source, b"a/object", "video/mp4", Recorder())


@pytest.mark.parametrize("prefix", ["", "/own/prefix"])
async def test_the_services_own_bucket_is_refused_at_whatever_address(
    seaweedfs: SeaweedFS, proxy: Proxy, prefix: str
) -> None:
    client, bucket = seaweedfs.client(), f"own-{uuid.uuid4().hex[:12]}"
    mirrors = Mirrors(
        f"s3://{bucket}{prefix}", s3_endpoint=seaweedfs.endpoint, durable=True, reserved_bytes=0
    )
    keys = S3Keys(seaweedfs.access_key, seaweedfs.secret_key)
    opened = [
        mirrors.open(location, bucket, region="us-east-1", keys=keys)
        for location in (seaweedfs.endpoint, proxy.endpoint)
    ]
    marker = f"{prefix}/catalog-id".removeprefix("/")

    client.create_bucket(Bucket=bucket)
    assert [await asyncio.to_thread(mirror.exists) for mirror in opened] == [True, True]
    client.put_object(Bucket=bucket, Key=marker, Body=b"id")
    for mirror in opened:
        with pytest.raises(InvalidError, match="holds the service's own objects"):
            await asyncio.to_thread(mirror.exists)

    for mirror in opened:
        await asyncio.to_thread(mirror.close)
    client.delete_object(Bucket=bucket, Key=marker)
    client.delete_bucket(Bucket=bucket)


async def test_a_listing_that_is_cut_is_asked_for_again(
    mirror: S3Mirror, proxy: Proxy, file: Path
) -> None:
    await asyncio.to_thread(put, mirror, file)
    whole = answer("200 OK", "<ListBucketResult></ListBucketResult>")
    proxy.faults.append(Fault(LIST, Harm.ANSWER, answer=whole[:-9]))

    assert [entry.key for entry in await asyncio.to_thread(listed, mirror)] == [b"a/object"]


async def test_a_key_that_is_listed_twice_is_one_object(mirror: S3Mirror, proxy: Proxy) -> None:
    prefix = mirror._bucket.prefix
    contents = [
        f'<Contents><Size>1</Size><ETag>"{etag}"</ETag><Key>{prefix}{key}</Key></Contents>'
        for key, etag in (("b", "1"), ("a", "2"), ("b", "3"))
    ]
    page = f"<ListBucketResult>{''.join(contents)}</ListBucketResult>"
    twice = f"<ListBucketResult>{''.join(contents[:1] * 2)}</ListBucketResult>"
    proxy.faults += [
        Fault(LIST, Harm.ANSWER, answer=answer("200 OK", page)),
        Fault(LIST, Harm.ANSWER, answer=answer("200 OK", twice)),
    ]

    assert [entry.key for entry in await asyncio.to_thread(listed, mirror)] == [b"a", b"b"]
    with pytest.raises(UnorderedError):
        await asyncio.to_thread(list, mirror.entries(in_order=True))


def entry(number: int) -> BucketEntry:
    return BucketEntry(b"%05d" % number, 1, "etag")


def test_a_listing_that_loses_its_order_on_a_later_page_is_noticed() -> None:
    pages = [[entry(1), entry(2)], [entry(3)], [entry(3), entry(4)]]

    in_order = _in_order(iter(pages), "The bucket")

    assert [next(in_order), next(in_order)] == pages[:2]
    with pytest.raises(UnorderedError):
        next(in_order)
    assert list(_each_once(iter(pages))) == [*pages[:2], [entry(4)]]


async def test_what_is_too_large_for_one_copy_is_copied_by_parts(
    seaweedfs: SeaweedFS, tmp_path: Path
) -> None:
    content, key = random.Random(7).randbytes((11 << 20) + 5), "50% +#?&/\u00e9\x01".encode()
    (tmp_path / "large").write_bytes(content)
    bucket = open_mirror(seaweedfs, seaweedfs.endpoint)._bucket
    mirror = S3Mirror(bucket, largest_copy=5 << 20)
    with open_source(tmp_path / "large") as source:
        await mirror.send(source, key, "video/mp4", Recorder())
    seen = mirror.head(key)
    assert seen is not None

    copied = await mirror.copy(seen, b"copy of " + key)

    assert copied == mirror.head(copied.key)
    stored = seaweedfs.client().get_object(
        Bucket=bucket.name, Key=bucket.full_key(copied.key.decode())
    )
    assert stored["Body"].read() == content
    assert stored["ContentType"] == "video/mp4"
    with pytest.raises(ConflictError):
        await mirror.copy(seen._replace(etag="other"), b"copy")
    assert not mirror.head(b"copy")
    uploads = seaweedfs.client().list_multipart_uploads(Bucket=bucket.name, Prefix=bucket.prefix)
    assert not uploads.get("Uploads")
    mirror.close()


async def test_what_a_probe_left_behind_goes_with_the_next_one(
    mirror: S3Mirror, proxy: Proxy
) -> None:
    denied = refused("403 Forbidden", "AccessDenied")
    proxy.faults.append(Fault("^POST .*delete", Harm.ANSWER, answer=denied))

    assert "may not" in await detail_of(mirror.keeps_backslashes)
    assert len(await asyncio.to_thread(listed, mirror)) == 1
    await asyncio.to_thread(mirror.keeps_backslashes)
    assert await asyncio.to_thread(listed, mirror) == []


async def test_a_store_that_does_not_list_the_probe_tells_nothing(
    mirror: S3Mirror, proxy: Proxy
) -> None:
    nothing = answer("200 OK", "<ListBucketResult></ListBucketResult>")
    proxy.faults.append(Fault(LIST, Harm.ANSWER, answer=nothing))

    assert "does not list" in await detail_of(mirror.keeps_backslashes)


async def test_a_probe_that_could_not_be_looked_for_is_removed_as_well(
    mirror: S3Mirror, proxy: Proxy
) -> None:
    denied = refused("403 Forbidden", "AccessDenied")
    proxy.faults.append(Fault(LIST, Harm.ANSWER, answer=denied))

    with pytest.raises(MediathequeError):
        await asyncio.to_thread(mirror.keeps_backslashes)
    assert await asyncio.to_thread(listed, mirror) == []


async def test_a_put_in_trouble_is_not_tried_again_once_it_is_given_up(
    mirror: S3Mirror, proxy: Proxy, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_bucket, "_PAUSES", (60.0,))
    proxy.faults.append(Fault("^PUT", Harm.ANSWER, times=10, answer=BUSY))
    given_up = threading.Event()

    def put_unless_given_up() -> None:
        with open_source(file) as source:
            mirror.put(source, b"a/object", "video/mp4", give_up=given_up)

    putting = asyncio.create_task(asyncio.to_thread(put_unless_given_up))
    while not proxy.count("^PUT"):
        await asyncio.sleep(0.01)
    given_up.set()
    with pytest.raises(SendingStoppedError):
        await asyncio.wait_for(putting, 10)
    assert proxy.count("^PUT") == 1
