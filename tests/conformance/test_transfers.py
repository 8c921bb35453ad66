"""Transfers in full: start, list, show with every file, steer."""

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from mediatheque.storage.digest import Digest
from tests.support.door_zero import (
    check_error,
    content,
    contents,
    folder,
    random_files,
    show,
    signal,
    start,
    wait,
    wait_for_end,
)
from tests.support.service import Service

FIELDS = {
    "id",
    "status",
    "sources",
    "created_at",
    "started_at",
    "finished_at",
    "progress",
    "files",
    "bytes",
    "scanned",
    "rate",
    "eta",
    "bandwidth",
    "error",
}
UNKNOWN = "01a1fc87-9655-79af-939f-09e2b6784b59"


def slow(service: Service, root: Path, *, rate: int = 100_000, count: int = 5) -> tuple[Any, Path]:
    """Start a transfer that takes long, and wait until it runs."""
    source = folder(root, random_files(count, 200_000))
    transfer = start(service, source, bandwidth=rate)
    wait(service, transfer["id"], lambda found: found["status"] == "running")
    return transfer, source


def hurry(service: Service, transfer: Any) -> None:
    service.http.patch(f"/transfers/{transfer['id']}", json={"bandwidth": None})


def preview(service: Service, *sources: str) -> httpx.Response:
    return service.http.post("/transfers/preview", json={"media_files": list(sources)})


def test_a_preview_tells_what_a_transfer_does(local_service: Service, source_root: Path) -> None:
    source = folder(source_root, {"a.txt": b"abc", "b/c.txt": b"de"})
    (source / "folder").symlink_to("b")
    (source / "gone").symlink_to("nowhere")
    (source / "hosts").symlink_to("/etc/hosts")
    before = local_service.http.get("/transfers").json()

    answer = preview(local_service, str(source / "b"), source.as_uri(), f"{source}/")

    assert answer.status_code == 200
    found = answer.json()
    assert found == {
        "files": 2,
        "bytes": 5,
        "failing": 1,
        "skipped": 2,
        "problems": found["problems"],
        "whole": True,
    }
    assert sorted(found["problems"]) == [
        f"{source}/folder is a link to a folder; such links are not followed.",
        f"{source}/gone is a link that leads nowhere.",
        f"{source}/hosts is a link that leaves its source root, or may leave it.",
    ]
    assert local_service.http.get("/transfers").json() == before
    done = wait_for_end(local_service, start(local_service, source)["id"])
    files, size = done["files"], done["bytes"]["complete"]
    assert (files["complete"], files["failed"], files["skipped"], size) == (2, 1, 2, 5)


def test_a_preview_of_what_cannot_be_transferred_is_refused(
    local_service: Service, source_root: Path
) -> None:
    missing = source_root / "nothing-of-this-name"
    answer = preview(local_service, str(missing), "/etc")
    assert answer.status_code == 400
    assert [bad["uri"] for bad in answer.json()["media_files"]] == [str(missing), "/etc"]
    check_error(preview(local_service), 400, says="media_files must name at least one")


def test_a_transfer_that_was_started_is_shown_whole(
    local_service: Service, source_root: Path
) -> None:
    source = folder(source_root, {"a.txt": b"abc"})

    transfer = start(local_service, source / "a.txt", bandwidth=10**9)

    now = datetime.now(UTC)
    assert abs(datetime.fromisoformat(transfer.pop("created_at")) - now) < timedelta(seconds=30)
    assert re.fullmatch(r"[0-9a-f-]{36}", transfer.pop("id"))
    assert transfer == {
        "status": "pending",
        "sources": [(source / "a.txt").as_uri()],
        "started_at": None,
        "finished_at": None,
        "progress": 0.0,
        "files": {"total": 0, "complete": 0, "failed": 0, "skipped": 0, "pending": 0},
        "bytes": {"total": 0, "complete": 0},
        "scanned": False,
        "rate": None,
        "eta": None,
        "bandwidth": 10**9,
        "error": None,
    }


