"""Speaking HTTP's own resumable uploads, and the shapes of their answers."""

from collections.abc import Iterable
from typing import Any

import httpx

from tests.support.service import Service
from tests.support.wire import named

PARTIAL = "application/partial-upload"
TYPES = "https://iana.org/assignments/http-problem-types#"
VERSIONS = (8, 6)

Body = bytes | Iterable[bytes]


def begin(
    service: Service,
    body: Body = b"",
    *,
    complete: str = "?0",
    version: int | None = 8,
    path: str = "/uploads",
    **headers: Any,
) -> httpx.Response:
    """Create an upload with the first of its bytes."""
    said = named(Upload_Complete=complete, Upload_Draft_Interop_Version=version, **headers)
    return service.http.post(path, content=body, headers=said)


def created(service: Service, body: Body = b"", **options: Any) -> str:
    """Create an upload and return its address."""
    answer = begin(service, body, **options)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


def add(
    service: Service,
    url: str,
    body: Body,
    *,
    offset: int | str | None,
    complete: str | None = "?0",
    version: int | None = 8,
    content_type: str = PARTIAL,
    **headers: Any,
) -> httpx.Response:
    """Add bytes to an upload."""
    said = named(
        Upload_Complete=complete,
        Upload_Offset=offset,
        Upload_Draft_Interop_Version=version,
        Content_Type=content_type,
        **headers,
    )
    return service.http.patch(url, content=body, headers=said)


def look(service: Service, url: str, *, version: int | None = 8, **headers: Any) -> httpx.Response:
    """Ask where an upload is."""
    said = named(Upload_Draft_Interop_Version=version, **headers)
    return service.http.head(url, headers=said)


def check_at(service: Service, url: str, offset: int, *, complete: bool = False) -> None:
    """Check where an upload is."""
    answer = look(service, url)
    assert answer.status_code == 204
    assert answer.headers["upload-offset"] == str(offset)
    assert answer.headers["upload-complete"] == ("?1" if complete else "?0")


def check_media(service: Service, answer: httpx.Response, content: bytes) -> dict[str, Any]:
    """Check the answer to the request that ended an upload; return the media's attributes."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/vnd.api+json"
    assert answer.headers["upload-complete"] == "?1"
    assert answer.headers["upload-offset"] == str(len(content))
    attributes: dict[str, Any] = answer.json()["data"]["attributes"]
    assert attributes["size"] == len(content)
    found = service.http.get(answer.headers["content-location"]).json()["data"]
    # Its processing may have added to it meanwhile.
    found["attributes"] |= {name: attributes[name] for name in ("meta", "updated_at")}
    assert found == answer.json()["data"]
    name = attributes["resource"] + (f"/{attributes['key']}" if attributes["key"] else "")
    assert service.http.get(f"/medias/files/{name}").content == content
    return attributes


def check_problem(
    answer: httpx.Response, status: int, kind: str = "about:blank", *, says: str = ""
) -> dict[str, Any]:
    """Check that an answer is one problem, of a registered type or none; return its body."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]
    body: dict[str, Any] = answer.json()
    assert body["type"] == (kind if kind == "about:blank" else TYPES + kind)
    assert body["status"] == status
    assert body["title"]
    assert says in body["detail"]
    assert 5 < len(body["detail"]) < 400
    return body
