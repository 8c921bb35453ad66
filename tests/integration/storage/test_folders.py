"""Looking into folders to choose from: what is shown, and what never is."""

import os
from pathlib import Path

import pytest

from mediatheque.domain.access import LOCAL_OPERATOR
from mediatheque.domain.errors import ForbiddenError, InvalidError, NotFoundError
from mediatheque.services.folders import Folder, FolderService
from mediatheque.storage.beneath import Place
from mediatheque.storage.folders import list_folder
from mediatheque.storage.sources import Reason, SourceError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root beside something that must stay unseen."""
    (tmp_path / "secret").mkdir()
    made = tmp_path / "root"
    made.mkdir()
    return made


def names(root: Path, relative: bytes = b"", *, most: int = 100) -> list[str]:
    found, _ = list_folder(Place(root, relative), most=most)
    return [entry.name + ("/" if entry.is_folder else "") for entry in found]


def test_folders_come_first_and_all_by_name_in_any_case(root: Path) -> None:
    for name in ("b", "A"):
        (root / name).mkdir()
    for name in ("d.txt", "C.txt", "a.txt"):
        (root / name).touch()

    assert names(root) == ["A/", "b/", "a.txt", "C.txt", "d.txt"]


def test_a_file_has_its_size_and_time(root: Path) -> None:
    (root / "a.bin").write_bytes(b"12345")
    os.utime(root / "a.bin", ns=(0, 1_700_000_000_123_456_789))

    (entry,), more = list_folder(Place(root, b""), most=1)

    assert (entry.size, entry.mtime_ns) == (5, 1_700_000_000_123_456_789)
    assert not more


def test_links_are_what_they_lead_to_beneath_the_root_and_nothing_else(root: Path) -> None:
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "file").write_bytes(b"12")
    (root / "sub" / "to-folder").symlink_to("deep")
    (root / "sub" / "to-file").symlink_to("../file")
    (root / "sub" / "out").symlink_to("../../secret")
    (root / "sub" / "absolute").symlink_to(root / "file")
    (root / "sub" / "dead").symlink_to("nothing")

    assert names(root, b"sub") == ["deep/", "to-folder/", "to-file"]


def test_what_is_neither_folder_nor_file_is_not_shown(root: Path) -> None:
    os.mkfifo(root / "pipe")
    (root / "file").touch()

    assert names(root) == ["file"]


@pytest.mark.parametrize(("most", "more"), [(4, True), (5, False)])
def test_of_many_the_first_are_shown(root: Path, most: int, more: bool) -> None:
    for name in ("1", "2", "3", "4"):
        (root / name).touch()
    (root / "z").mkdir()

    found, truncated = list_folder(Place(root, b""), most=most)

    assert [entry.name for entry in found] == ["z", "1", "2", "3", "4"][:most]
    assert truncated is more


def test_a_name_that_is_no_text_is_shown_and_kept_exactly(root: Path) -> None:
    (root / os.fsdecode(b"\xff.mp4")).touch()

    (entry,), _ = list_folder(Place(root, b""), most=1)

    assert entry.name == "\N{REPLACEMENT CHARACTER}.mp4"
    assert entry.place.name == b"\xff.mp4"


def test_what_is_no_folder_cannot_be_looked_into(root: Path) -> None:
    (root / "file").touch()

    with pytest.raises(SourceError) as caught:
        list_folder(Place(root, b"file"), most=1)

    assert caught.value.reason is Reason.FILE


async def look(root: Path, path: Path | str) -> Folder:
    return await FolderService([root]).look(LOCAL_OPERATOR, str(path))


async def test_above_all_roots_are_the_roots(root: Path) -> None:
    found = await look(root, "")

    assert (found.place, found.roots, found.entries) == (None, (root,), [])


async def test_a_folder_beneath_a_root_is_found_by_its_path(root: Path) -> None:
    (root / "sub" / "deep").mkdir(parents=True)

    found = await look(root, root / "sub")

    assert found.place == Place(root, b"sub")
    assert [entry.place for entry in found.entries] == [Place(root, b"sub/deep")]


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("{root}/none", NotFoundError),
        ("{root}/dead", NotFoundError),
        ("{root}/file", InvalidError),
        ("sub", InvalidError),
        ("file:///etc", InvalidError),
        ("/etc", ForbiddenError),
        ("{root}-beside", ForbiddenError),
        ("{root}/../secret", ForbiddenError),
        ("{root}/sub/..", ForbiddenError),
        ("{root}/out", ForbiddenError),
        ("/", ForbiddenError),
    ],
)
async def test_what_is_not_there_and_what_lies_outside_is_refused(
    root: Path, path: str, error: type[Exception]
) -> None:
    (root / "sub").mkdir()
    (root / "file").touch()
    (root / "dead").symlink_to("nothing")
    (root / "out").symlink_to("../secret")

    with pytest.raises(error) as caught:
        await look(root, path.format(root=root))

    assert getattr(caught.value, "field", None) == "path"


async def test_without_any_root_there_is_nothing_to_look_into(tmp_path: Path) -> None:
    service = FolderService([])

    assert (await service.look(LOCAL_OPERATOR, "")).roots == ()
    with pytest.raises(ForbiddenError, match="none is set"):
        await service.look(LOCAL_OPERATOR, str(tmp_path))