def test_a_finished_transfer_shows_every_file(service: Service, source_root: Path) -> None:
    source = folder(source_root, {"b/ü%.txt": b"abc", "a.bin": os.urandom(20_000_000)})
    (source / "out").symlink_to("/etc/passwd")

    transfer = wait_for_end(service, start(service, source)["id"])

    assert set(transfer) == FIELDS | {"file_list", "next"}
    assert transfer["status"] == "failed"
    assert transfer["files"] == {"total": 3, "complete": 2, "failed": 1, "skipped": 0, "pending": 0}
    assert transfer["bytes"] == {"total": 20_000_003, "complete": 20_000_003}
    assert (transfer["progress"], transfer["scanned"], transfer["next"]) == (1.0, True, None)
    assert (transfer["rate"], transfer["eta"]) == (None, None)
    assert transfer["created_at"] <= transfer["started_at"] <= transfer["finished_at"]
    reason = f"{source}/out is a link that leaves its source root, or may leave it."
    assert transfer["error"] == f"1 of 3 files failed: {reason}"
    large, named, out = transfer["file_list"]
    digest = Digest()
    digest.update(b"abc")
    assert named == {
        "position": 1,
        "uri": f"{source.as_uri()}/b/%C3%BC%25.txt",
        "size": 3,
        "state": "complete",
        "bytes": 3,
        "checksum": {"crc64nvme": digest.crc64nvme, "blake3": digest.blake3},
        "error": None,
        "media_id": named["media_id"],
        "resource": named["media_id"],
    }
    assert out == {
        "position": 2,
        "uri": f"{source.as_uri()}/out",
        "size": 0,
        "state": "failed",
        "bytes": 0,
        "checksum": None,
        "error": reason,
        "media_id": None,
        "resource": None,
    }
    assert content(service, large["resource"]) == (source / "a.bin").read_bytes()


def test_every_file_is_a_media_of_the_other_doors(service: Service, source_root: Path) -> None:
    source = folder(source_root, {"clip.png": b"\x89PNG\r\n\x1a\n" + os.urandom(100)})
    transfer = wait_for_end(service, start(service, source)["id"])
    [file] = transfer["file_list"]

    media = service.http.get(f"/medias/info/{file['resource']}").json()["data"]
    listed = service.http.get("/api/file", params={"pageSize": 1000}).json()["page"]

    attributes = media["attributes"]
    assert media["id"] == file["media_id"]
    assert attributes["filename"] == "clip.png"
    assert attributes["mime_type"] == "image/png"
    assert attributes["size"] == 108
    assert attributes["checksum"] == file["checksum"]
    assert attributes["meta"]["source"]["uri"] == file["uri"]
    assert attributes["meta"]["source"]["transfer"] == transfer["id"]
    [found] = [item for item in listed if item["id"] == file["media_id"]]
    assert (found["name"], found["size"]) == ("clip.png", 108)


def test_files_come_in_pages_and_by_state(local_service: Service, source_root: Path) -> None:
    files = random_files(25, 10)
    source = folder(source_root, files)
    (source / "z").symlink_to("/etc/passwd")
    transfer = wait_for_end(local_service, start(local_service, source)["id"])

    pages = []
    address: str | None = f"/transfers/{transfer['id']}?limit=10&state=complete"
    while address:
        page = local_service.http.get(address).json()
        pages.append([file["uri"].rpartition("/")[2] for file in page["file_list"]])
        address = page["next"]

    assert [len(page) for page in pages] == [10, 10, 5]
    assert [name for page in pages for name in page] == sorted(files)
    failed = show(local_service, transfer["id"], state="failed")["file_list"]
    assert [file["uri"].rpartition("/")[2] for file in failed] == ["z"]
    assert show(local_service, transfer["id"], state="pending")["file_list"] == []
    nothing = show(local_service, transfer["id"], limit=0)
    assert (nothing["file_list"], nothing["next"]) == ([], None)


