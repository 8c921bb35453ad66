"""Using ``/uploads`` as a client of tus does: create an upload, send its bytes, ask where it is."""

import asyncio
import base64
import hashlib
import socket
import zlib
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.support.database import execute, fetch
from tests.support.job_rows import database_url
from tests.support.service import Service
from tests.support.wire import connect, head, named

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {"Content-Type": "application/offset+octet-stream"}
_PATIENCE_SECONDS = 10
EXPIRES = r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"


def metadata(**pairs: str) -> str:
    """Return an Upload-Metadata."""
    return ",".join(
        f"{key} {base64.b64encode(text.encode()).decode()}".strip() for key, text in pairs.items()
    )


def checksum(algorithm: str, content: bytes) -> str:
    """Return an Upload-Checksum."""
    if algorithm == "crc32":
        digest = zlib.crc32(content).to_bytes(4, "big")
    else:
        digest = hashlib.new(algorithm, content).digest()
    return f"{algorithm} {base64.b64encode(digest).decode()}"


def post(service: Service, content: bytes = b"", **headers: Any) -> httpx.Response:
    """Send a creation; ``content`` goes with the content type of bytes unless told otherwise."""
    said = {**TUS, **(BYTES if content else {}), **named(**headers)}
    return service.http.post("/uploads", content=content, headers=said)


def path_of(answer: httpx.Response) -> str:
    """Return the path of the upload that a creation has made."""
    assert answer.status_code == 201, answer.text
    return urlsplit(answer.headers["location"]).path


def create(service: Service, length: int | None = None, **headers: Any) -> str:
    """Create an upload and return its path; without a length that is told later."""
    told = {"Upload_Defer_Length": 1} if length is None else {"Upload_Length": length}
    return path_of(post(service, **{**told, **headers}))


def patch(
    service: Service, path: str, content: bytes, offset: Any = 0, **headers: Any
) -> httpx.Response:
    """Send bytes."""
    said = {**TUS, **BYTES, **named(Upload_Offset=offset, **headers)}
    return service.http.patch(path, content=content, headers=said)


def look(service: Service, path: str) -> httpx.Response:
    """Ask where an upload is."""
    return service.http.head(path, headers=TUS)


def delete(service: Service, path: str) -> httpx.Response:
    """Give an upload up."""
    return service.http.delete(path, headers=TUS)


def uploaded(service: Service, content: bytes, **headers: Any) -> str:
    """Upload these bytes and return the path of the upload, which is a media now."""
    path = path_of(post(service, content, Upload_Length=len(content), **headers))
    check_offset(look(service, path), len(content), length=len(content))
    return path


def partial(service: Service, content: bytes) -> str:
    """Upload these bytes as a part of another upload and return its path."""
    path = create(service, len(content), Upload_Concat="partial")
    assert patch(service, path, content).status_code == 204
    return path


def begin(
    service: Service, path: str, body: bytes, length: int, offset: int = 0, **headers: Any
) -> socket.socket:
    """Send the head of a PATCH of ``length`` bytes and as much of them as ``body`` is."""
    said = {**TUS, **BYTES, "Upload-Offset": str(offset), "Content-Length": str(length)}
    connection = connect(service)
    connection.sendall(head(service, "PATCH", path, {**said, **named(**headers)}) + body)
    return connection


def media_of(service: Service, path: str) -> dict[str, Any]:
    """Return the attributes of the media that an upload has become."""
    listed = service.http.get("/medias", params={"filter[id]": path.rpartition("/")[2]}).json()
    (found,) = listed["data"]
    return dict(found["attributes"])


def check_offset(answer: httpx.Response, offset: int, *, length: int | None = None) -> None:
    """Check where an upload is, as the answer to a HEAD tells."""
    assert answer.status_code == 200
    assert answer.headers["tus-resumable"] == "1.0.0"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["upload-offset"] == str(offset)
    assert answer.headers.get("upload-length") == (None if length is None else str(length))
    assert answer.headers.get("upload-defer-length") == ("1" if length is None else None)


def check_added(answer: httpx.Response, offset: int) -> None:
    """Check that bytes were taken, up to ``offset``."""
    assert (answer.status_code, answer.content) == (204, b""), answer.text
    assert answer.headers["tus-resumable"] == "1.0.0"
    assert answer.headers["upload-offset"] == str(offset)


def check_error(answer: httpx.Response, status: int, *, says: str) -> None:
    """Check that an answer is one error in the door's shape."""
    assert answer.status_code == status, answer.text
    assert answer.headers["tus-resumable"] == "1.0.0"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    error = answer.json()["error"]
    assert answer.json() == {"error": error}
    assert says in error
    assert 5 < len(error) < 400


def check_bytes(service: Service, path: str, content: bytes) -> None:
    """Check that an upload has become a media of these bytes."""
    answer = service.http.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.content == content


def let_expire(service: Service, path: str) -> None:
    """Do with an upload what is done with one that nobody has finished in time."""
    asyncio.run(_let_expire(database_url(service), path.rpartition("/")[2]))


async def _let_expire(url: str, upload_id: str) -> None:
    # The last request may have left a hold for the next one, with which nothing expires.
    held = "SELECT FROM intakes WHERE id = $1::uuid AND holder IS NOT NULL AND held_until > now()"
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while await fetch(url, held, upload_id):
            await asyncio.sleep(0.1)
    await execute(url, "DELETE FROM intakes WHERE id = $1::uuid", upload_id)
    expired = "UPDATE resumable_uploads SET state = 'expired' WHERE id = $1::uuid"
    await execute(url, expired, upload_id)
