"""An upload that breaks in the middle, on purpose, and goes on from where it broke."""

import hashlib
import os
import socket
import time
from base64 import b64encode
from collections.abc import Iterator

from demo.doors import Step, answered, expect, recorder
from demo.service import RunningService

_SIZE = 12_000_000
_BREAK_AT = 7_654_321
_ARRIVAL_SECONDS = 10
_TUS = {"Tus-Resumable": "1.0.0"}


def through_uploads(service: RunningService) -> Iterator[Step]:
    """Create an upload, break its connection, ask where it is, send the rest, fetch the whole."""
    done = recorder("resumable.bin", "uploads")
    content = os.urandom(_SIZE)
    known: dict[str, str] = {}

    def create() -> str:
        answer = service.http.post(
            "/uploads/",
            headers={
                **_TUS,
                "Upload-Length": str(_SIZE),
                "Upload-Metadata": f"filename {b64encode(b'resumable.bin').decode()}",
            },
        )
        expect(answer.status_code == 201, f"no upload was created: {answer.text[:200]}")
        known["path"] = answer.headers["location"].removeprefix(service.url)
        return f"{_SIZE} bytes"

    def break_off() -> str:
        _patch_and_break(service, known["path"], content[:_BREAK_AT])
        return f"after {_BREAK_AT} bytes"

    def ask() -> str:
        deadline = time.monotonic() + _ARRIVAL_SECONDS
        while (offset := _offset(service, known["path"])) < _BREAK_AT:
            expect(time.monotonic() < deadline, f"only {offset} bytes were kept")
            time.sleep(0.05)
        expect(offset == _BREAK_AT, f"{offset} bytes are there, more than were sent")
        known["offset"] = str(offset)
        return "all of them are there"

    def go_on() -> str:
        offset = int(known["offset"])
        digest = b64encode(hashlib.sha256(content[offset:]).digest()).decode()
        answer = service.http.patch(
            known["path"],
            content=content[offset:],
            headers={
                **_TUS,
                "Content-Type": "application/offset+octet-stream",
                "Upload-Offset": str(offset),
                "Upload-Checksum": f"sha256 {digest}",
            },
        )
        expect(answer.status_code == 204, f"the rest was refused: {answer.text[:200]}")
        return f"{_SIZE - offset} bytes"

    def fetch() -> str:
        answer = service.http.get(known["path"])
        expect(answer.content == content, "what came back is not what was sent")
        upload_id = known["path"].rpartition("/")[2]
        info = answered(service.http.get(f"/medias/info/{upload_id}"))
        return f"listed as {info['data']['attributes']['filename']}"

    yield done("create", create)
    yield done("break off", break_off)
    yield done("ask where it is", ask)
    yield done("go on", go_on)
    yield done("fetch", fetch)


def _offset(service: RunningService, path: str) -> int:
    return int(service.http.head(path, headers=_TUS).headers["upload-offset"])


def _patch_and_break(service: RunningService, path: str, beginning: bytes) -> None:
    """Send the beginning of a body that is said to be longer, and hang up."""
    host, port = service.http.base_url.host, service.http.base_url.port
    assert port is not None  # the service has one of its own
    head = (
        f"PATCH {path} HTTP/1.1\r\nHost: {host}:{port}\r\nTus-Resumable: 1.0.0\r\n"
        "Content-Type: application/offset+octet-stream\r\nUpload-Offset: 0\r\n"
        f"Content-Length: {_SIZE}\r\n\r\n"
    )
    with socket.create_connection((host, port)) as connection:
        connection.sendall(head.encode() + beginning)
