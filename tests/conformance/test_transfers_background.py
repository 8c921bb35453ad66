"""Door 0, in the background: 202 and a place to ask, one word of status."""

import re
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.door_zero import (
    check_error,
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
from tests.support.wire import exchange

LOCATION = r"/status/[0-9a-f-]{36}\.0"


def started(service: Service, *sources: Path) -> str:
    """Start a transfer and return where to ask for its status."""
    answer = service.http.post(
        "/transfer_media", json={"media_files": [str(source) for source in sources]}
    )
    assert answer.status_code == 202
    return answer.headers["location"]


def ended(service: Service, location: str) -> str:
    """Return the status of a transfer once it has ended."""
    deadline = time.monotonic() + 60
    while (word := service.http.get(location).json()["status"]) in {"pending", "running"}:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return str(word)


def test_the_answer_is_202_with_nothing_in_it_but_where_to_ask(
    service: Service, source_root: Path
) -> None:
    files = random_files(5, 50_000)
    source = folder(source_root, files)

    answer = service.http.post("/transfer_media", json={"media_files": [source.as_uri()]})

    assert answer.status_code == 202
    assert answer.content == b""
    assert answer.headers["content-length"] == "0"
    assert re.fullmatch(LOCATION, answer.headers["location"])
    assert ended(service, answer.headers["location"]) == "complete"
    transfer_id = answer.headers["location"].split("/")[2].partition(".")[0]
    assert contents(service, transfer_id, source) == files


def test_the_status_is_one_word_and_nothing_else(local_service: Service, source_root: Path) -> None:
    location = started(local_service, folder(source_root, {"a.txt": b"1"}))
    assert ended(local_service, location) == "complete"
    cursor = location.removeprefix("/status/")
    for address in (
        location,
        f"{location}/",
        f"/status?cursor={cursor}",
        f"/status/?cursor={cursor}",
    ):
        answer = local_service.http.get(address)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.content == b'{"status":"complete"}'


def test_every_status_has_its_word(local_service: Service, source_root: Path) -> None:
    source = folder(source_root, random_files(3, 300_000))
    transfer = start(local_service, source, bandwidth=100_000)
    address = f"/status/{transfer['id']}.0"

    def word() -> str:
        return str(local_service.http.get(address).json()["status"])

    assert transfer["status"] == "pending"
    wait(local_service, transfer["id"], lambda found: found["status"] == "running")
    assert word() == "running"
    signal(local_service, transfer["id"], "pause")
    wait(local_service, transfer["id"], lambda found: found["status"] == "paused")
    assert word() == "paused"
    signal(local_service, transfer["id"], "cancel")
    assert word() == "cancelled"
    (source / "00000.bin").unlink()
    local_service.http.patch(f"/transfers/{transfer['id']}", json={"bandwidth": None})
    signal(local_service, transfer["id"], "retry")
    assert ended(local_service, address) == "failed"


@pytest.mark.parametrize("address", ["/status", "/status/", "/status?cursor=", "/status?other=1"])
def test_a_status_without_a_cursor_is_400(local_service: Service, address: str) -> None:
    check_error(local_service.http.get(address), 400, says="The cursor is missing")


@pytest.mark.parametrize(
    "cursor", ["nothing", "01a1fc87-9655-79af-939f-09e2b6784b59.0", "a%00b", "%2e%2e", "x" * 3000]
)
def test_an_unknown_cursor_is_404(local_service: Service, cursor: str) -> None:
    for address in (f"/status/{cursor}", f"/status?cursor={cursor}"):
        check_error(local_service.http.get(address), 404, says="There is no transfer")


@pytest.mark.parametrize("path", ["/transfer_media/", "/transfer_media_segment/", "/transfers/"])
def test_a_post_with_a_final_slash_is_never_redirected(
    local_service: Service, source_root: Path, path: str
) -> None:
    body = {"media_files": [str(folder(source_root, {"a.txt": b"1"}))]}
    answer = local_service.http.post(path, json=body)
    assert answer.status_code in {200, 202}


def newest(service: Service) -> str:
    """Return the id of the transfer that was started last."""
    return str(service.http.get("/transfers?limit=1").json()["transfers"][0]["id"])


@pytest.mark.parametrize("path", ["/transfer_media", "/transfer_media_segment", "/transfers"])
def test_each_bad_entry_is_listed_and_nothing_is_started(
    local_service: Service, source_root: Path, path: str
) -> None:
    source = folder(source_root, {"a.txt": b"1"})
    (source / "out").symlink_to("/etc")
    started(local_service, source / "a.txt")
    entries: list[Any] = [
        str(source / "a.txt"),
        str(source / "missing.txt"),
        f"{source.as_uri()}/missing%20too.txt",
        "/etc/passwd",
        "file:///etc/passwd",
        str(source / ".." / ".." / ".." / "etc" / "passwd"),
        str(source / "out" / "passwd"),
        "s3://bucket/key",
        "https://example.org/a.mp4",
        "file://elsewhere/a.mp4",
        "a.txt",
        "",
        f"{source}/a\0b",
        7,
        None,
        source.as_uri(),
    ]
    before = newest(local_service)

    answer = local_service.http.post(path, json={"media_files": entries})

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"error", "media_files"}
    assert body["error"] == "14 of 16 entries cannot be transferred. Nothing was started."
    assert [bad["uri"] for bad in body["media_files"]] == entries[1:-1]
    for bad in body["media_files"]:
        assert set(bad) == {"uri", "error"}
        assert len(bad["error"]) > 10
    assert "root:" not in answer.text
    assert newest(local_service) == before


