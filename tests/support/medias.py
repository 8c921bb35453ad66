"""Speaking to door 3, and the shapes of what it answers."""

import base64
import time
import uuid
from http import HTTPStatus
from typing import Any

import httpx
from awscrt import checksums
from blake3 import blake3

from tests.support.service import Service

JSON_API = "application/vnd.api+json"
ATTRIBUTES = {
    "resource",
    "key",
    "filename",
    "size",
    "mime_type",
    "created_by",
    "created_role",
    "public",
    "created_at",
    "updated_at",
    "project_id",
    "checksum",
    "tags",
    "meta",
}


def fresh(suffix: str = "") -> str:
    """Return a name that nothing has yet."""
    return uuid.uuid4().hex + suffix


def upload(
    service: Service,
    resource: str,
    content: bytes,
    *,
    filename: str = "file.bin",
    key: str = "",
    **fields: str,
) -> dict[str, Any]:
    """Upload a media and return its resource object."""
    path = f"/medias/files/{resource}" + (f"/{key}" if key else "")
    answer = service.http.post(path, files={"media": (filename, content)}, data=fields)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["data"]
    return found


def ended_job(service: Service, job: str) -> dict[str, Any]:
    """Return the attributes of a job once it has ended."""
    deadline = time.monotonic() + 30
    while True:
        found: dict[str, Any] = service.http.get(f"/jobs/{job}").json()["data"]["attributes"]
        if found["status"] in {"completed", "errored"}:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def checksum(content: bytes) -> dict[str, str]:
    """Return the attribute that these bytes must have."""
    crc = checksums.crc64nvme(content).to_bytes(8, "big")
    return {"crc64nvme": base64.b64encode(crc).decode(), "blake3": blake3(content).hexdigest()}


def problem(status: int, detail: str, pointer: str | None = None) -> dict[str, Any]:
    """Return the body of an error."""
    error: dict[str, Any] = {
        "status": str(status),
        "title": HTTPStatus(status).phrase,
        "detail": detail,
    }
    if pointer is not None:
        error["source"] = {"pointer": pointer}
    return {"errors": [error]}


def check_problem(
    answer: httpx.Response, status: int, *, pointer: str | None, says: str = ""
) -> None:
    """Check that an answer is one error in the door's shape whose sentence holds ``says``."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == JSON_API
    assert answer.headers["x-request-id"]
    detail = answer.json()["errors"][0]["detail"]
    assert answer.json() == problem(status, detail, pointer)
    assert says in detail
    assert 10 < len(detail) < 400


def headers_of(answer: httpx.Response) -> dict[str, str]:
    """Return the headers that the resource decides; the others must be there."""
    names = [name for name, _ in answer.headers.multi_items()]
    assert len(names) == len(set(names))
    found = dict(answer.headers)
    assert found.pop("x-request-id")
    for name in ("date", "server"):
        found.pop(name, None)
    return found
