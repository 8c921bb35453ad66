"""Where a client's text leads, and that only regular files below a root are ever read."""

import contextlib
import errno
import os
import resource
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mediatheque.domain.errors import InvalidError, UnavailableError
from mediatheque.storage.beneath import (
    O_LOOK,
    Opener,
    Place,
    best_opener,
    open_by_kernel,
    open_by_names,
)
from mediatheque.storage.sources import Reason, SourceError, SourceRoots
from tests.support.restricted import without_privileges, without_syscall
from tests.support.sources import (
    NASTY_NAMES,
    OPENERS,
    make_deep,
    meanwhile,
    open_descriptors,
    read,
    remove_tree,
)

OPENAT2 = 437
DAY_NS = 86_400_000_000_000
RENAME = """
import os, sys
while True:
    os.rename(sys.argv[1], sys.argv[1] + "-new")
    os.rename(sys.argv[1] + "-new", sys.argv[1])
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The only source root, beside a folder ``outside`` with a secret in it."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.mp4").write_bytes(b"outside")
    root = tmp_path / "root"
    (root / "folder").mkdir(parents=True)
    (root / "a.mp4").write_bytes(b"inside")
    return root


@pytest.fixture(params=OPENERS)
def sources(request: pytest.FixtureRequest, root: Path) -> SourceRoots:
    return SourceRoots([root], opener=request.param)


@pytest.fixture
def by_kernel(root: Path) -> SourceRoots:
    return SourceRoots([root], opener=open_by_kernel)


@pytest.fixture
def by_names(root: Path) -> SourceRoots:
    return SourceRoots([root], opener=open_by_names)


def located_reason(sources: SourceRoots, path: Path) -> Reason:
    with pytest.raises(SourceError) as caught:
        sources.locate(str(path))
    return caught.value.reason


def open_reason(sources: SourceRoots, place: Place) -> Reason:
    with pytest.raises(SourceError) as caught:
        sources.open(place)
    assert caught.value.detail.startswith(("There is nothing at /", "/"))
    return caught.value.reason


# Where a text leads


@pytest.mark.parametrize(
    "spelling",
    [
        "{root}/a.mp4",
        "{root}//./a.mp4",
        "file://{root}/a.mp4",
        "file://localhost{root}/a.mp4",
        "FILE://{root}/%61%2Emp4",
        "file:{root}/a.mp4",
    ],
)
def test_a_path_and_every_spelling_of_its_uri_lead_to_one_place(
    sources: SourceRoots, root: Path, spelling: str
) -> None:
    place = sources.locate(spelling.format(root=root))

    assert place == Place(root, b"a.mp4")
    assert read(sources, place) == b"inside"


@pytest.mark.parametrize("name", NASTY_NAMES)
def test_every_name_is_exact_as_a_path_and_as_a_uri(
    sources: SourceRoots, root: Path, name: bytes
) -> None:
    path = os.fsencode(root / os.fsdecode(name))
    Path(os.fsdecode(path)).write_bytes(name)

    place = sources.locate(os.fsdecode(path))

    assert place.relative == place.name == name
    assert place.path == path
    assert sources.locate(place.uri) == place
    assert place.uri.isascii()
    assert place.text.encode()
    assert read(sources, place) == name


def test_the_root_itself_is_a_place(sources: SourceRoots, root: Path) -> None:
    place = sources.locate(f"{root}/")

    assert place == Place(root, b"")
    assert place.uri == f"file://{root}"
    assert place.name == b"root"
    assert open_reason(sources, place) is Reason.FOLDER


def test_the_whole_machine_may_be_the_root(root: Path) -> None:
    sources = SourceRoots([Path("/")])

    place = sources.locate(str(root / "a.mp4"))

    assert place.path == os.fsencode(root / "a.mp4")
    assert read(sources, place) == b"inside"
    assert sources.locate("/").uri == "file:///"


def test_a_root_may_be_a_link_and_be_named_by_its_real_path_too(root: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(root)

    for opener in OPENERS:
        sources = SourceRoots([link], opener=opener)

        assert sources.locate(f"{link}/a.mp4") == Place(link, b"a.mp4")
        assert sources.locate(f"{root}/a.mp4") == Place(link, b"a.mp4")


def test_of_nested_roots_the_innermost_is_meant(root: Path) -> None:
    sources = SourceRoots([root, root / "folder"])

    assert sources.locate(f"{root}/folder") == Place(root / "folder", b"")
    assert sources.locate(f"{root}/a.mp4") == Place(root, b"a.mp4")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("http://example.org/a.mp4", "http: URIs cannot be read yet; use file:///."),
        ("s3://bucket/a.mp4", "s3: URIs cannot be read yet"),
        ("a.mp4", "a.mp4 is a relative path"),
        ("file:a.mp4", "a.mp4 is a relative path"),
        ("file://localhost", "is a relative path"),
        ("file://elsewhere/a.mp4", "names the machine elsewhere"),
        ("{root}/a\0.mp4", "NUL"),
        ("file://{root}/a%00.mp4", "NUL"),
        ("{root}/\ud800.mp4", "percent-encoded"),
        (
            "{outside}/secret.mp4",
            "secret.mp4 is not below a folder that transfers may read: {root}",
        ),
        ("{root}2/a.mp4", "is not below a folder"),
        ("/", "is not below a folder"),
        ("{root}/none.mp4", "There is nothing at {root}/none.mp4."),
        ("{root}/a.mp4/b.mp4", "There is nothing at"),
        ("{root}/" + "x" * 256, "There is nothing at"),
        ("{root}/" + "x" * 5000, "There is nothing at"),
        ("{root}/../outside/secret.mp4", "leaves the source root {root}"),
        ("{root}/folder/../../outside/secret.mp4", "leaves the source root {root}"),
        ("file://{root}/%2e%2e/outside/secret.mp4", "leaves the source root {root}"),
    ],
)
def test_a_text_that_names_nothing_below_a_root_is_refused_in_a_sentence(
    sources: SourceRoots, root: Path, text: str, says: str
) -> None:
    here = {"root": root, "outside": root.parent / "outside"}

    with pytest.raises(InvalidError) as caught:
        sources.locate(text.format(**here))

    assert says.format(**here) in caught.value.detail
    assert caught.value.detail.endswith(".")
    assert caught.value.detail.encode()


def test_without_roots_the_setting_is_named() -> None:
    with pytest.raises(InvalidError, match="MEDIATHEQUE_SOURCE_ROOTS"):
        SourceRoots([]).locate("/etc/hostname")


@pytest.mark.parametrize("target", ["../outside/secret.mp4", "{outside}/secret.mp4", "../outside"])
def test_a_link_that_leaves_the_root_is_refused_and_its_target_not_told(
    sources: SourceRoots, root: Path, target: str
) -> None:
    (root / "link").symlink_to(target.format(outside=root.parent / "outside"))

    with pytest.raises(SourceError) as caught:
        sources.locate(f"{root}/link")

    assert caught.value.reason is Reason.OUTSIDE
    assert "outside" not in caught.value.detail


def test_whether_something_is_outside_cannot_be_found_out(sources: SourceRoots, root: Path) -> None:
    (root / "link").symlink_to("../outside")

    assert located_reason(sources, root / "link" / "secret.mp4") is Reason.OUTSIDE
    assert located_reason(sources, root / "link" / "none.mp4") is Reason.OUTSIDE


def test_the_kernel_follows_what_stays_below_the_root(by_kernel: SourceRoots, root: Path) -> None:
    (root / "folder" / "link.mp4").symlink_to("../a.mp4")
    (root / "alias").symlink_to("folder")

    for path in ("folder/../a.mp4", "folder/link.mp4", "alias/link.mp4"):
        place = by_kernel.locate(f"{root}/{path}")
        assert place.relative == path.encode()
        assert read(by_kernel, place) == b"inside"


def test_renames_elsewhere_do_not_disturb_the_kernel(by_kernel: SourceRoots, root: Path) -> None:
    (root / "folder" / "other").mkdir()
    end = time.monotonic() + 0.5

    with meanwhile(RENAME, root / "folder" / "other"):
        while time.monotonic() < end:
            by_kernel.locate(f"{root}/folder/../a.mp4")


def test_the_kernel_takes_an_absolute_link_for_one_that_leaves(
    by_kernel: SourceRoots, root: Path
) -> None:
    (root / "link.mp4").symlink_to(root / "a.mp4")

    assert located_reason(by_kernel, root / "link.mp4") is Reason.OUTSIDE


@pytest.mark.parametrize("path", ["folder/../a.mp4", "link.mp4", "alias/b.mp4", "alias", "circle"])
def test_without_the_kernels_help_every_link_is_refused(
    by_names: SourceRoots, root: Path, path: str
) -> None:
    (root / "folder" / "b.mp4").touch()
    (root / "link.mp4").symlink_to("a.mp4")
    (root / "alias").symlink_to("folder")
    (root / "circle").symlink_to("circle")

    assert located_reason(by_names, root / path) is Reason.OUTSIDE
    assert open_reason(by_names, Place(root, path.encode())) is Reason.OUTSIDE


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EPERM])
def test_where_a_sandbox_or_an_old_kernel_has_no_openat2_names_are_opened_one_by_one(
    code: int,
) -> None:
    detect: Callable[[], Opener] = best_opener.__wrapped__

    assert detect() is open_by_kernel
    assert without_syscall(OPENAT2, code, detect) is open_by_names


# Opening


@pytest.mark.parametrize("size", [0, 6, 100 << 30])
def test_a_file_is_opened_as_it_is(sources: SourceRoots, root: Path, size: int) -> None:
    file = root / "some.mp4"
    file.touch()
    os.truncate(file, size)
    status = file.stat()

    with sources.open(Place(root, b"some.mp4")) as source:
        assert os.fstat(source.descriptor).st_ino == status.st_ino
        seen = source.fingerprint

    assert (seen.size, seen.inode, seen.device) == (size, status.st_ino, status.st_dev)
    assert (seen.mtime_ns, seen.ctime_ns) == (status.st_mtime_ns, status.st_ctime_ns)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(source.descriptor)


def make_fifo(root: Path) -> None:
    os.mkfifo(root / "special")


def make_socket(root: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("special")


@pytest.mark.parametrize("make", [make_fifo, make_socket])
@pytest.mark.timeout(20)
def test_a_special_file_is_located_but_neither_opened_nor_waited_for(
    sources: SourceRoots, root: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None]
) -> None:
    monkeypatch.chdir(root)
    make(root)

    place = sources.locate(f"{root}/special")

    assert open_reason(sources, place) is Reason.SPECIAL


def test_a_link_to_a_special_file_is_as_special(by_kernel: SourceRoots, root: Path) -> None:
    os.mkfifo(root / "fifo")
    (root / "link").symlink_to("fifo")

    assert open_reason(by_kernel, Place(root, b"link")) is Reason.SPECIAL


def test_whoever_waits_for_a_reader_of_a_fifo_goes_on_waiting(
    sources: SourceRoots, root: Path
) -> None:
    fifo = root / "fifo"
    os.mkfifo(fifo)
    with ThreadPoolExecutor(1) as thread:
        writer = thread.submit(os.open, fifo, os.O_WRONLY)
        time.sleep(0.05)
        assert open_reason(sources, Place(root, b"fifo")) is Reason.SPECIAL
        time.sleep(0.05)
        still_waiting = not writer.done()
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        os.close(writer.result(10))
        os.close(reader)

    assert still_waiting


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.timeout(20)
def test_a_fifo_that_takes_a_files_name_at_the_last_moment_is_not_waited_for(
    root: Path, opener: Opener
) -> None:
    def late(folder: int, path: bytes, flags: int, *, follow_links: bool) -> int:
        if flags & O_LOOK != O_LOOK:
            (root / "a.mp4").unlink()
            os.mkfifo(root / "a.mp4")
        return opener(folder, path, flags, follow_links=follow_links)

    before = open_descriptors()

    assert open_reason(SourceRoots([root], opener=late), Place(root, b"a.mp4")) is Reason.SPECIAL
    assert open_descriptors() == before


@pytest.mark.parametrize("opener", OPENERS)
def test_a_device_is_not_read(opener: Opener) -> None:
    sources = SourceRoots([Path("/dev")], opener=opener)

    assert open_reason(sources, sources.locate("/dev/zero")) is Reason.SPECIAL


def test_what_is_gone_or_leads_nowhere_is_missing(by_kernel: SourceRoots, root: Path) -> None:
    (root / "dangling").symlink_to("none.mp4")
    (root / "circle").symlink_to("circle")

    for name in (b"none.mp4", b"none/none.mp4", b"dangling", b"circle"):
        assert open_reason(by_kernel, Place(root, name)) is Reason.MISSING
    assert open_reason(by_kernel, Place(root / "none", b"a.mp4")) is Reason.MISSING


def test_a_file_without_permission_is_unreadable_and_the_reason_told(
    sources: SourceRoots, root: Path
) -> None:
    (root / "a.mp4").chmod(0)
    place = sources.locate(f"{root}/a.mp4")

    with pytest.raises(SourceError, match=r"a\.mp4 cannot be read: Permission denied\.") as caught:
        without_privileges(lambda: sources.open(place))

    assert caught.value.reason is Reason.UNREADABLE


def test_a_file_in_a_closed_folder_cannot_even_be_located(sources: SourceRoots, root: Path) -> None:
    (root / "folder" / "b.mp4").touch()
    (root / "folder").chmod(0)

    reason = without_privileges(lambda: located_reason(sources, root / "folder" / "b.mp4"))

    assert reason is Reason.UNREADABLE


def test_a_file_that_became_a_link_to_the_outside_is_not_read(
    sources: SourceRoots, root: Path
) -> None:
    place = sources.locate(f"{root}/a.mp4")
    (root / "a.mp4").unlink()
    (root / "a.mp4").symlink_to("../outside/secret.mp4")

    assert open_reason(sources, place) is Reason.OUTSIDE


@pytest.mark.parametrize(("name", "levels"), [(b"d" * 255, 40), (b"d", 3000)])
def test_a_path_longer_than_a_call_takes_is_opened(
    sources: SourceRoots, root: Path, name: bytes, levels: int
) -> None:
    path = make_deep(root, name, levels, b"deep")
    assert len(path) > 4096

    try:
        place = sources.locate(str(root / os.fsdecode(path)))
        assert place == Place(root, path)
        assert read(sources, place) == b"deep"
    finally:
        remove_tree(root)


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """No new descriptor can be opened by this process in this block."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_process_without_descriptors_does_not_blame_the_file(
    sources: SourceRoots, root: Path
) -> None:
    with pytest.raises(UnavailableError, match="ulimit"), no_descriptors():
        sources.open(Place(root, b"a.mp4"))
    with pytest.raises(UnavailableError, match="ulimit"), no_descriptors():
        next(sources.walk(Place(root, b"a.mp4")))