def test_one_bad_entry_says_its_reason_at_once(local_service: Service) -> None:
    answer = local_service.http.post("/transfer_media", json={"media_files": ["/etc/passwd"]})

    body = answer.json()
    assert answer.status_code == 400
    assert body["error"].startswith("/etc/passwd is not below a folder that transfers may read: ")
    assert body["error"].endswith(". Nothing was started.")
    assert [bad["uri"] for bad in body["media_files"]] == ["/etc/passwd"]


@pytest.mark.parametrize("path", ["/transfer_media", "/transfers"])
@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"[]", "must be a JSON object"),
        (b"{}", "at least one file"),
        (b'{"media_files": []}', "at least one file"),
        (b'{"media_files": {}}', "must be a list"),
        (b'{"media_files": "/a"}', "must be a list"),
        (b'{"media_files": ["/a"], "priority": 1}', "no member 'priority'"),
        (b'{"media_files": ["\\udc80"]}', "not valid JSON"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_malformed_body_is_400(local_service: Service, path: str, body: bytes, says: str) -> None:
    check_error(local_service.http.post(path, content=body), 400, says=says)


def test_a_list_that_is_too_long_is_413(local_service: Service) -> None:
    reply = exchange(
        local_service,
        "POST",
        "/transfer_media",
        {"Content-Length": str(17 << 20)},
    )
    assert reply.status == 413
    assert set(reply.headers) >= {"content-type", "x-request-id"}


def test_a_list_of_many_entries_is_taken(local_service: Service, source_root: Path) -> None:
    source = folder(source_root, random_files(100, 10))
    entries = [str(source / f"{number % 100:05}.bin") for number in range(10_000)]

    answer = local_service.http.post("/transfer_media", json={"media_files": entries})

    assert answer.status_code == 202
    transfer_id = answer.headers["location"].split("/")[2].partition(".")[0]
    found = wait_for_end(local_service, transfer_id)
    assert found["files"]["complete"] == 100
    job = local_service.http.get(f"/jobs/{transfer_id}").json()["data"]["attributes"]
    assert (job["job_class"], job["status"]) == ("transfer", "completed")
    assert (len(job["arguments"]["sources"]), job["arguments"]["count"]) == (20, 100)


def test_special_files_are_reported_one_by_one(local_service: Service, source_root: Path) -> None:
    source = folder(source_root, {"a.txt": b"1"})
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(source / "s"))
    (source / "nowhere").symlink_to("nothing")

    transfer = wait_for_end(local_service, start(local_service, source)["id"])

    assert transfer["status"] == "complete"
    assert transfer["files"] == {
        "total": 3,
        "complete": 1,
        "failed": 0,
        "skipped": 2,
        "pending": 0,
    }
    reasons = {
        file["uri"].rpartition("/")[2]: file["error"]
        for file in show(local_service, transfer["id"], state="skipped")["file_list"]
    }
    assert reasons == {
        "nowhere": f"{source}/nowhere is a link that leads nowhere.",
        "s": f"{source}/s is a pipe, socket or device, not a file.",
    }
