"""What every mirror must do: the sentences of ``mediatheque.storage.mirrors``, one by one."""

import contextlib
import random
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from blake3 import blake3

from mediatheque.domain.errors import ConflictError, NotFoundError
from mediatheque.domain.sync_plan import BucketEntry
from mediatheque.storage.folder_mirror import FolderMirror
from mediatheque.storage.keys import BUCKETS
from mediatheque.storage.mirrors import (
    SMALL_BYTES,
    BlockedError,
    Mirror,
    Put,
    TooLateError,
    UnorderedError,
    UnstorableError,
)
from mediatheque.storage.pace import Pace, SendingStoppedError
from mediatheque.storage.s3_bucket import S3Bucket
from mediatheque.storage.s3_keys import S3Keys
from mediatheque.storage.s3_mirror import S3Mirror, S3PrefixMirror
from mediatheque.storage.sending import SourceChangedError
from tests.support.seaweedfs import SeaweedFS
from tests.support.sending import Recorder, open_source

KIB = 1 << 10
MIB = 1 << 20
TYPE = "application/octet-stream"
# Two parts of a multipart upload, and no multiple of anything.
LARGE = random.Random(5).randbytes(9 * MIB + 321)
NASTY_NAMES = [
    "plain.txt",
    "no-extension",
    "caf\u00e9",
    "cafe\u0301",
    "CASE",
    "case",
    "\U0001f600",
    "two words",
    " first",
    "last ",
    ".hidden",
    "ends.",
    "..two",
    "...",
    "a+b",
    "a b",
    "a%2Bb",
    "100%",
    "what?",
    "#1",
    "this & that",
    "it's",
    'a "quote"',
    "<tag>",
    "[x]{y}^|`~$@!*(),;=:",
    "line\nfeed",
    "carriage\rreturn",
    "tab\tstop",
    "control\x01\x1f",
    "delete\x7f",
    "next\u0085line",
    "separator\u2028",
    "\ufffe\uffff\ufffd",
    "x" * 255,
    "/".join(["d" * 99] * 9),
    "-rf",
    "folder/.x",
    "folder/..x",
]


@dataclass
class Kind:
    """A mirror under test, what is known of it, and a way to read objects past it."""

    mirror: Mirror
    read: Callable[[bytes], bytes]
    lists_in_order: bool
    keeps_folders: bool
    many: int = 1010
    """How many objects are more than a page of its listings, and than it deletes at once."""


@pytest.fixture(params=["s3", "prefix", "folder"])
def kind(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Kind]:
    if request.param == "folder":
        yield from open_folder(tmp_path / "store")
    else:
        server: SeaweedFS = request.getfixturevalue("seaweedfs")
        open_kind = open_bucket if request.param == "s3" else open_prefix
        yield from open_kind(server, monkeypatch)


def open_folder(store: Path) -> Iterator[Kind]:
    store.mkdir()
    folder = store / BUCKETS / "mirror"
    mirror = FolderMirror(store, "mirror", durable=False)

    def read(key: bytes) -> bytes:
        return (folder / key.decode()).read_bytes()

    yield Kind(mirror, read, lists_in_order=True, keeps_folders=True)
    mirror.close()


def open_bucket(server: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kind]:
    """Open a bucket of its own, with keys that were given rather than found."""
    for name in server.environment:
        monkeypatch.delenv(name, raising=False)
    client, name = server.client(), f"mirror-{uuid.uuid4().hex[:12]}"
    keys = S3Keys(server.access_key, server.secret_key)
    mirror = S3Mirror(S3Bucket(name, "", endpoint=server.endpoint, region=None, keys=keys))

    def read(key: bytes) -> bytes:
        return client.get_object(Bucket=name, Key=key.decode())["Body"].read()

    yield Kind(mirror, read, lists_in_order=False, keeps_folders=False)
    mirror.close()
    with contextlib.suppress(client.exceptions.NoSuchBucket):
        client.delete_bucket(Bucket=name)


