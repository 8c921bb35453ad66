"""Walking source folders that are odd, hostile, or being changed meanwhile."""

import contextlib
import os
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediatheque.storage.beneath import (
    Opener,
    Place,
    best_opener,
    open_by_kernel,
    open_by_names,
)
from mediatheque.storage.sources import SourceError, SourceRoots
from mediatheque.storage.walk import Found, FoundKind, walk
from tests.support.restricted import without_privileges
from tests.support.sources import (
    NASTY_NAMES,
    OPENERS,
    make_deep,
    meanwhile,
    open_descriptors,
    read,
    remove_tree,
)

RACE_SECONDS = 1.0
MOST_RACE_SECONDS = 30.0
SWAP = """
import os, sys
folder, outside = sys.argv[1:]
while True:
    os.rename(folder, folder + "-parked")
    os.symlink(outside, folder)
    os.unlink(folder)
    os.rename(folder + "-parked", folder)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The only source root, still empty, beside a folder ``outside`` with a secret in it."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "a.mp4").write_bytes(b"the secret outside")
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture(params=OPENERS)
def sources(request: pytest.FixtureRequest, root: Path) -> SourceRoots:
    return SourceRoots([root], opener=request.param)


def make(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(path.encode())


def kinds(found: Iterator[Found]) -> dict[bytes, FoundKind]:
    return {entry.place.relative: entry.kind for entry in found}


def test_files_are_found_with_their_size_and_time_in_the_order_of_their_paths(
    sources: SourceRoots, root: Path
) -> None:
    make(root, "b.mp4", "a/z.mp4", "a/b/c.mp4", "a/b.mp4", "a.mp4", "a0.mp4", "a-b/x.mp4", "Z/1")
    (root / "empty" / "empty").mkdir(parents=True)

    found = list(sources.walk(sources.locate(str(root))))

    paths = [entry.place.relative for entry in found]
    assert paths == sorted(paths)
    assert paths == [
        *(b"Z/1", b"a-b/x.mp4", b"a.mp4", b"a/b.mp4", b"a/b/c.mp4", b"a/z.mp4", b"a0.mp4"),
        b"b.mp4",
    ]
    for entry in found:
        assert (entry.kind, entry.problem) == (FoundKind.FILE, None)
        assert entry.size == len(entry.place.relative)
        status = (root / os.fsdecode(entry.place.relative)).stat()
        assert (entry.mtime_ns, entry.ctime_ns) == (status.st_mtime_ns, status.st_ctime_ns)
        assert entry.inode == status.st_ino
        assert read(sources, entry.place) == entry.place.relative


def test_a_walk_begins_anywhere_below_the_root(sources: SourceRoots, root: Path) -> None:
    make(root, "a/b/c.mp4", "a/d.mp4", "e.mp4")

    inner = list(sources.walk(sources.locate(f"{root}/a")))
    single = list(sources.walk(sources.locate(f"{root}/a/b/c.mp4")))

    assert [entry.place.relative for entry in inner] == [b"a/b/c.mp4", b"a/d.mp4"]
    assert [(entry.place.relative, entry.size) for entry in single] == [(b"a/b/c.mp4", 9)]


def test_every_name_is_found_exactly(sources: SourceRoots, root: Path) -> None:
    for name in NASTY_NAMES:
        (root / os.fsdecode(name)).mkdir()
        (root / os.fsdecode(name) / os.fsdecode(name)).write_bytes(name)

    found = list(sources.walk(Place(root, b"")))

    assert [entry.place.relative for entry in found] == sorted(
        name + b"/" + name for name in NASTY_NAMES
    )
    for entry in found:
        assert read(sources, sources.locate(entry.place.uri)) == entry.place.name


def make_oddities(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    make(root, "folder/file.mp4")
    os.mkfifo("fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
    for name, target in {
        "link.mp4": "folder/file.mp4",
        "to-fifo": "fifo",
        "to-folder": "folder",
        "to-itself": "to-itself",
        "to-nothing": "none",
        "to-outside": "../outside",
        "to-secret": "../outside/a.mp4",
        "to-absolute": f"{root}/folder/file.mp4",
    }.items():
        Path(name).symlink_to(target)


@pytest.mark.timeout(20)
def test_what_is_no_file_is_reported_as_what_it_is(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_oddities(root, monkeypatch)
    sources = SourceRoots([root], opener=open_by_kernel)

    found = list(sources.walk(Place(root, b"")))

    assert kinds(iter(found)) == {
        b"fifo": FoundKind.SPECIAL,
        b"folder/file.mp4": FoundKind.FILE,
        b"link.mp4": FoundKind.FILE,
        b"socket": FoundKind.SPECIAL,
        b"to-absolute": FoundKind.OUTSIDE,
        b"to-fifo": FoundKind.SPECIAL,
        b"to-folder": FoundKind.LINK_TO_FOLDER,
        b"to-itself": FoundKind.DANGLING,
        b"to-nothing": FoundKind.DANGLING,
        b"to-outside": FoundKind.OUTSIDE,
        b"to-secret": FoundKind.OUTSIDE,
    }
    for entry in found:
        if entry.kind is FoundKind.FILE:
            assert (entry.size, read(sources, entry.place)) == (15, b"folder/file.mp4")
        else:
            assert entry.problem
            assert entry.problem.startswith(f"{entry.place.text} ")
            with pytest.raises(SourceError):
                sources.open(entry.place)


@pytest.mark.timeout(20)
def test_without_the_kernels_help_no_link_is_followed_to_tell_its_kind(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_oddities(root, monkeypatch)
    sources = SourceRoots([root], opener=open_by_names)

    found = kinds(sources.walk(Place(root, b"")))

    assert found.pop(b"folder/file.mp4") is FoundKind.FILE
    assert found.pop(b"fifo") is found.pop(b"socket") is FoundKind.SPECIAL
    assert set(found.values()) == {FoundKind.OUTSIDE}


@pytest.mark.timeout(20)
def test_links_need_not_be_followed(
    sources: SourceRoots, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_oddities(root, monkeypatch)

    found = list(sources.walk(Place(root, b""), follow_links=False))

    assert kinds(iter(found)) == {
        **dict.fromkeys([b"fifo", b"socket"], FoundKind.SPECIAL),
        **dict.fromkeys([b"link.mp4", b"to-absolute", b"to-fifo", b"to-folder"], FoundKind.LINK),
        **dict.fromkeys([b"to-itself", b"to-nothing"], FoundKind.LINK),
        **dict.fromkeys([b"to-outside", b"to-secret"], FoundKind.LINK),
        b"folder/file.mp4": FoundKind.FILE,
    }
    assert {entry.problem for entry in found if entry.kind is FoundKind.LINK} >= {
        f"{root}/to-outside is a symbolic link."
    }


def test_a_folder_with_many_names_is_walked_in_order_however_few_are_held(root: Path) -> None:
    many = root / "many"
    for number in range(1500):
        name = f"{number * 7919 % 1500:04}"
        if number % 500 == 0:
            (many / f"{name}.d").mkdir(parents=True, exist_ok=True)
            (many / f"{name}.d" / "inner").touch()
        (many / name).touch()
    (root / "z").touch()
    before = open_descriptors()

    for names_in_memory in (1, 1000, 2000, 100_000):
        found = walk(Place(root, b""), best_opener(), names_in_memory=names_in_memory)
        paths = [entry.place.relative for entry in found]

        assert paths == sorted(paths)
        assert len(paths) == len(set(paths)) == 1500 + 3 + 1
        assert open_descriptors() == before


def test_a_link_to_a_folder_is_walked_when_the_client_named_it(root: Path) -> None:
    make(root, "folder/file.mp4")
    (root / "folder" / "circle").symlink_to(".")
    (root / "link").symlink_to("folder")
    sources = SourceRoots([root], opener=open_by_kernel)

    assert kinds(sources.walk(sources.locate(f"{root}/link"))) == {
        b"link/circle": FoundKind.LINK_TO_FOLDER,
        b"link/file.mp4": FoundKind.FILE,
    }


@pytest.mark.parametrize("kind", [FoundKind.VANISHED, FoundKind.OUTSIDE, FoundKind.SPECIAL])
def test_a_place_that_is_no_file_any_more_is_reported_too(
    sources: SourceRoots, root: Path, kind: FoundKind
) -> None:
    make(root, "a.mp4")
    place = sources.locate(f"{root}/a.mp4")
    (root / "a.mp4").unlink()
    if kind is FoundKind.OUTSIDE:
        (root / "a.mp4").symlink_to("../outside/a.mp4")
    if kind is FoundKind.SPECIAL:
        os.mkfifo(root / "a.mp4")

    assert list(sources.walk(place)) == [Found(place, kind)]


def test_a_closed_folder_is_reported_and_the_walk_goes_on(sources: SourceRoots, root: Path) -> None:
    make(root, "a.mp4", "closed/b.mp4", "listable/c.mp4", "z.mp4")
    (root / "closed").chmod(0)
    (root / "listable").chmod(0o400)

    found = without_privileges(lambda: kinds(sources.walk(Place(root, b""))))

    assert found == {
        b"a.mp4": FoundKind.FILE,
        b"closed": FoundKind.UNREADABLE,
        b"listable/c.mp4": FoundKind.UNREADABLE,
        b"z.mp4": FoundKind.FILE,
    }


@pytest.mark.parametrize(("name", "levels"), [(b"d" * 255, 40), (b"d", 300)])
def test_however_deep_it_goes_few_descriptors_are_open(
    sources: SourceRoots, root: Path, name: bytes, levels: int
) -> None:
    make(root, "z.mp4")
    path = make_deep(root, name, levels, b"deep")
    before = open_descriptors()
    most = 0

    try:
        found = []
        for entry in sources.walk(Place(root, b"")):
            most = max(most, open_descriptors() - before)
            found.append(entry.place.relative)
    finally:
        remove_tree(root)

    assert found == [path, b"z.mp4"]
    assert most <= 3
    assert open_descriptors() == before


def test_a_walk_that_is_given_up_leaves_no_descriptor_open(
    sources: SourceRoots, root: Path
) -> None:
    make(root, "a/b/c.mp4", "a/b/d.mp4", "e.mp4")
    before = open_descriptors()

    found = sources.walk(Place(root, b""))
    next(found)
    assert open_descriptors() > before
    del found

    assert open_descriptors() == before


def test_what_vanishes_during_the_walk_is_reported_and_the_walk_goes_on(
    sources: SourceRoots, root: Path
) -> None:
    make(root, "a/1.mp4", "a/2.mp4", "b/3.mp4", "c/d/4.mp4", "c/e.mp4", "c/f.mp4", "g.mp4")

    found = sources.walk(Place(root, b""))
    assert next(found).place.relative == b"a/1.mp4"
    (root / "a" / "2.mp4").unlink()
    shutil.rmtree(root / "b")
    gone = [next(found), next(found)]
    assert next(found).place.relative == b"c/d/4.mp4"
    shutil.rmtree(root / "c")
    rest = [*gone, *found]

    assert kinds(iter(rest)) == {
        b"a/2.mp4": FoundKind.VANISHED,
        b"b": FoundKind.VANISHED,
        b"c": FoundKind.VANISHED,
        b"g.mp4": FoundKind.FILE,
    }


def test_a_folder_that_is_swapped_for_a_link_is_not_followed_whatever_it_leads_to(
    sources: SourceRoots, root: Path
) -> None:
    make(root, "a.mp4", "b/1.mp4", "c/2.mp4", "d/3.mp4")

    found = sources.walk(Place(root, b""))
    assert next(found).place.relative == b"a.mp4"
    for name, target in (("b", "../outside"), ("c", "d")):
        shutil.rmtree(root / name)
        (root / name).symlink_to(target)
    rest = kinds(found)

    assert rest.pop(b"d/3.mp4") is FoundKind.FILE
    assert set(rest) == {b"b", b"c"}
    assert set(rest.values()) <= {FoundKind.VANISHED, FoundKind.OUTSIDE}


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("start", [b"", b"work/folder"])
def test_no_race_ever_reads_the_outside(root: Path, opener: Opener, start: bytes) -> None:
    make(root, "work/folder/a.mp4")
    inside = b"work/folder/a.mp4"
    (root / "work" / "link.mp4").symlink_to("folder/a.mp4")
    sources = SourceRoots([root], opener=opener)
    kinds_seen: set[FoundKind] = set()
    reads = 0
    begin = time.monotonic()

    def raced() -> bool:
        swapped = kinds_seen & {FoundKind.VANISHED, FoundKind.OUTSIDE}
        return FoundKind.FILE in kinds_seen and bool(swapped) and reads > 0

    with meanwhile(SWAP, root / "work" / "folder", root.parent / "outside"):
        while (spent := time.monotonic() - begin) < RACE_SECONDS or not raced():
            assert spent < MOST_RACE_SECONDS, f"no race: {kinds_seen}, {reads} files read"
            for entry in sources.walk(Place(root, start)):
                kinds_seen.add(entry.kind)
                assert entry.kind is not FoundKind.FILE or entry.size == len(inside)
            with contextlib.suppress(SourceError):
                assert read(sources, Place(root, inside)) == inside
                reads += 1
