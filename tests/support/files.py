"""Speaking to door 4: announce, PUT, confirm."""

from typing import Any

import httpx

from tests.support.service import Service

NOT_FOUND = {"success": False, "error": "file not found"}


def announce(service: Service, name: str, size: int, tags: list[str] | None = None) -> Any:
    """Announce an upload and return its id and signed URL."""
    body = {"name": name, "size": size} | ({} if tags is None else {"tags": tags})
    answer = service.http.post("/api/file/upload", json=body)
    assert answer.status_code == 200, answer.text
    ticket = answer.json()
    return ticket["id"], ticket["uploadUrl"]


def put(url: str, content: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
    """PUT bytes to a signed URL, wherever it leads."""
    return httpx.put(url, content=content, headers=headers, timeout=60, trust_env=False)


def get(url: str) -> httpx.Response:
    """GET a signed URL, wherever it leads."""
    return httpx.get(url, timeout=60, trust_env=False)


def confirm(service: Service, file_id: str, *, success: bool = True, **more: str) -> httpx.Response:
    """Confirm an upload, or say that it failed."""
    body = {"id": file_id, "success": success, **more}
    return service.http.post("/api/file/confirmUpload", json=body)


def send(service: Service, name: str, content: bytes, tags: list[str] | None = None) -> str:
    """Upload a file in three steps and return its id."""
    file_id, url = announce(service, name, len(content), tags)
    assert put(url, content).status_code == 200
    assert confirm(service, file_id).json() == {"success": True}
    return str(file_id)


def listed(service: Service, **parameters: str | int) -> Any:
    """Return a page of the list of files."""
    answer = service.http.get("/api/file", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def check_error(answer: httpx.Response, status: int, *, says: str, success: bool) -> None:
    """Check that an answer is one error in the door's shape; ``success``: whether it has that."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    error = answer.json()["error"]
    assert answer.json() == ({"success": False} if success else {}) | {"error": error}
    assert says in error
    assert 5 < len(error) < 400