def open_prefix(server: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kind]:
    """Open a prefix beside others that start like it, with the keys of the environment."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    client, prefix = server.client(), f"test/{uuid.uuid4().hex} +/{BUCKETS}mirror"
    for neighbour in (f"{prefix}-too/a", f"{prefix}.txt"):
        client.put_object(Bucket=server.bucket, Key=neighbour, Body=b"of somebody else")
    mirror = S3PrefixMirror(S3Bucket(server.bucket, prefix, endpoint=server.endpoint, region=None))

    def read(key: bytes) -> bytes:
        answer = client.get_object(Bucket=server.bucket, Key=f"{prefix}/{key.decode()}")
        return answer["Body"].read()

    # It lists and deletes as a bucket does, which is tried with many.
    yield Kind(mirror, read, lists_in_order=False, keeps_folders=False, many=30)
    mirror.close()


@pytest.fixture
def mirror(kind: Kind) -> Mirror:
    kind.mirror.create()
    return kind.mirror


@pytest.fixture
def file(tmp_path: Path) -> Callable[[bytes], Path]:
    def make(content: bytes) -> Path:
        path = tmp_path / f"source-{uuid.uuid4().hex}"
        path.write_bytes(content)
        return path

    return make


MakeFile = Callable[[bytes], Path]


def put(mirror: Mirror, path: Path, key: bytes = b"a/object") -> Put:
    with open_source(path) as source:
        return mirror.put(source, key, TYPE)


async def send(
    mirror: Mirror, path: Path, key: bytes = b"a/object", sending: Recorder | None = None
) -> Put:
    with open_source(path) as source:
        return await mirror.send(source, key, TYPE, sending or Recorder())


def listed(mirror: Mirror) -> list[BucketEntry]:
    return [entry for batch in mirror.entries(in_order=False) for entry in batch]


def listed_keys(mirror: Mirror) -> list[bytes]:
    return [entry.key for entry in listed(mirror)]


def existing(mirror: Mirror, key: bytes = b"a/object") -> BucketEntry:
    entry = mirror.head(key)
    assert entry is not None
    return entry


def test_a_bucket_that_is_not_there_has_nothing_and_may_be_removed(kind: Kind) -> None:
    mirror = kind.mirror

    assert not mirror.exists()
    assert listed(mirror) == []
    assert list(mirror.entries(in_order=True)) == []
    mirror.remove()
    assert not mirror.exists()


def test_a_bucket_is_made_once(kind: Kind, file: MakeFile) -> None:
    mirror = kind.mirror

    assert mirror.create()
    put(mirror, file(b"content"))

    assert mirror.exists()
    assert not mirror.create()
    assert listed_keys(mirror) == [b"a/object"]


def test_only_an_empty_bucket_is_removed(mirror: Mirror, file: MakeFile) -> None:
    put(mirror, file(b"content"))

    with pytest.raises(ConflictError):
        mirror.remove()
    assert listed_keys(mirror) == [b"a/object"]

    mirror.delete([b"a/object"])
    mirror.remove()
    assert not mirror.exists()


@pytest.mark.parametrize("size", [0, 1, 8 * KIB, SMALL_BYTES])
def test_what_is_put_is_the_file(kind: Kind, mirror: Mirror, file: MakeFile, size: int) -> None:
    content = LARGE[:size]

    done = put(mirror, file(content))

    assert kind.read(b"a/object") == content
    assert (done.size, done.blake3) == (size, blake3(content).hexdigest())
    assert '"' not in done.etag
    assert listed(mirror) == [BucketEntry(b"a/object", size, done.etag)]
    assert mirror.head(b"a/object") == BucketEntry(b"a/object", size, done.etag)


def test_putting_replaces_the_object_and_changes_its_etag(
    kind: Kind, mirror: Mirror, file: MakeFile
) -> None:
    before = put(mirror, file(b"before"))
    after = put(mirror, file(b"after!"))

    assert kind.read(b"a/object") == b"after!"
    assert existing(mirror).etag == after.etag != before.etag


def test_names_are_kept_to_the_byte(kind: Kind, mirror: Mirror, file: MakeFile) -> None:
    keys = [name.encode() for name in NASTY_NAMES]

    etags = {key: put(mirror, file(key), key).etag for key in keys}

    assert listed(mirror) == [BucketEntry(key, len(key), etags[key]) for key in sorted(keys)]
    assert {key: kind.read(key) for key in keys} == {key: key for key in keys}
    assert {key: existing(mirror, key).etag for key in keys} == etags


def test_of_nasty_names_exactly_those_named_are_deleted(mirror: Mirror, file: MakeFile) -> None:
    source = file(b"content")
    keys = [name.encode() for name in NASTY_NAMES]
    for key in keys:
        put(mirror, source, key)

    assert mirror.delete(keys[::2]) == []
    assert listed_keys(mirror) == sorted(keys[1::2])
    assert mirror.delete(keys[1::2]) == []
    assert listed(mirror) == []


def test_what_is_deleted_too_late_stays(mirror: Mirror, file: MakeFile) -> None:
    put(mirror, file(b"content"), b"a/object")
    with pytest.raises(TooLateError):
        mirror.delete([b"a/object"], before=time.monotonic())
    assert listed_keys(mirror) == [b"a/object"]
    assert mirror.delete([b"a/object"], before=time.monotonic() + 60) == []
    assert listed(mirror) == []


async def test_nasty_names_are_copied_from_and_to(
    kind: Kind, mirror: Mirror, file: MakeFile
) -> None:
    keys = [name.encode() for name in NASTY_NAMES]
    put(mirror, file(b"content"), b"first")
    copies = [existing(mirror, b"first")]
    for key in keys:
        copies.append(await mirror.copy(copies[-1], key))

    assert listed(mirror) == sorted(copies)
    assert kind.read(keys[-1]) == b"content"


async def test_a_nasty_name_is_sent_by_parts(kind: Kind, mirror: Mirror, file: MakeFile) -> None:
    key = "50% +#?&'\"/\x01\r\n\u00e9".encode()

    await send(mirror, file(LARGE), key)

    assert listed_keys(mirror) == [key]
    assert kind.read(key) == LARGE


def test_long_listings_are_whole_and_without_neighbours(
    kind: Kind, mirror: Mirror, file: MakeFile
) -> None:
    source = file(b"1")
    # A listing that goes on after a key whose control character was lost would skip some.
    keys = [b"f/%05d\x01" % number for number in range(kind.many)] + [b"f/00999\x02", b"g"]
    with ThreadPoolExecutor(mirror.at_once) as threads:
        list(threads.map(lambda key: put(mirror, source, key), keys))

    in_order = [entry for batch in mirror.entries(in_order=True) for entry in batch]

    assert [entry.key for entry in in_order] == sorted(keys)
    assert listed(mirror) == in_order
    assert mirror.delete(keys) == []
    assert listed(mirror) == []


def test_a_listing_that_is_not_by_bytes_is_noticed_and_can_be_sorted(
    kind: Kind, mirror: Mirror, file: MakeFile
) -> None:
    keys = [b"A/x", b"a-b", b"a.txt", b"a/x", b"a0", b"\xc3\xa9"]
    for key in keys:
        put(mirror, file(b"content"), key)

    assert listed_keys(mirror) == keys
    if kind.lists_in_order:
        assert list(mirror.entries(in_order=True)) == list(mirror.entries(in_order=False))
    else:
        with pytest.raises(UnorderedError):
            list(mirror.entries(in_order=True))


def test_a_listing_may_be_left_before_its_end(mirror: Mirror, file: MakeFile) -> None:
    put(mirror, file(b"content"))

    assert [entry.key for entry in next(mirror.entries(in_order=True))] == [b"a/object"]


def test_the_probe_for_backslashes_tells_the_truth_and_leaves_nothing(
    mirror: Mirror, file: MakeFile
) -> None:
    keeps = mirror.keeps_backslashes()

    assert listed(mirror) == []
    put(mirror, file(b"content"), b"back\\slash")
    assert listed_keys(mirror) == [b"back\\slash" if keeps else b"back/slash"]


def test_there_is_no_head_of_what_is_not_there(mirror: Mirror, file: MakeFile) -> None:
    put(mirror, file(b"content"), b"folder/object")

    assert mirror.head(b"a/object") is None
    assert mirror.head(b"folder") is None


def test_deleting_what_is_not_there_is_fine(mirror: Mirror, file: MakeFile) -> None:
    put(mirror, file(b"content"))

    assert mirror.delete([]) == []
    assert mirror.delete([b"a/other", b"no/folder", b"con\x01trol"]) == []
    assert listed_keys(mirror) == [b"a/object"]


@pytest.mark.parametrize("key", [b"\xff\xfe", b"a/" + b"x" * 1023], ids=["bytes", "long"])
async def test_what_can_be_no_key_is_refused(mirror: Mirror, file: MakeFile, key: bytes) -> None:
    source = file(b"content")
    put(mirror, source)
    entry = existing(mirror)

    with pytest.raises(UnstorableError):
        put(mirror, source, key)
    with pytest.raises(UnstorableError):
        await send(mirror, source, key)
    with pytest.raises(UnstorableError):
        await mirror.copy(entry, key)
    assert listed(mirror) == [entry]


def grow(path: Path) -> None:
    with path.open("ab") as target:
        target.write(b"more")


def shrink(path: Path) -> None:
    with path.open("r+b") as target:
        target.truncate(3)


def rewrite(path: Path) -> None:
    with path.open("r+b") as target:
        target.write(b"other")


CHANGES = pytest.mark.parametrize("change", [grow, shrink, rewrite])


@CHANGES
async def test_a_file_that_changes_while_it_is_read_is_not_stored(
    mirror: Mirror, file: MakeFile, change: Callable[[Path], None]
) -> None:
    path = file(b"some content")
    with open_source(path) as source:
        change(path)
        with pytest.raises(SourceChangedError):
            mirror.put(source, b"put", TYPE)
        with pytest.raises(SourceChangedError):
            await mirror.send(source, b"sent", TYPE, Recorder())

    assert listed(mirror) == []


@CHANGES
def test_a_file_that_changes_while_it_is_compared_is_not_judged(
    mirror: Mirror, file: MakeFile, change: Callable[[Path], None]
) -> None:
    path = file(b"some content")
    put(mirror, path)
    entry = existing(mirror)

    with open_source(path) as source:
        change(path)
        with pytest.raises(SourceChangedError):
            mirror.compare(entry, source)


@pytest.mark.parametrize("content", [b"", LARGE[: SMALL_BYTES + 1], LARGE], ids=len)
async def test_comparing_tells_equal_content_from_other(
    mirror: Mirror, file: MakeFile, content: bytes
) -> None:
    await send(mirror, file(content))
    entry = existing(mirror)
    other = content[:-1] + b"!" if content else b""

    with open_source(file(content)) as same, open_source(file(other)) as different:
        assert mirror.compare(entry, same) == (True, blake3(content).hexdigest())
        assert mirror.compare(entry, different) == (not content, blake3(other).hexdigest())


async def test_comparing_with_what_was_replaced_finds_no_equality(
    mirror: Mirror, file: MakeFile
) -> None:
    await send(mirror, file(LARGE))
    entry = existing(mirror)
    await send(mirror, file(LARGE[::-1]))

    with open_source(file(LARGE[::-1])) as source:
        assert not mirror.compare(entry, source).equal


@pytest.mark.parametrize("size", [0, 10, len(LARGE)])
async def test_what_is_sent_is_the_file(
    kind: Kind, mirror: Mirror, file: MakeFile, size: int
) -> None:
    content, sending = LARGE[:size], Recorder()

    done = await send(mirror, file(content), sending=sending)

    assert kind.read(b"a/object") == content
    assert (done.size, done.blake3) == (size, blake3(content).hexdigest())
    assert listed(mirror) == [BucketEntry(b"a/object", size, done.etag)]
    assert sending.total == size


async def stopped(mirror: Mirror, path: Path) -> list[str]:
    """Stop a sending as soon as some bytes have left; return the ids of its uploads."""
    sending = Recorder(pace=Pace(path.stat().st_size))
    sending.on_advance = lambda _: sending.stop.set()
    with pytest.raises(SendingStoppedError):
        await send(mirror, path, sending=sending)
    return sending.upload_ids


async def test_a_stopped_sending_shows_nothing_and_can_be_continued(
    kind: Kind, mirror: Mirror, file: MakeFile
) -> None:
    path = file(LARGE)
    upload_ids = await stopped(mirror, path)
    assert listed(mirror) == []

    again = Recorder(upload_id=upload_ids[-1] if upload_ids else None)
    await send(mirror, path, sending=again)

    assert kind.read(b"a/object") == LARGE
    assert again.upload_ids == []


async def test_a_stopped_sending_can_be_abandoned_more_than_once(
    mirror: Mirror, file: MakeFile
) -> None:
    for upload_id in await stopped(mirror, file(LARGE)):
        await mirror.abandon(b"a/object", upload_id)
        await mirror.abandon(b"a/object", upload_id)

    assert listed(mirror) == []
    mirror.remove()


async def test_a_copy_has_the_content_and_replaces_what_was_there(
    kind: Kind, mirror: Mirror, file: MakeFile
) -> None:
    put(mirror, file(b"content"), b"old")
    put(mirror, file(b"something else"), b"new")

    copied = await mirror.copy(existing(mirror, b"old"), b"new")

    assert copied == existing(mirror, b"new")
    assert kind.read(b"new") == kind.read(b"old") == b"content"


async def test_only_the_object_that_was_seen_is_copied(mirror: Mirror, file: MakeFile) -> None:
    put(mirror, file(b"content"))
    seen = existing(mirror)

    put(mirror, file(b"changed"))
    with pytest.raises(ConflictError):
        await mirror.copy(seen, b"copy")
    mirror.delete([b"a/object"])
    with pytest.raises(NotFoundError):
        await mirror.copy(seen, b"copy")

    assert listed(mirror) == []


@pytest.mark.parametrize(
    ("first", "second"), [(b"a", b"a/b/c"), (b"a/b/c", b"a")], ids=["below", "above"]
)
def test_an_object_and_what_lies_below_its_key_exclude_each_other_or_do_not(
    kind: Kind, mirror: Mirror, file: MakeFile, first: bytes, second: bytes
) -> None:
    source = file(b"content")
    put(mirror, source, first)
    entry = existing(mirror, first)
    assert mirror.in_the_way(second) == [entry]

    if kind.keeps_folders:
        with pytest.raises(BlockedError):
            put(mirror, source, second)
        mirror.delete([first])
        put(mirror, source, second)
    else:
        put(mirror, source, second)
        assert listed_keys(mirror) == sorted([first, second])
        mirror.delete([first])

    assert listed_keys(mirror) == [second]
    assert kind.read(second) == b"content"
