"""Buckets that are folders: plain files, real folders, and no way out of them."""

import errno
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from blake3 import blake3

from mediatheque.domain.errors import (
    ConflictError,
    NotFoundError,
    StorageFullError,
    UnavailableError,
)
from mediatheque.domain.sync_plan import BucketEntry
from mediatheque.storage import folder_tree
from mediatheque.storage.folder_mirror import FolderMirror
from mediatheque.storage.mirrors import BlockedError, Put, UnstorableError
from mediatheque.storage.pace import SendingStoppedError
from mediatheque.storage.sending import SourceChangedError
from tests.support.restricted import without_privileges
from tests.support.sending import Recorder, open_source
from tests.support.sources import open_descriptors

MIB = 1 << 20


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The folder of the store, beside a file ``outside`` of it."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "a").write_bytes(b"outside")
    (tmp_path / "store").mkdir()
    return tmp_path / "store"


@pytest.fixture
def mirror(store: Path) -> Iterator[FolderMirror]:
    opened = FolderMirror(store, "videos")
    opened.create()
    before = open_descriptors()
    yield opened
    opened.close()
    assert open_descriptors() == before
    incoming = store / ".incoming"
    assert not incoming.exists() or list(incoming.iterdir()) == []


@pytest.fixture
def bucket(mirror: FolderMirror, store: Path) -> Path:
    return store / "buckets" / "videos"


def put(mirror: FolderMirror, key: bytes, content: bytes) -> Put:
    source = mirror._store.parent / "source"
    source.write_bytes(content)
    with open_source(source) as opened:
        return mirror.put(opened, key, "video/mp4")


def entries(mirror: FolderMirror) -> list[BucketEntry]:
    return [entry for batch in mirror.entries(in_order=True) for entry in batch]


def keys(mirror: FolderMirror) -> list[bytes]:
    return [entry.key for entry in entries(mirror)]


def seen(mirror: FolderMirror, key: bytes) -> BucketEntry:
    entry = mirror.head(key)
    assert entry is not None
    return entry


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_bucket_is_made_once_and_removed_when_it_is_empty(store: Path) -> None:
    mirror = FolderMirror(store, "videos")

    assert not mirror.exists()
    assert entries(mirror) == []
    assert mirror.create()
    assert not mirror.create()
    assert mirror.exists()
    put(mirror, b"a/b", b"1")
    with pytest.raises(ConflictError, match="still has files"):
        mirror.remove()
    assert keys(mirror) == [b"a/b"]
    mirror.delete([b"a/b"])
    (store / "buckets" / "videos" / "left" / "over").mkdir(parents=True)
    mirror.remove()
    mirror.remove()

    assert not mirror.exists()
    assert list((store / "buckets").iterdir()) == []
    mirror.close()


def test_a_store_that_is_not_mounted_has_no_missing_buckets(store: Path) -> None:
    store.rename(store.with_name("unmounted"))
    mirror = FolderMirror(store, "videos")

    for call in (mirror.exists, mirror.create, mirror.remove, lambda: entries(mirror)):
        with pytest.raises(UnavailableError, match="is not there"):
            call()
    mirror.close()


def test_a_bucket_is_never_what_a_link_leads_to(store: Path) -> None:
    (store / "buckets").mkdir()
    (store / "buckets" / "videos").symlink_to("../../outside")
    mirror = FolderMirror(store, "videos")

    assert not mirror.exists()
    with pytest.raises(ConflictError, match="is no folder"):
        mirror.create()
    with pytest.raises(UnavailableError):
        put(mirror, b"b", b"1")

    assert names_in(store.parent / "outside") == ["a"]
    mirror.close()


@pytest.mark.parametrize("durable", [True, False])
@pytest.mark.parametrize("size", [0, 1, MIB])
def test_an_object_is_a_plain_file_of_its_keys_name(store: Path, size: int, durable: bool) -> None:
    mirror = FolderMirror(store, "videos", durable=durable)
    mirror.create()
    content = os.urandom(size)

    stored = put(mirror, b"a/b/c.mp4", content)

    assert (store / "buckets/videos/a/b/c.mp4").read_bytes() == content
    assert stored == Put(size, stored.etag, blake3(content).hexdigest())
    assert entries(mirror) == [BucketEntry(b"a/b/c.mp4", size, stored.etag)]
    assert mirror.head(b"a/b/c.mp4") == entries(mirror)[0]
    assert mirror.head(b"a/b") is mirror.head(b"a/b/c.mp4/d") is mirror.head(b"a/d") is None
    mirror.close()


