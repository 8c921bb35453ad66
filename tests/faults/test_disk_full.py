"""The disk of the local store runs full: clients are told, nothing is kept, space comes back."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx
import pytest

from tests.faults.clients import (
    FORM_HEADERS,
    announce,
    confirm,
    content_of,
    form_of,
    listed_files,
    listed_medias,
    pieces_of,
    put,
    upload,
)
from tests.faults.remains import files_in, in_use, stored, upload_rows, wait_until
from tests.faults.victim import Victim, running
from tests.support import door_uploads as tus
from tests.support.door_one import (
    add,
    arrived,
    check_added,
    check_error,
    complete,
    create,
    position,
    wait_for_end,
)
from tests.support.films import make_recording

DISK_BYTES = 16 << 20
FITS = content_of("fits", 2_000_000)
TOO_MUCH = content_of("too much", 20_000_000)
FILM = make_recording("h264")

# An ordinary user may mount in a user namespace of its own, and keeps its account in there.
_OWN_USERS = [] if os.geteuid() == 0 else ["--user", "--map-current-user", "--keep-caps"]
_MOUNT = 'mount -t tmpfs -o "size=$0" tmpfs "$1" && shift && exec "$@"'


def on_small_disk(folder: Path) -> list[str]:
    """Return what to put before a command so that it alone sees a small disk at ``folder``."""
    shell = ["sh", "-c", _MOUNT, str(DISK_BYTES), str(folder)]
    return ["unshare", *_OWN_USERS, "--mount", *shell]


@cache
def can_mount() -> bool:
    """Tell whether this machine lets us mount in a namespace of our own."""
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run([*on_small_disk(Path("/mnt")), "true"], capture_output=True, check=False)
    return tried.returncode == 0


@dataclass(frozen=True)
class SmallDisk:
    """A service whose store is a small disk of its own, and that disk as the service sees it."""

    service: Victim
    folder: Path

    @property
    def free_bytes(self) -> int:
        """How many bytes the disk can still take."""
        status = os.statvfs(self.folder)
        return status.f_bavail * status.f_frsize

    def is_clean(self) -> bool:
        """Tell whether the disk holds nothing but medias."""
        return upload_rows(self.service) == 0 and files_in(self.folder) == in_use(self.service)


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDisk]:
    """One service with a disk of 16 MiB, none of it reserved."""
    if not can_mount():
        pytest.skip("this machine does not permit mounting in a namespace of one's own (unshare)")
    home = tmp_path_factory.mktemp("disk")
    folder = home / "store"
    folder.mkdir()
    settings = {
        "MEDIATHEQUE_STORAGE_URL": folder.as_uri(),
        "MEDIATHEQUE_RESERVED_SPACE": "0",
    }
    with running(home / "data", settings, wrapper=on_small_disk(folder)) as service:
        assert service.process is not None
        seen = Path(f"/proc/{service.process.pid}/root") / folder.relative_to("/")
        yield SmallDisk(service, seen)


@pytest.mark.parametrize("announced", [True, False], ids=["Content-Length", "chunked"])
def test_a_media_that_does_not_fit_is_507_and_gives_its_space_back(
    small_disk: SmallDisk, announced: bool
) -> None:
    http, before = small_disk.service.http, small_disk.free_bytes
    form = form_of(TOO_MUCH)
    body = form if announced else pieces_of(form)

    answer = http.post("/medias/files/large", content=body, headers=FORM_HEADERS)

    assert answer.status_code == 507
    (error,) = answer.json()["errors"]
    assert error["status"] == "507"
    assert "room" in error["detail"]
    assert str(small_disk.service.data_dir.parent) not in answer.text
    wait_until(small_disk.is_clean)
    assert small_disk.free_bytes == pytest.approx(before, abs=64 << 10)
    assert "large" not in listed_medias(http)
    assert upload(http, f"small-{announced}", FITS).status_code == 200
    assert http.get(f"/medias/files/small-{announced}").content == FITS


@pytest.mark.parametrize("announced", [True, False], ids=["Content-Length", "chunked"])
def test_a_file_that_does_not_fit_is_507_and_gives_its_space_back(
    small_disk: SmallDisk, announced: bool
) -> None:
    http, before = small_disk.service.http, small_disk.free_bytes
    ticket = announce(http, "large", len(TOO_MUCH))
    body: bytes | Iterator[bytes] = TOO_MUCH if announced else pieces_of(TOO_MUCH)

    answer = httpx.put(ticket.url, content=body, trust_env=False, timeout=60)

    assert answer.status_code == 507
    assert list(answer.json()) == ["error"]
    assert "room" in answer.json()["error"]
    assert confirm(http, ticket).status_code == 400
    wait_until(lambda: files_in(small_disk.folder) == in_use(small_disk.service))
    assert small_disk.free_bytes == pytest.approx(before, abs=64 << 10)
    assert ticket.id not in listed_files(http)
    given_up = {"id": ticket.id, "success": False}
    assert http.post("/api/file/confirmUpload", json=given_up).status_code == 200
    assert small_disk.is_clean()


@contextlib.contextmanager
def full(small_disk: SmallDisk) -> Iterator[None]:
    """Let another program fill the disk for the block."""
    ballast = small_disk.folder / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(1 << 16)):
            pass
    try:
        assert small_disk.free_bytes == 0
        yield
    finally:
        ballast.unlink()


def test_a_disk_that_another_program_filled_keeps_the_service_up_until_there_is_room(
    small_disk: SmallDisk,
) -> None:
    http = small_disk.service.http
    with full(small_disk):
        assert upload(http, "no-room", FITS).status_code == 507
        ready = http.get("/ready")
        assert ready.status_code == 503
        assert ready.json()["status"] == "unavailable"
        assert http.get("/health").status_code == 200
        assert listed_medias(http) is not None
        for resource in listed_medias(http):
            assert http.get(f"/medias/files/{resource}").content == FITS
    # A worker whose sign of life the full disk did not take gives the next one soon.
    wait_until(lambda: http.get("/ready").status_code == 200)
    assert upload(http, "room-again", FITS).status_code == 200
    assert small_disk.is_clean()


def test_a_recording_whose_chunk_does_not_fit_keeps_the_others_and_goes_on_when_there_is_room(
    small_disk: SmallDisk,
) -> None:
    service, before = small_disk.service, small_disk.free_bytes
    first, last = FILM[:1001], FILM[1001:]
    video_id = create(service)
    with full(small_disk):
        check_refused(service, video_id, first, kept=b"", chunks=0)
    check_added(add(service, video_id, first, Chunk_Index=0), chunks=1)
    with full(small_disk):
        check_refused(service, video_id, last, kept=first, chunks=1)
    check_refused(service, video_id, TOO_MUCH, kept=first, chunks=1)
    assert small_disk.free_bytes == pytest.approx(before, abs=64 << 10)
    check_added(add(service, video_id, last, Chunk_Index=1), chunks=2)
    complete(service, video_id)
    assert wait_for_end(service, video_id) == {"status": "complete"}
    assert service.http.get(f"/medias/files/{video_id}").content == FILM
    assert small_disk.is_clean()


def check_refused(
    service: Victim, video_id: str, chunk: bytes, *, kept: bytes, chunks: int
) -> None:
    """Check that a chunk does not fit, and that those before it are there all the same."""
    check_error(add(service, video_id, chunk, Chunk_Index=chunks), 507, says="room")
    assert position(service.http.get(f"/check_status/{video_id}/")) == (chunks, len(kept))
    if kept:
        assert arrived(service, video_id) == kept


def test_an_upload_whose_rest_does_not_fit_keeps_what_did_and_goes_on_when_there_is_room(
    small_disk: SmallDisk,
) -> None:
    service = small_disk.service
    path = tus.create(service, len(FITS))
    tus.check_added(tus.patch(service, path, FITS[:999_999]), 999_999)
    with full(small_disk):
        refused = tus.patch(service, path, FITS[999_999:], 999_999)
        tus.check_error(refused, 507, says="room")
        tus.check_offset(tus.look(service, path), 999_999, length=len(FITS))
    tus.check_added(tus.patch(service, path, FITS[999_999:], 999_999), len(FITS))
    tus.check_bytes(service, path, FITS)
    assert small_disk.is_clean()


def test_an_upload_that_is_too_large_for_the_disk_gives_its_space_back_when_it_is_given_up(
    small_disk: SmallDisk,
) -> None:
    service, before = small_disk.service, small_disk.free_bytes
    path = tus.create(service, len(TOO_MUCH))
    tus.check_error(tus.patch(service, path, TOO_MUCH), 507, says="room")
    kept = int(tus.look(service, path).headers["upload-offset"])
    assert before // 4 < kept < before
    assert tus.delete(service, path).status_code == 204
    wait_until(small_disk.is_clean)
    assert small_disk.free_bytes == pytest.approx(before, abs=64 << 10)


def test_uploads_that_cannot_be_put_together_on_a_full_disk_can_when_there_is_room(
    small_disk: SmallDisk,
) -> None:
    service = small_disk.service
    parts = [tus.partial(service, FITS[:1000]), tus.partial(service, FITS[1000:])]
    named = "final;" + " ".join(parts)
    with full(small_disk):
        tus.check_error(tus.post(service, Upload_Concat=named), 507, says="room")
    path = tus.path_of(tus.post(service, Upload_Concat=named))
    tus.check_bytes(service, path, FITS)
    wait_until(small_disk.is_clean)


def test_reserved_space_is_never_given_to_uploads(tmp_path: Path) -> None:
    with running(tmp_path / "data", {"MEDIATHEQUE_WORKERS": "1"}) as service:
        service.stop()
        service.settings["MEDIATHEQUE_RESERVED_SPACE"] = str(1 << 60)
        service.start()
        media = upload(service.http, "small", b"small")
        assert media.status_code == 507
        assert media.json()["errors"][0]["status"] == "507"
        for _ in range(10):  # what was refused must not keep the next from being answered
            assert upload(service.http, "large", FITS).status_code == 507
            large = announce(service.http, "large", len(FITS))
            assert put(service.http, large, FITS).status_code == 507
            given_up = {"id": large.id, "success": False}
            answer = service.http.post("/api/file/confirmUpload", json=given_up)
            assert answer.status_code == 200
        ticket = announce(service.http, "small", 5)
        file = put(service.http, ticket, b"small")
        assert file.status_code == 507
        assert list(file.json()) == ["error"]

        ready = service.http.get("/ready")
        assert ready.status_code == 503
        assert ready.json()["checks"]["disk"] != "ok"
        assert ready.json()["checks"]["database"] == ready.json()["checks"]["store"] == "ok"
        assert service.http.get("/health").status_code == 200
        assert listed_medias(service.http) == set()
        assert stored(service) == set()
