"""HTTP exactly as a test writes it: for what a client library refuses to send or puts right."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any

from tests.support.service import Service

_TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Reply:
    """An answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def named(**headers: Any) -> dict[str, str]:
    """Return headers by their names, from keywords with underscores; None: not that one."""
    return {k.replace("_", "-"): str(v) for k, v in headers.items() if v is not None}


def connect(service: Service) -> socket.socket:
    """Open a connection to a service."""
    return socket.create_connection(("127.0.0.1", service.port), timeout=_TIMEOUT_SECONDS)


def head(
    service: Service, method: str, target: str, headers: Mapping[str, str] | None = None
) -> bytes:
    """Return the beginning of a request, up to the empty line."""
    named = {"Host": f"127.0.0.1:{service.port}", "Connection": "close", **(headers or {})}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {named[name]}" for name in named)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def read_reply(connection: socket.socket, method: str = "GET") -> Reply:
    """Read an answer to its end."""
    response = HTTPResponse(connection, method=method)
    response.begin()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Reply(response.status, headers, response.read())


def exchange(
    service: Service,
    method: str,
    target: str,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    *,
    cut: bool = False,
) -> Reply:
    """Send one request and read its answer; ``cut``: nothing more will come after ``body``."""
    length = {} if not body or cut else {"Content-Length": str(len(body))}
    with connect(service) as connection:
        connection.sendall(head(service, method, target, {**length, **(headers or {})}) + body)
        if cut:
            connection.shutdown(socket.SHUT_WR)
        return read_reply(connection, method)