async def test_large_files_are_sent_at_their_pace_and_stop_when_asked(
    mirror: FolderMirror, tmp_path: Path
) -> None:
    content = os.urandom(3 * MIB + 1)
    (tmp_path / "large").write_bytes(content)
    sending, stopped = Recorder(), Recorder()
    stopped.stop.set()

    with open_source(tmp_path / "large") as source:
        with pytest.raises(SendingStoppedError):
            await mirror.send(source, b"stopped", "", stopped)
        stored = await mirror.send(source, b"large", "", sending)

    assert (stored.size, stored.blake3) == (len(content), blake3(content).hexdigest())
    assert sending.total == len(content)
    assert entries(mirror) == [BucketEntry(b"large", stored.size, stored.etag)]


def test_objects_are_listed_by_the_bytes_of_their_keys(mirror: FolderMirror, bucket: Path) -> None:
    names = [b"a.txt", b"a/b.txt", b"a0", b"A", "é".encode(), "e\u0301".encode(), b"b\\s", b" x "]
    for name in names:
        put(mirror, name, name)
    (bucket / "empty").mkdir()
    (bucket / "link").symlink_to("a.txt")
    (bucket / "folder-link").symlink_to("a")
    os.mkfifo(bucket / "fifo")

    assert keys(mirror) == sorted(names)
    assert mirror.keeps_backslashes()


def test_a_listing_that_cannot_see_everything_is_an_error(
    mirror: FolderMirror, bucket: Path
) -> None:
    put(mirror, b"closed/a", b"1")
    (bucket / "closed").chmod(0)

    with pytest.raises(UnavailableError, match="closed cannot be read"):
        without_privileges(lambda: keys(mirror))


def test_an_object_that_is_replaced_has_another_etag(mirror: FolderMirror) -> None:
    first = put(mirror, b"a", b"one")
    second = put(mirror, b"a", b"two")

    assert first.etag != second.etag
    assert entries(mirror) == [BucketEntry(b"a", 3, second.etag)]


@pytest.mark.parametrize(
    "key",
    [
        *(b"", b".", b"..", b"../outside/a", b"a/../../b", b"/a", b"a/", b"a//b", b"a/./b"),
        *(b"nul\0", b"\xff", b"n" * 256, b"d/" * 512 + b"a"),
    ],
)
def test_keys_that_no_file_or_no_bucket_can_have_are_refused(
    mirror: FolderMirror, bucket: Path, key: bytes
) -> None:
    with pytest.raises(UnstorableError):
        put(mirror, key, b"1")

    assert keys(mirror) == []


def test_the_longest_keys_are_kept(mirror: FolderMirror) -> None:
    longest = [b"n" * 255, b"d/" * 511 + b"aa", (b"m" * 255 + b"/") * 3 + b"m" * 255]

    for key in longest:
        put(mirror, key, key)

    assert keys(mirror) == sorted(longest)
    assert mirror.delete(longest) == []
    assert keys(mirror) == []


async def test_what_changes_while_it_is_read_is_not_put(
    mirror: FolderMirror, tmp_path: Path
) -> None:
    (tmp_path / "source").write_bytes(b"x" * (2 * MIB))

    def change(_total: int) -> None:
        os.truncate(tmp_path / "source", MIB)

    with open_source(tmp_path / "source") as source, pytest.raises(SourceChangedError):
        await mirror.send(source, b"a", "", Recorder(on_advance=change))

    assert keys(mirror) == []


def test_what_must_stay_free_of_the_disk_stays_free(store: Path) -> None:
    mirror = FolderMirror(store, "videos", reserved_bytes=1 << 60)
    mirror.create()

    with pytest.raises(StorageFullError):
        put(mirror, b"a", b"1")

    assert keys(mirror) == []
    mirror.close()