def test_transfers_are_listed_newest_first_in_pages_and_by_status(
    local_service: Service, source_root: Path
) -> None:
    started = [start(local_service, folder(source_root, {"a.txt": b"1"}))["id"] for _ in range(5)]
    for one in started:
        wait_for_end(local_service, one)
    cancelled, _ = slow(local_service, source_root)
    assert signal(local_service, cancelled["id"], "cancel").status_code == 200
    wait_for_end(local_service, cancelled["id"])

    seen: list[str] = []
    address: str | None = "/transfers?limit=2&status=complete,cancelled"
    while address and len(seen) < 6:
        page = local_service.http.get(address)
        assert page.status_code == 200
        assert set(page.json()) == {"transfers", "next"}
        seen += [transfer["id"] for transfer in page.json()["transfers"]]
        address = page.json()["next"]

    assert seen == [cancelled["id"], *reversed(started)]
    for transfer in local_service.http.get("/transfers?status=complete").json()["transfers"]:
        assert set(transfer) == FIELDS
        assert transfer["status"] == "complete"
    assert (
        local_service.http.get("/transfers?limit=1").json()["transfers"][0]["id"]
        == (cancelled["id"])
    )


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("limit=0", "limit must be a whole number from 1 to 1000"),
        ("limit=1001", "limit must be"),
        ("limit=x", "limit must be"),
        ("status=done", "status is one or more of"),
        ("after=x", "after must be the id"),
        ("state=failed", "no parameter 'state'"),
    ],
)
def test_a_list_that_cannot_be_is_400(local_service: Service, query: str, says: str) -> None:
    check_error(local_service.http.get(f"/transfers?{query}"), 400, says=says)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("limit=1001", "limit must be a whole number from 0 to 1000"),
        ("after=-1", "after must be"),
        ("state=done", "state is one of"),
        ("status=x", "no parameter 'status'"),
        ("state=a%00", "NUL"),
    ],
)
def test_a_page_of_files_that_cannot_be_is_400(
    local_service: Service, query: str, says: str
) -> None:
    check_error(local_service.http.get(f"/transfers/{UNKNOWN}?{query}"), 400, says=says)


@pytest.mark.parametrize("transfer_id", [UNKNOWN, "x", "a%00b"])
def test_an_unknown_transfer_is_404(local_service: Service, transfer_id: str) -> None:
    address = f"/transfers/{transfer_id}"
    check_error(local_service.http.get(address), 404, says="There is no transfer")
    check_error(local_service.http.patch(address, json={"bandwidth": 1}), 404, says="no transfer")
    for word in ("cancel", "pause", "resume", "retry"):
        check_error(local_service.http.post(f"{address}/{word}"), 404, says="no transfer")


def test_a_job_that_is_no_transfer_is_none(local_service: Service) -> None:
    jobs = local_service.http.get("/jobs?filter[job_class]=janitor").json()["data"]
    for job in jobs:
        check_error(local_service.http.get(f"/transfers/{job['id']}"), 404, says="no transfer")


def test_a_transfer_can_be_paused_and_resumed(local_service: Service, source_root: Path) -> None:
    transfer, source = slow(local_service, source_root)

    answer = signal(local_service, transfer["id"], "pause")

    assert answer.status_code == 200
    assert set(answer.json()) == FIELDS
    paused = wait(
        local_service, transfer["id"], lambda found: found["status"] == "paused", seconds=5
    )
    assert paused["files"]["pending"] > 0
    hurry(local_service, transfer)
    assert signal(local_service, transfer["id"], "pause").json()["status"] == "paused"
    assert signal(local_service, transfer["id"], "resume").json()["status"] == "pending"
    ended = wait_for_end(local_service, transfer["id"])
    assert ended["status"] == "complete"
    assert contents(local_service, transfer["id"], source) == {
        path.name: path.read_bytes() for path in source.iterdir()
    }


def test_a_cancelled_transfer_keeps_what_is_complete_and_can_go_on(
    local_service: Service, source_root: Path
) -> None:
    transfer, source = slow(local_service, source_root, rate=300_000)
    wait(local_service, transfer["id"], lambda found: found["files"]["complete"] > 0)

    assert signal(local_service, transfer["id"], "cancel").status_code == 200

    cancelled = wait(
        local_service, transfer["id"], lambda found: found["status"] == "cancelled", seconds=15
    )
    assert cancelled["files"]["complete"] > 0
    assert cancelled["finished_at"] is not None
    hurry(local_service, transfer)
    assert signal(local_service, transfer["id"], "retry").json()["status"] == "pending"
    ended = wait_for_end(local_service, transfer["id"])
    assert ended["files"] == {"total": 5, "complete": 5, "failed": 0, "skipped": 0, "pending": 0}
    assert len(contents(local_service, transfer["id"], source)) == 5


