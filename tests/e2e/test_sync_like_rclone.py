"""A sync leaves in a bucket what ``rclone sync`` of the same folder leaves in another one."""

import os
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import door_two
from tests.support.rclone import rclone
from tests.support.seaweedfs import SeaweedFS
from tests.support.service import Service, running

NASTY = (
    "with space",
    "pl+us",
    "que?ry",
    "per%cent",
    "per%41cent",
    "ha#sh",
    "am&p",
    "quo'te",
    'dou"ble',
    "less<than>",
    "semi;colon",
    "co:lon",
    "sta*r",
    "pi|pe",
    "til~de",
    "$dollar",
    "new\nline",
    "ta\tb",
    "return\rreturn",
    "bell\a",
    "one\x01",
    "delete\x7f",
    ".leading dot",
    "..two dots",
    "trailing dot.",
    "trailing dots..",
    " leading space",
    "trailing space ",
    "...",
    unicodedata.normalize("NFC", "é-composed"),
    unicodedata.normalize("NFD", "é-decomposed"),
    unicodedata.normalize("NFC", "Ångström"),
    unicodedata.normalize("NFD", "Ångström"),
    "Case",
    "case",
    "\N{SMILING FACE WITH OPEN MOUTH}",
    "\N{ZERO WIDTH SPACE}",
    "n" * 255,
    "é" * 127,
    "/".join(["d" * 99] * 9),
    "a-b",
    "a.txt",
    "a0",
    "a/x",
    "nested/with space/pl+us/que?ry",
)


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="module")
def syncing(tmp_path_factory: pytest.TempPathFactory, uploads: Path) -> Iterator[Service]:
    settings = {
        "MEDIATHEQUE_UPLOADS_ROOT": str(uploads),
        "MEDIATHEQUE_WORKERS": "1",
        "MEDIATHEQUE_SYNC_DELETE_COUNT": "10000",
    }
    with running(tmp_path_factory.mktemp("syncing") / "data", settings) as service:
        yield service


Both = Callable[[], dict[str, Any]]


@pytest.fixture
def folder(uploads: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    made = uploads / request.node.name.replace("[", "-").replace("]", "")
    made.mkdir()
    yield made
    shutil.rmtree(made)


@pytest.fixture
def both(folder: Path, syncing: Service, seaweedfs: SeaweedFS) -> Both:
    """Mirror the folder with both programs, compare, and return our sync."""
    name = folder.name.replace("_", "-")[:40].rstrip("-")
    ours, theirs = f"o-{name}", f"t-{name}"

    def mirror() -> dict[str, Any]:
        done = sync(syncing, seaweedfs, folder.name, ours)
        assert done["status"] == "success", done
        rclone(seaweedfs, "sync", folder, theirs)
        assert listing(seaweedfs, ours) == listing(seaweedfs, theirs)
        rclone(seaweedfs, "check", folder, ours)
        return dict(done)

    return mirror


def sync(service: Service, store: SeaweedFS, source: str, bucket: str) -> Any:
    return door_two.sync(service, door_two.parameters(store, source, bucket))


def listing(store: SeaweedFS, bucket: str) -> dict[str, tuple[int, str]]:
    pages = store.client().get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {
        found["Key"]: (found["Size"], found["ETag"])
        for page in pages
        for found in page.get("Contents", [])
    }


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def planned(done: dict[str, Any]) -> dict[str, int]:
    return {
        action: done["plan"][action]["files"]
        for action in ("upload", "copy", "update", "delete", "skip")
    }


def test_every_name_that_a_file_can_have(folder: Path, both: Both) -> None:
    for name in NASTY:
        write(folder / name, f"the content of {name}")
    done = both()
    assert planned(done)["upload"] == len(NASTY)
    again = both()
    assert planned(again) == {
        "upload": 0, "copy": 0, "update": 0, "delete": 0, "skip": len(NASTY),
    }  # fmt: skip


def test_whatever_happens_to_files(folder: Path, both: Both) -> None:
    for name in ("kept", "larger", "same size", "touched", "deleted", "gone/deep/below", "moved"):
        write(folder / name, f"first {name}")
    write(folder / "file then folder", "a file")
    write(folder / "folder then file/inside", "in a folder")
    write(folder / "empty", "")
    (folder / "empty folder/below").mkdir(parents=True)
    both()

    write(folder / "new", "new")
    write(folder / "larger", "it has grown since")
    write(folder / "same size", "fIRST SAME SIZE")
    os.utime(folder / "touched")
    (folder / "deleted").unlink()
    shutil.rmtree(folder / "gone")
    (folder / "moved").rename(folder / "elsewhere")
    (folder / "file then folder").unlink()
    write(folder / "file then folder/inside", "now in a folder")
    shutil.rmtree(folder / "folder then file")
    write(folder / "folder then file", "now a file")
    done = both()
    assert planned(done) == {"upload": 3, "copy": 1, "update": 2, "delete": 5, "skip": 3}


def test_links_and_special_files(folder: Path, both: Both, tmp_path: Path) -> None:
    write(folder / "file", "a file")
    write(tmp_path / "outside", "not ours to read")
    (folder / "inside").symlink_to("file")
    (folder / "outside").symlink_to(tmp_path / "outside")
    (folder / "folder").symlink_to(tmp_path)
    (folder / "dangling").symlink_to("nowhere")
    (folder / "loop").symlink_to("loop")
    (folder / "circle").mkdir()
    (folder / "circle/up").symlink_to("..")
    os.mkfifo(folder / "fifo")
    done = both()
    assert planned(done)["upload"] == 1
    assert done["plan"]["ignored"] == 7


def test_more_files_than_a_page_of_the_listing(folder: Path, both: Both) -> None:
    for number in range(1050):
        write(folder / f"{number % 7}/{number:04}", f"{number}")
    both()
    for number in range(0, 1050, 50):
        (folder / f"{number % 7}/{number:04}").unlink()
    assert planned(both()) == {"upload": 0, "copy": 0, "update": 0, "delete": 21, "skip": 1029}


def test_a_backslash_is_kept_as_the_store_keeps_it(
    folder: Path, syncing: Service, seaweedfs: SeaweedFS
) -> None:
    write(folder / "back\\slash", "SeaweedFS takes it for a slash")
    write(folder / "other", "other")
    done = sync(syncing, seaweedfs, folder.name, "backslash-ours")
    assert done["status"] == "success", done
    rclone(seaweedfs, "sync", folder, "backslash-theirs")
    assert listing(seaweedfs, "backslash-ours") == listing(seaweedfs, "backslash-theirs")
    # Where rclone would now upload it again and then delete what it uploaded.
    again = sync(syncing, seaweedfs, folder.name, "backslash-ours")
    assert planned(again) == {"upload": 0, "copy": 0, "update": 0, "delete": 0, "skip": 2}
    assert len(listing(seaweedfs, "backslash-ours")) == 2
