"""One cheap HTTP/1.1 client for every server: bodies leave by ``sendfile``, and arrive unread.

It costs little, so that on two cores the server is what is measured.
"""

import http.client
import json
import os
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPMessage
from typing import Any
from urllib.parse import urlsplit

from blake3 import blake3

from tests.bench.machine import Address
from tests.bench.outcome import BenchError
from tests.bench.source import MIB, Slice

_TIMEOUT_SECONDS = 600
_BOUNDARY = "mediatheque-bench-27c1d0f4a6"


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body: bytes of a file between a head and a tail."""

    content: Slice
    content_type: str
    head: bytes = b""
    tail: bytes = b""

    @property
    def size(self) -> int:
        """Content-Length of the whole."""
        return len(self.head) + self.content.size + len(self.tail)


def raw_body(content: Slice) -> Body:
    """Return a body that is the file's bytes and nothing else."""
    return Body(content, "application/octet-stream")


def multipart_body(content: Slice, field: str, filename: str) -> Body:
    """Return a ``multipart/form-data`` body (RFC 7578) with one file field."""
    head = (
        f"--{_BOUNDARY}\r\n"
        f'Content-Disposition: form-data; name="{field}"; filename="{filename}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return Body(
        content,
        f"multipart/form-data; boundary={_BOUNDARY}",
        head=head.encode(),
        tail=f"\r\n--{_BOUNDARY}--\r\n".encode(),
    )


@dataclass(frozen=True, slots=True)
class _Response:
    headers: HTTPMessage
    content: bytes


class Connection:
    """One keep-alive connection; no answer, or one that is not 2xx, raises BenchError."""

    def __init__(self, address: Address) -> None:
        self._http = http.client.HTTPConnection(
            address.host, address.port, timeout=_TIMEOUT_SECONDS
        )

    def get(self, target: str) -> bytes:
        """Return the body that a GET of this path and query answers."""
        return self._ask("GET", target)

    def get_json(self, target: str) -> Any:
        """Return the JSON document that a GET answers."""
        return json.loads(self.get(target))

    def post(self, target: str, body: bytes) -> bytes:
        """POST bytes of any type; return the body of the answer."""
        return self._ask("POST", target, body, {"Content-Type": "application/octet-stream"})

    def post_json(
        self, target: str, document: object, headers: Mapping[str, str] | None = None
    ) -> Any:
        """POST a JSON document and return the one that comes back."""
        body = json.dumps(document).encode()
        sent = {"Content-Type": "application/json", **(headers or {})}
        return json.loads(self._ask("POST", target, body, sent))

    def create(self, target: str, headers: Mapping[str, str]) -> str:
        """POST these headers and no body; return the path of what was created."""
        try:
            self._http.request("POST", target, headers={"Content-Length": "0", **headers})
        except OSError as error:
            raise BenchError(f"POST {target}: not sent ({error})") from error
        location = self._response(f"POST {target}").headers["Location"]
        if location is None:
            raise BenchError(f"POST {target}: the answer does not say what was created")
        return path_of(location)

    def delete(self, target: str) -> None:
        """DELETE this path."""
        self._ask("DELETE", target)

    def send(
        self, method: str, target: str, body: Body, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """Send a body that lies in a file; return the body of the answer."""
        self._http.putrequest(method, target, skip_accept_encoding=True)
        described = {"Content-Type": body.content_type, "Content-Length": str(body.size)}
        for name, value in {**described, **(headers or {})}.items():
            self._http.putheader(name, value)
        try:
            self._http.endheaders(body.head or None)
            _send_slice(self._http.sock, body.content)
            if body.tail:
                self._http.send(body.tail)
        except (BrokenPipeError, ConnectionResetError):
            pass  # a server that refuses closes early; its answer says why
        except OSError as error:
            raise BenchError(f"{method} {target}: the body was not taken ({error})") from error
        return self._answer(f"{method} {target}")

    def discard(self, target: str, first_byte: int = 0) -> int:
        """GET a file, from ``first_byte`` on when that is not 0; return how many bytes came."""
        return sum(len(piece) for piece in self._pieces(target, first_byte))

    def digest(self, target: str, first_byte: int = 0) -> str:
        """BLAKE3, in hex, of what ``discard`` with the same arguments would receive."""
        hasher = blake3(max_threads=blake3.AUTO)
        for piece in self._pieces(target, first_byte):
            hasher.update(piece)
        return hasher.hexdigest()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _ask(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        try:
            self._http.request(method, target, body, dict(headers or {}))
        except OSError as error:
            raise BenchError(f"{method} {target}: not sent ({error})") from error
        return self._answer(f"{method} {target}")

    def _answer(self, request: str) -> bytes:
        return self._response(request).content

    def _response(self, request: str) -> "_Response":
        try:
            response = self._http.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise BenchError(f"{request}: no answer ({error!r})") from error
        if not 200 <= response.status < 300:
            raise BenchError(f"{request}: {response.status} {content[:500]!r}")
        return _Response(response.headers, content)

    def _pieces(self, target: str, first_byte: int) -> Iterator[memoryview]:
        headers = {"Range": f"bytes={first_byte}-"} if first_byte else {}
        self._http.request("GET", target, headers=headers)
        response = self._http.getresponse()
        if response.status != (206 if first_byte else 200):
            raise BenchError(f"GET {target}: {response.status} {response.read()[:500]!r}")
        buffer = memoryview(bytearray(MIB))
        while size := response.readinto(buffer):
            yield buffer[:size]


@contextmanager
def connection(address: Address) -> Iterator[Connection]:
    """Open a connection for the length of a block."""
    opened = Connection(address)
    try:
        yield opened
    finally:
        opened.close()


def path_of(url: str) -> str:
    """Return the path and query of an absolute URL, or of one that is only that."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _send_slice(connected: socket.socket, content: Slice) -> None:
    """Send the bytes in the kernel. A blocking socket costs far fewer wake-ups than Python's."""
    limit = struct.pack("ll", _TIMEOUT_SECONDS, 0)
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    connected.settimeout(None)
    position, end = content.offset, content.offset + content.size
    while position < end:
        sent = os.sendfile(connected.fileno(), content.descriptor, position, end - position)
        if sent == 0:
            raise BenchError("the source file became shorter while it was sent")
        position += sent
    connected.settimeout(_TIMEOUT_SECONDS)