def test_no_descriptor_is_left_open(sources: SourceRoots, root: Path) -> None:
    (root / "link").symlink_to("../outside")
    os.mkfifo(root / "fifo")
    before = open_descriptors()

    for path in (b"a.mp4", b"none/none", b"link/secret.mp4", b"fifo", b"folder", b"a.mp4/b", b""):
        for _ in range(3):
            try:
                sources.open(Place(root, path)).close()
            except SourceError:
                assert path != b"a.mp4"

    assert open_descriptors() == before


# Changes while a file is read


def append(file: Path) -> None:
    with file.open("ab") as end:
        end.write(b"more")


def shorten(file: Path) -> None:
    os.truncate(file, 3)


def overwrite(file: Path) -> None:
    with file.open("r+b") as start:
        start.write(b"INSIDE")


def overwrite_and_set_the_clock_back(file: Path) -> None:
    mtime = file.stat().st_mtime_ns
    overwrite(file)
    os.utime(file, ns=(mtime, mtime))


def overwrite_and_remove(file: Path) -> None:
    overwrite(file)
    file.unlink()


def leave_alone(file: Path) -> None:
    file.read_bytes()


def replace(file: Path) -> None:
    new = file.with_name("new")
    new.write_bytes(b"another")
    new.rename(file)


@pytest.mark.parametrize(
    "change", [append, shorten, overwrite, overwrite_and_set_the_clock_back, overwrite_and_remove]
)
def test_a_change_of_the_bytes_is_noticed(
    sources: SourceRoots, root: Path, change: Callable[[Path], None]
) -> None:
    file = root / "a.mp4"
    yesterday = file.stat().st_mtime_ns - DAY_NS
    os.utime(file, ns=(yesterday, yesterday))
    time.sleep(0.02)  # beyond a tick of the kernel's clock, for ctime

    with sources.open(Place(root, b"a.mp4")) as source:
        assert not source.changed()
        change(file)
        assert source.changed()


