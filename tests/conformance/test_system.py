"""``/system``: how the service stands, what it holds, what passes, folders to choose from."""

import os
import platform
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from mediatheque import __version__
from mediatheque.config import Settings
from tests.support.door_zero import folder
from tests.support.medias import fresh, upload
from tests.support.service import Service


def ask(service: Service, address: str, /, **parameters: Any) -> Any:
    answer = service.http.get(f"/system{address}", params=parameters)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def check_refused(answer: httpx.Response, status: int, *, field: str, says: str) -> None:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert answer.json() == {"error": error, "field": field}
    assert says in error


def test_the_system_is_shown_as_a_whole(service: Service) -> None:
    shown = ask(service, "")

    settings, workers, disk = shown.pop("settings"), shown.pop("workers"), shown.pop("disk")
    started_at = datetime.fromisoformat(shown.pop("started_at"))
    assert shown == {
        "version": __version__,
        "python": platform.python_version(),
        "ready": {
            "status": "ready",
            "checks": {"database": "ok", "jobs": "ok", "store": "ok", "disk": "ok"},
            "warnings": shown["ready"]["warnings"],
        },
    }
    assert datetime(2026, 1, 1, tzinfo=UTC) < started_at < datetime.now(UTC)
    if "MEDIATHEQUE_STORAGE_URL" in service.settings:
        assert disk is None
    else:
        assert 0 < disk["free_bytes"] <= disk["total_bytes"]
    (worker,) = workers
    assert worker == {
        "id": worker["id"],
        "name": f"worker {platform.node()}:{worker['name'].rpartition(':')[2]}",
        "host": platform.node(),
        "running": worker["running"],
        "warning": worker["warning"],
        "started_at": worker["started_at"],
        "seen_at": worker["seen_at"],
    }
    assert [one["name"] for one in settings] == list(Settings.__struct_fields__)
    (port,) = [one for one in settings if one["name"] == "port"]
    assert port == {
        "name": "port",
        "variable": "MEDIATHEQUE_PORT",
        "value": str(service.port),
        "is_default": False,
        "about": "TCP port to listen on.",
    }


def test_no_secret_is_shown(s3_service: Service) -> None:
    text = s3_service.http.get("/system").text

    for name, value in s3_service.settings.items():
        if name.startswith("AWS_") and "REGION" not in name:
            assert value not in text
    secret = (s3_service.data_dir / "secret").read_text()
    assert secret not in text


def test_what_is_stored_is_told_by_kind_and_by_day(local_service: Service) -> None:
    size = 12_345
    before = ask(local_service, "/stored", days=1)
    upload(local_service, fresh(), b"x" * size)
    deadline = time.monotonic() + 30
    while (stored := ask(local_service, "/stored", days=1)) == before:
        assert time.monotonic() < deadline
        time.sleep(0.2)

    assert [one["kind"] for one in stored["by_kind"]] == ["video", "image", "audio", "other"]
    for part in ("count", "bytes"):
        assert stored["total"][part] == sum(one[part] for one in stored["by_kind"])
        assert stored["total"][part] > before["total"][part]
    assert stored["total"]["bytes"] - before["total"]["bytes"] >= size
    assert {one["day"] for one in stored["by_day"]} <= {datetime.now(UTC).date().isoformat()}
    assert {tuple(one) for one in stored["by_day"]} == {("day", "kind", "count", "bytes")}


@pytest.mark.parametrize("days", ["0", "3661", "many", "1.5"])
def test_days_that_cannot_be_shown_are_refused(local_service: Service, days: str) -> None:
    answer = local_service.http.get("/system/stored", params={"days": days})

    check_refused(answer, 400, field="days", says="from 1 to 3660")