def test_a_retry_transfers_only_what_failed(local_service: Service, source_root: Path) -> None:
    source = folder(source_root, {"a.txt": b"1", "b.txt": b"2", "c.txt": b"3"})
    (source / "b.txt").unlink()
    (source / "b.txt").symlink_to("/etc/passwd")
    before = wait_for_end(local_service, start(local_service, source)["id"])
    assert before["files"]["failed"] == 1
    kept = {file["uri"]: file["media_id"] for file in before["file_list"] if file["media_id"]}
    (source / "b.txt").unlink()
    (source / "b.txt").write_bytes(b"mended")
    (source / "a.txt").write_bytes(b"another")

    retried = signal(local_service, before["id"], "retry").json()

    assert (retried["status"], retried["error"]) == ("pending", None)
    ended = wait_for_end(local_service, before["id"])
    assert ended["status"] == "complete"
    after = {file["uri"]: file["media_id"] for file in ended["file_list"]}
    assert after.items() >= kept.items()
    assert contents(local_service, before["id"], source) == {
        "a.txt": b"1",
        "b.txt": b"mended",
        "c.txt": b"3",
    }


def test_what_a_status_does_not_allow_is_409(local_service: Service, source_root: Path) -> None:
    complete = wait_for_end(
        local_service, start(local_service, folder(source_root, {"a.txt": b"1"}))["id"]
    )
    for word, participle in (
        ("cancel", "cancelled"),
        ("pause", "paused"),
        ("resume", "resumed"),
        ("retry", "retried"),
    ):
        check_error(
            signal(local_service, complete["id"], word),
            409,
            says=f"A transfer that is complete cannot be {participle}.",
        )
    running, _ = slow(local_service, source_root)
    check_error(signal(local_service, running["id"], "retry"), 409, says="that is running cannot")
    assert signal(local_service, running["id"], "resume").status_code == 200
    signal(local_service, running["id"], "cancel")


def test_the_bandwidth_can_be_changed_while_a_transfer_runs(
    local_service: Service, source_root: Path
) -> None:
    transfer, _ = slow(local_service, source_root, rate=50_000)
    seen = wait(local_service, transfer["id"], lambda found: bool(found["rate"]))
    assert seen["rate"] < 500_000
    assert seen["eta"] > 0

    answer = local_service.http.patch(f"/transfers/{transfer['id']}", json={"bandwidth": None})

    assert answer.status_code == 200
    assert answer.json()["bandwidth"] is None
    wait(local_service, transfer["id"], lambda found: found["status"] == "complete", seconds=5)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"bandwidth": 0}, "at least 1"),
        ({"bandwidth": -5}, "at least 1"),
        ({"bandwidth": 2**60}, "bandwidth must be"),
        ({"bandwidth": 1.5}, "bandwidth must be"),
        ({"bandwidth": "fast"}, "bandwidth must be"),
        ({"bandwidth": True}, "bandwidth must be"),
        ({}, "bandwidth is missing"),
        ({"bandwidth": 1, "rate": 2}, "no member 'rate'"),
    ],
)
def test_a_bandwidth_that_cannot_be_is_400(
    local_service: Service, source_root: Path, body: dict[str, Any], says: str
) -> None:
    transfer = start(local_service, folder(source_root, {"a.txt": b"1"}))
    check_error(local_service.http.patch(f"/transfers/{transfer['id']}", json=body), 400, says=says)
    if "bandwidth" in body and "rate" not in body:
        answer = local_service.http.post(
            "/transfers", json={"media_files": [str(source_root)], **body}
        )
        check_error(answer, 400, says=says)


def test_progress_is_seen_while_files_are_still_to_come(
    local_service: Service, source_root: Path
) -> None:
    source = folder(source_root, random_files(700, 100))

    transfer = start(local_service, source, bandwidth=10_000)

    seen = wait(local_service, transfer["id"], lambda found: 0 < found["progress"] < 1)
    assert seen["files"]["total"] == 700
    assert 0 < seen["files"]["complete"] < 700
    hurry(local_service, transfer)
    assert wait_for_end(local_service, transfer["id"])["files"]["complete"] == 700
