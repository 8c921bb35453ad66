"""Using door 1 as a client does: start a recording, send its chunks, complete and play it."""

import base64
import hashlib
import time
from typing import Any

import httpx

from tests.support.service import Service

NOT_FOUND = {"error": "Video not found"}
ADDED = {"message": "Data added successfully"}
COMPLETED = {"message": "Video recording completed, processing started"}
WEBM = b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\x82\x84webm"
"""How a WebM file begins."""

_PAUSE_SECONDS = 0.02


def create(service: Service) -> str:
    """Start a recording and return its id."""
    answer = service.http.post("/create/")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["video_id"])


def add(service: Service, video_id: str, chunk: bytes, **headers: str | int) -> httpx.Response:
    """Send a chunk; underscores in the names of ``headers`` stand for hyphens."""
    named = {name.replace("_", "-"): str(value) for name, value in headers.items()}
    return service.http.post(f"/add_data/{video_id}/", content=chunk, headers=named)


def record(service: Service, *chunks: bytes) -> str:
    """Start a recording that has these chunks, and return its id."""
    video_id = create(service)
    for number, chunk in enumerate(chunks, 1):
        check_added(add(service, video_id, chunk), chunks=number)
    return video_id


def complete(service: Service, video_id: str) -> None:
    """Complete a recording."""
    answer = service.http.post(f"/complete_job/{video_id}/")
    assert (answer.status_code, answer.json()) == (200, COMPLETED)


def status(service: Service, video_id: str) -> Any:
    """Return what ``/check_status`` says."""
    answer = service.http.get(f"/check_status/{video_id}/")
    assert answer.status_code == 200, answer.text
    return answer.json()


def wait_for_end(service: Service, video_id: str, *, seconds: float = 60) -> Any:
    """Return what ``/check_status`` says when the recording has been processed."""
    deadline = time.monotonic() + seconds
    while (found := status(service, video_id))["status"] in {"recording", "processing"}:
        assert time.monotonic() < deadline, found
        time.sleep(_PAUSE_SECONDS)
    return found


def show(service: Service, video_id: str) -> Any:
    """Return everything that is known of a recording."""
    answer = service.http.get(f"/recordings/{video_id}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def arrived(service: Service, video_id: str) -> bytes:
    """Return the bytes that have arrived so far."""
    answer = service.http.get(f"/video/{video_id}/live")
    assert answer.status_code == 200, answer.text
    return answer.content


def content_digest(algorithm: str, content: bytes) -> str:
    """Return a Content-Digest of one of hashlib's algorithms, named as in RFC 9530."""
    names = {"sha-256": "sha256", "sha-512": "sha512", "sha": "sha1", "md5": "md5"}
    digest = hashlib.new(names[algorithm], content).digest()
    return f"{algorithm}=:{base64.b64encode(digest).decode()}:"


def position(answer: httpx.Response) -> tuple[int, int]:
    """Return the next chunk and the offset of its first byte, as the headers tell them."""
    return int(answer.headers["chunk-index"]), int(answer.headers["upload-offset"])


def check_added(
    answer: httpx.Response, *, chunks: int | None = None, size: int | None = None
) -> None:
    """Check that a chunk was acknowledged, and what the headers say that there is now."""
    assert (answer.status_code, answer.json()) == (200, ADDED), answer.text
    assert answer.headers["content-type"] == "application/json"
    found = position(answer)
    assert found == (chunks if chunks is not None else found[0], size if size else found[1])


def check_error(answer: httpx.Response, code: int, *, says: str) -> None:
    """Check that an answer is one error in the door's shape."""
    assert answer.status_code == code, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    error = answer.json()["error"]
    assert answer.json() == {"error": error}
    assert says in error
    assert 5 < len(error) < 400


def check_unknown(answer: httpx.Response) -> None:
    """Check that there is no such recording."""
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)
    assert answer.headers["content-type"] == "application/json"