@pytest.mark.parametrize("other", [b"same size", b"SAME SIZE"])
def test_an_object_is_compared_by_its_content(
    mirror: FolderMirror, tmp_path: Path, other: bytes
) -> None:
    put(mirror, b"a", b"same size")
    (tmp_path / "file").write_bytes(other)

    with open_source(tmp_path / "file") as source:
        compared = mirror.compare(seen(mirror, b"a"), source)

        assert compared == (other == b"same size", blake3(other).hexdigest())
        put(mirror, b"a", other)
        stale = BucketEntry(b"a", 9, "another")
        assert not mirror.compare(stale, source).equal
        mirror.delete([b"a"])
        assert not mirror.compare(stale, source).equal


def test_deleting_tidies_up_the_folders_that_become_empty(
    mirror: FolderMirror, bucket: Path
) -> None:
    for key in (b"a/b/c/1", b"a/b/c/2", b"a/b/3", b"d/e/4", b"f"):
        put(mirror, key, key)

    refused = mirror.delete([b"a/b/c/1", b"a/b/c/2", b"d/e/4", b"none", b"f/none", b"a/b"])

    assert refused == []
    assert keys(mirror) == [b"a/b/3", b"f"]
    assert names_in(bucket) == ["a", "f"]
    assert names_in(bucket / "a" / "b") == ["3"]


def test_what_cannot_be_deleted_is_told(mirror: FolderMirror, bucket: Path) -> None:
    put(mirror, b"closed/a", b"1")
    put(mirror, b"b", b"1")
    (bucket / "closed").chmod(0o500)

    refused = without_privileges(lambda: mirror.delete([b"closed/a", b"b"]))

    assert [(each.key, "Permission denied" in each.reason) for each in refused] == [
        (b"closed/a", True)
    ]
    assert keys(mirror) == [b"closed/a"]


def test_a_file_and_a_folder_of_one_name_are_in_each_others_way(mirror: FolderMirror) -> None:
    put(mirror, b"file", b"1")
    put(mirror, b"folder/1", b"1")
    put(mirror, b"folder/deeper/2", b"1")

    for key, others in {
        b"file/below": [b"file"],
        b"file/far/below": [b"file"],
        b"folder": [b"folder/1", b"folder/deeper/2"],
    }.items():
        with pytest.raises(BlockedError):
            put(mirror, key, b"2")
        in_the_way = mirror.in_the_way(key)
        assert in_the_way == [seen(mirror, other) for other in others]
        mirror.delete([entry.key for entry in in_the_way])
        put(mirror, key, b"2")
        assert mirror.in_the_way(key) == []
        mirror.delete([key])
        put(mirror, b"file", b"1")
    assert keys(mirror) == [b"file"]


def test_empty_folders_are_in_nobodys_way(mirror: FolderMirror, bucket: Path) -> None:
    (bucket / "a" / "b" / "c").mkdir(parents=True)
    (bucket / "a" / "d").mkdir()

    put(mirror, b"a", b"1")

    assert keys(mirror) == [b"a"]


