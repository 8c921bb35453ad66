"""What clients of the doors for medias and files do: well-behaved ones, and one that is not."""

import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from tests.support.service import Service

BOUNDARY = "faults-boundary"
PIECE_BYTES = 64 << 10


@dataclass(frozen=True)
class Ticket:
    """What announcing a file returns: its id, and the signed URL that takes its bytes."""

    id: str
    url: str


def content_of(seed: int | str, size: int) -> bytes:
    """Return ``size`` bytes that nothing else repeats, the same for the same seed."""
    return random.Random(seed).randbytes(size)


def pieces_of(content: bytes) -> Iterator[bytes]:
    """Yield the content in pieces; a body from an iterator has no Content-Length."""
    for start in range(0, len(content), PIECE_BYTES):
        yield content[start : start + PIECE_BYTES]


def form_of(content: bytes, filename: str = "clip.bin") -> bytes:
    """Return a multipart form whose only part is this file."""
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="media"; '
        f'filename="{filename}"\r\nContent-Type: application/octet-stream\r\n\r\n'
    )
    return head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


FORM_HEADERS = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def upload(http: httpx.Client, resource: str, content: bytes) -> httpx.Response:
    """Upload a media through door 3."""
    return http.post(f"/medias/files/{resource}", files={"media": (resource, content)})


def announce(http: httpx.Client, name: str, size: int) -> Ticket:
    """Announce a file at door 4."""
    answer = http.post("/api/file/upload", json={"name": name, "size": size}).raise_for_status()
    return Ticket(answer.json()["id"], answer.json()["uploadUrl"])


def put(http: httpx.Client, ticket: Ticket, content: bytes) -> httpx.Response:
    """Send the bytes of an announced file to its signed URL."""
    return http.put(ticket.url, content=content)


def confirm(http: httpx.Client, ticket: Ticket) -> httpx.Response:
    """Confirm an announced file."""
    return http.post("/api/file/confirmUpload", json={"id": ticket.id, "success": True})


def listed_medias(http: httpx.Client) -> set[str]:
    """Return the resources of all medias that door 3 lists."""
    found = http.get("/medias").raise_for_status().json()["data"]
    return {media["attributes"]["resource"] for media in found}


def listed_files(http: httpx.Client) -> dict[str, str]:
    """Return the download links of all files that door 4 lists, by id."""
    page = http.get("/api/file", params={"pageSize": 1000}).raise_for_status().json()["page"]
    return {file["id"]: file["url"] for file in page}


class RawUpload:
    """An upload through door 3 over a bare socket, which can stop at any byte."""

    def __init__(self, service: Service, resource: str, content: bytes) -> None:
        self._form = form_of(content)
        self._sent = 0
        self._socket = socket.create_connection(("127.0.0.1", service.port), timeout=60)
        head = (
            f"POST /medias/files/{resource} HTTP/1.1\r\nHost: 127.0.0.1:{service.port}\r\n"
            f"Content-Type: {FORM_HEADERS['Content-Type']}\r\n"
            f"Content-Length: {len(self._form)}\r\n\r\n"
        )
        self._socket.sendall(head.encode())

    def send(self, size: int | None = None) -> None:
        """Send the next ``size`` bytes of the body, or all that are left."""
        end = len(self._form) if size is None else self._sent + size
        self._socket.sendall(self._form[self._sent : end])
        self._sent = end

    def status(self) -> int:
        """Return the status of the answer; 0 when the connection ended without one."""
        answer = b""
        while b"\r\n" not in answer:
            received = self._socket.recv(PIECE_BYTES)
            if not received:
                return 0
            answer += received
        return int(answer.split(b" ", 2)[1])

    def leave(self) -> None:
        """Close the connection."""
        self._socket.close()