@pytest.mark.parametrize("keep", [leave_alone, Path.unlink, replace])
def test_a_file_that_loses_its_name_is_still_whole(
    sources: SourceRoots, root: Path, keep: Callable[[Path], None]
) -> None:
    with sources.open(Place(root, b"a.mp4")) as source:
        time.sleep(0.02)
        keep(root / "a.mp4")

        assert not source.changed()
        assert os.read(source.descriptor, 100) == b"inside"


def test_a_folder_below_the_root_is_there_or_missing(sources: SourceRoots, root: Path) -> None:
    (root / "folder" / "inner").mkdir()

    for path in (b"", b"folder", b"folder/inner"):
        assert sources.is_there(sources.place(path))
    for path in (b"none", b"folder/none/deeper", b"a.mp4/below-a-file", b"n" * 300):
        assert not sources.is_there(sources.place(path))


def test_a_folder_that_a_link_leads_to_is_there(root: Path) -> None:
    (root / "link").symlink_to("folder")
    sources = SourceRoots([root], opener=open_by_kernel)

    assert sources.is_there(sources.place(b"link"))
    assert not sources.is_there(sources.place(b"link/none"))


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (b"a.mp4", Reason.FILE),
        (b"fifo", Reason.SPECIAL),
        (b"outside", Reason.OUTSIDE),
        (b"outside/none", Reason.OUTSIDE),
        (b"folder/../../outside", Reason.OUTSIDE),
        (b"to-nothing", Reason.DANGLING),
        (b"to-nothing/below", Reason.DANGLING),
        (b"to-itself", Reason.DANGLING),
        (b"folder/to-deeper-nothing/below", Reason.DANGLING),
    ],
)
def test_what_is_no_folder_or_cannot_be_followed_is_never_missing(
    root: Path, path: bytes, reason: Reason
) -> None:
    os.mkfifo(root / "fifo")
    (root / "outside").symlink_to("../outside")
    (root / "to-nothing").symlink_to("unmounted/videos")
    (root / "to-itself").symlink_to("to-itself")
    (root / "folder" / "to-deeper-nothing").symlink_to("../none")

    for opener in OPENERS:
        sources = SourceRoots([root], opener=opener)
        with pytest.raises(SourceError) as caught:
            sources.is_there(sources.place(path))
        refused = opener is open_by_names and reason is Reason.DANGLING
        assert caught.value.reason is (Reason.OUTSIDE if refused else reason)


@pytest.mark.parametrize("path", ["", "folder", "folder/inner", "folder/none"])
def test_a_folder_that_cannot_be_seen_is_never_missing(
    sources: SourceRoots, root: Path, path: str
) -> None:
    (root / "folder" / "inner").mkdir()
    closed = root if path == "" else root / "folder"
    closed.chmod(0)
    try:
        with pytest.raises(SourceError) as caught:
            without_privileges(lambda: sources.is_there(sources.place(path.encode())))
    finally:
        closed.chmod(0o755)

    assert caught.value.reason is Reason.UNREADABLE


@pytest.mark.parametrize("path", [b"", b"folder", b"none"])
def test_without_its_root_nothing_is_missing(sources: SourceRoots, root: Path, path: bytes) -> None:
    root.rename(root.with_name("unmounted"))

    with pytest.raises(SourceError, match=rf"^There is nothing at {root}\.$"):
        sources.is_there(sources.place(path))

    root.write_bytes(b"a file")
    with pytest.raises(SourceError, match=rf"^{root} is not a folder\.$"):
        sources.is_there(sources.place(path))
