"""An HTTP proxy in front of a server, which spoils the requests that a test chooses."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import urlsplit

_CHUNK_BYTES = 64 << 10


class Harm(Enum):
    """What happens to a request."""

    CUT = auto()  # the connection breaks in the middle of its body
    DAMAGE = auto()  # one byte of its body arrives changed
    ANSWER = auto()  # it never reaches the server, another answer comes back
    REPLACE_ANSWER = auto()  # it reaches the server, but another answer comes back
    LOSE_ANSWER = auto()  # it reaches the server, but no answer comes back


@dataclass
class Fault:
    """Harm for the next ``times`` requests whose request line contains ``line``."""

    line: str
    harm: Harm
    times: int = 1
    answer: bytes = b""


@dataclass
class Proxy:
    """Where it listens, the faults to come, and the request lines that it saw."""

    endpoint: str
    faults: list[Fault]
    requests: list[str]


def answer(status: str, body: str = "", *, headers: str = "") -> bytes:
    """Write an HTTP answer, as in ``answer("503 Slow Down")``."""
    return (
        f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n"
        f"{body}"
    ).encode()


@contextlib.asynccontextmanager
async def run_proxy(upstream: str) -> AsyncIterator[Proxy]:
    """Run a proxy in front of the HTTP server ``upstream`` in this event loop."""
    address = urlsplit(upstream)
    proxy = Proxy(endpoint="", faults=[], requests=[])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            await _pass_on(proxy, address.hostname, address.port, head, reader, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        proxy.endpoint = f"http://{host}:{port}"
        yield proxy


async def _pass_on(
    proxy: Proxy,
    host: str | None,
    port: int | None,
    head: bytes,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    line = head.split(b"\r\n", 1)[0].decode()
    fault = _fault_for(proxy, line)
    proxy.requests.append(line)
    size = _content_length(head)
    if fault is not None and fault.harm is Harm.ANSWER:
        await reader.readexactly(size)
        writer.write(fault.answer)
        return
    upstream_reader, upstream = await asyncio.open_connection(host, port)
    try:
        # One request per connection: the answer then ends where the connection does.
        upstream.write(head[:-2] + b"Connection: close\r\n\r\n")
        position = 0
        while position < size:
            chunk = await reader.read(min(_CHUNK_BYTES, size - position))
            if not chunk or (fault is not None and fault.harm is Harm.CUT and position):
                return
            if fault is not None and fault.harm is Harm.DAMAGE and not position:
                chunk = bytes([chunk[0] ^ 1]) + chunk[1:]
            position += len(chunk)
            upstream.write(chunk)
            await upstream.drain()
        if fault is not None and fault.harm in {Harm.LOSE_ANSWER, Harm.REPLACE_ANSWER}:
            await upstream_reader.read()
            writer.write(fault.answer)
            return
        while chunk := await upstream_reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    finally:
        upstream.close()


def _fault_for(proxy: Proxy, line: str) -> Fault | None:
    for fault in proxy.faults:
        if fault.times and fault.line in line:
            fault.times -= 1
            return fault
    return None


def _content_length(head: bytes) -> int:
    for header in head.split(b"\r\n"):
        name, _, value = header.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