def test_no_link_in_the_bucket_leads_anything_out_of_it(
    mirror: FolderMirror, bucket: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    (bucket / "link").symlink_to(outside)
    (bucket / "a").symlink_to(outside / "a")
    entry = BucketEntry(b"link/a", 7, "")

    for key in (b"link/a", b"link/new", b"link/deeper/new"):
        with pytest.raises(BlockedError):
            put(mirror, key, b"1")
    assert mirror.head(b"link/a") is mirror.head(b"a") is None
    assert mirror.in_the_way(b"link") == mirror.in_the_way(b"link/a") == []
    assert mirror.delete([b"link/a"]) == []
    with open_source(outside / "a") as source:
        assert not mirror.compare(entry, source).equal
    with pytest.raises(ConflictError):
        mirror.remove()
    put(mirror, b"a", b"the link itself is replaced")

    assert keys(mirror) == [b"a"]
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == {"a": b"outside"}


@pytest.fixture(params=["linked", "copied"])
def copying(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How copies are made: on some file systems there are no hard links."""
    if request.param == "copied":

        def refuse(*arguments: object, **options: object) -> None:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "link", refuse)
    return str(request.param)


async def test_a_copy_has_the_content_and_lives_on_its_own(
    mirror: FolderMirror, bucket: Path, copying: str
) -> None:
    put(mirror, b"a", b"content")
    put(mirror, b"to/replace", b"old")

    for target in (b"to/copy", b"to/replace", b"a"):
        copied = await mirror.copy(seen(mirror, b"a"), target)
        assert copied == seen(mirror, target)
        assert (bucket / os.fsdecode(target)).read_bytes() == b"content"
    # Once more: a rename onto another name of the same file does nothing.
    await mirror.copy(seen(mirror, b"a"), b"to/copy")
    put(mirror, b"a", b"another")
    mirror.delete([b"to/replace"])

    assert (bucket / "to/copy").read_bytes() == b"content"
    assert (bucket / "a").read_bytes() == b"another"


async def test_only_the_very_object_that_was_seen_is_copied(
    mirror: FolderMirror, bucket: Path, copying: str
) -> None:
    put(mirror, b"a", b"content")
    entry = seen(mirror, b"a")
    put(mirror, b"a", b"CONTENT")
    (bucket / "folder").mkdir()
    (bucket / "link").symlink_to("a")

    with pytest.raises(ConflictError):
        await mirror.copy(entry, b"b")
    mirror.delete([b"a"])
    with pytest.raises(NotFoundError):
        await mirror.copy(entry, b"b")
    with pytest.raises((ConflictError, NotFoundError)):
        await mirror.copy(entry._replace(key=b"link"), b"b")
    with pytest.raises(UnstorableError):
        await mirror.copy(entry, b"../b")

    assert keys(mirror) == []


async def test_a_copy_is_blocked_as_a_put_is(mirror: FolderMirror, copying: str) -> None:
    put(mirror, b"a", b"content")
    put(mirror, b"folder/b", b"1")

    for target in (b"a/b", b"folder"):
        with pytest.raises(BlockedError):
            await mirror.copy(seen(mirror, b"a"), target)


def test_nothing_is_put_into_a_bucket_that_is_gone(mirror: FolderMirror, bucket: Path) -> None:
    shutil.rmtree(bucket)

    with pytest.raises(UnavailableError):
        put(mirror, b"a", b"1")

    assert mirror.head(b"a") is None
    assert mirror.delete([b"a"]) == []
    assert not mirror.exists()


def test_a_bucket_that_is_filled_while_it_is_removed_stays(
    mirror: FolderMirror, bucket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(_: int) -> bool:
        (bucket / "new").write_bytes(b"1")
        return True

    monkeypatch.setattr(folder_tree, "_empty", fill)

    with pytest.raises(ConflictError, match="still has files"):
        mirror.remove()
    assert keys(mirror) == [b"new"]


async def test_a_copy_does_not_need_its_temporary_name(
    mirror: FolderMirror, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(mirror, b"a", b"1")
    link = mirror._tree.link

    def link_and_sweep(path: bytes, target: Path) -> None:
        link(path, target)
        target.unlink()

    monkeypatch.setattr(mirror._tree, "link", link_and_sweep)
    copied = await mirror.copy(seen(mirror, b"a"), b"b/c")

    assert copied == seen(mirror, b"b/c")
    assert (store / "buckets/videos/b/c").read_bytes() == b"1"


def test_folders_may_come_and_go_while_others_are_filled(store: Path) -> None:
    mirrors = [FolderMirror(store, "videos", durable=False) for _ in range(2)]
    mirrors[0].create()
    source = store.parent / "source"
    source.write_bytes(b"1")

    def meddle(number: int) -> None:
        mirror = mirrors[number % 2]
        for turn in range(200):
            key = (b"a/b", b"a/c/d", b"a/c/e")[(number + turn) % 3]
            with open_source(source) as opened:
                mirror.put(opened, key, "")
            assert mirror.delete([key]) == []

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(meddle, range(4)))

    assert names_in(store / "buckets" / "videos") == names_in(store / ".incoming") == []
    for mirror in mirrors:
        mirror.close()