def test_what_passes_is_counted(local_service: Service) -> None:
    before = ask(local_service, "/throughput")
    resource, content = fresh(), os.urandom(300_000)
    upload(local_service, resource, content)
    local_service.http.get(f"/medias/files/{resource}")

    deadline = time.monotonic() + 10
    while (after := ask(local_service, "/throughput"))["sent_bytes"] < before["sent_bytes"] + len(
        content
    ):
        assert time.monotonic() < deadline, after

    assert set(after) == {"at", "received_bytes", "sent_bytes", "requests", "started_at"}
    assert after["received_bytes"] - before["received_bytes"] >= len(content)
    assert after["requests"] - before["requests"] >= 3
    assert after["at"] > before["at"]
    assert after["started_at"] == before["started_at"] == ask(local_service, "")["started_at"]
    told = local_service.http.get("/metrics").text
    assert "mediatheque_http_request_body_bytes_total" in told
    assert "mediatheque_http_response_body_bytes_total" in told


def test_folders_that_transfers_may_read_can_be_looked_into(
    local_service: Service, source_root: Path
) -> None:
    made = folder(source_root, {"b.txt": b"12", "sub/c.txt": b""})
    os.utime(made / "b.txt", (0, 1_780_000_000))
    os.utime(made / "sub", (0, 1_780_000_000))

    roots = ask(local_service, "/folders", of="transfers")
    root = ask(local_service, "/folders", of="transfers", path=str(source_root))
    shown = ask(local_service, "/folders", of="transfers", path=str(made))

    modified = datetime.fromtimestamp(1_780_000_000, UTC).isoformat().replace("+00:00", "Z")
    assert roots == {
        "path": "",
        "parent": None,
        "roots": [str(source_root)],
        "entries": [
            {
                "name": source_root.name,
                "path": str(source_root),
                "kind": "folder",
                "size": None,
                "modified": None,
            }
        ],
        "truncated": False,
    }
    assert (root["path"], root["parent"]) == (str(source_root), None)
    assert made.name in {entry["name"] for entry in root["entries"]}
    assert shown == {
        "path": str(made),
        "parent": str(source_root),
        "roots": [str(source_root)],
        "entries": [
            {
                "name": "sub",
                "path": str(made / "sub"),
                "kind": "folder",
                "size": None,
                "modified": modified,
            },
            {
                "name": "b.txt",
                "path": str(made / "b.txt"),
                "kind": "file",
                "size": 2,
                "modified": modified,
            },
        ],
        "truncated": False,
    }


def test_a_name_that_is_no_text_has_no_path(local_service: Service, source_root: Path) -> None:
    made = folder(source_root, {os.fsdecode(b"\xff.bin"): b""})

    (entry,) = ask(local_service, "/folders", of="transfers", path=str(made))["entries"]

    assert (entry["name"], entry["path"]) == ("\N{REPLACEMENT CHARACTER}.bin", None)


def test_the_folder_of_syncs_is_another(local_service: Service) -> None:
    root = local_service.data_dir / "uploads"

    assert ask(local_service, "/folders", of="sync")["roots"] == [str(root)]
    assert ask(local_service, "/folders", of="sync", path=str(root))["parent"] is None


@pytest.mark.parametrize(
    ("query", "status", "field", "says"),
    [
        ("", 400, "of", "transfers or sync"),
        ("of=recordings", 400, "of", "transfers or sync"),
        ("of=sync&path=photos", 400, "path", "absolute"),
        ("of=sync&folder=x", 400, "folder", "no parameter"),
        ("of=transfers&path=/etc", 403, "path", "not below a folder"),
    ],
)
def test_folders_that_cannot_be_shown_are_refused(
    local_service: Service, query: str, status: int, field: str, says: str
) -> None:
    answer = local_service.http.get(f"/system/folders?{query}")

    check_refused(answer, status, field=field, says=says)


@pytest.mark.parametrize(
    ("below", "status", "says"), [("/..", 403, "'..'"), ("/none", 404, "There is nothing at")]
)
def test_what_is_outside_of_the_root_or_not_there_is_refused(
    local_service: Service, source_root: Path, below: str, status: int, says: str
) -> None:
    parameters = {"of": "transfers", "path": f"{source_root}{below}"}

    answer = local_service.http.get("/system/folders", params=parameters)

    check_refused(answer, status, field="path", says=says)
