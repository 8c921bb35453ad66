"""An HTTP proxy in front of a server, which spoils the requests that a test chooses."""

import asyncio
import contextlib
import re
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from urllib.parse import urlsplit

_CHUNK_BYTES = 64 << 10
_ANSWER_BYTES = 1 << 20  # how much of an answer passes before it is cut


class Harm(Enum):
    """What happens to a request."""

    CUT = auto()  # the connection breaks in the middle of its body
    DAMAGE = auto()  # one byte of its body arrives changed
    ANSWER = auto()  # it never reaches the server, another answer comes back
    REPLACE_ANSWER = auto()  # it reaches the server, but another answer comes back
    DAMAGE_ANSWER = auto()  # one byte of what comes back arrives changed
    CUT_ANSWER = auto()  # the connection breaks in the middle of the answer
    LOSE_ANSWER = auto()  # it reaches the server, but no answer comes back
    HOLD = auto()  # it does not reach the server before ``Proxy.released`` is set


@dataclass
class Fault:
    """Harm for the next ``times`` requests whose request line matches the pattern ``line``."""

    line: str
    harm: Harm
    times: int = 1
    answer: bytes = b""


@dataclass
class Proxy:
    """Whom it stands in front of, where it listens, faults to come, request lines it saw."""

    host: str
    port: int
    endpoint: str = ""
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def count(self, line: str) -> int:
        """Return how many request lines matched a pattern so far."""
        return sum(re.search(line, request) is not None for request in self.requests)

    def fault_for(self, line: str) -> Fault | None:
        """Return the fault that a request with this line meets, and use it up once."""
        for fault in self.faults:
            if fault.times and re.search(fault.line, line):
                fault.times -= 1
                return fault
        return None


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
    assert address.hostname is not None
    assert address.port is not None
    proxy = Proxy(address.hostname, address.port)
    connections: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_serve(proxy, reader, writer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        proxy.endpoint = f"http://{host}:{port}"
        yield proxy
    for task in connections:
        task.cancel()
    await asyncio.gather(*connections, return_exceptions=True)


@contextlib.contextmanager
def proxied(endpoint: str) -> Iterator[Proxy]:
    """Run a proxy in front of a server beside this thread, which is busy with other things."""
    ready = threading.Event()
    found: list[Proxy] = []

    async def serve(over: asyncio.Event) -> None:
        async with run_proxy(endpoint) as proxy:
            found.append(proxy)
            ready.set()
            await over.wait()

    loop = asyncio.new_event_loop()
    over = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve(over)))
    thread.start()
    try:
        assert ready.wait(10)
        yield found[0]
    finally:
        for proxy in found:
            proxy.released.set()
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


async def _serve(proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    async with _closing(writer):
        with contextlib.suppress(asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            await _handle(proxy, head, reader, writer)


async def _handle(
    proxy: Proxy, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    line = head.split(b"\r\n", 1)[0].decode()
    fault = proxy.fault_for(line)
    proxy.requests.append(line)
    size = _content_length(head)
    if fault is not None and fault.harm is Harm.ANSWER:
        await reader.readexactly(size)
        writer.write(fault.answer)
        return
    if fault is not None and fault.harm is Harm.HOLD:
        await asyncio.to_thread(proxy.released.wait)
    upstream_reader, upstream = await asyncio.open_connection(proxy.host, proxy.port)
    async with _closing(upstream):
        # One request per connection: the answer then ends where the connection does.
        upstream.write(head[:-2] + b"Connection: close\r\n\r\n")
        position = 0
        while position < size:
            chunk = await reader.read(min(_CHUNK_BYTES, size - position))
            if not chunk or (fault is not None and fault.harm is Harm.CUT):
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
        passed = 0
        sound = fault is None or fault.harm is not Harm.DAMAGE_ANSWER
        while chunk := await upstream_reader.read(_CHUNK_BYTES):
            if not sound and not chunk.endswith(b"\r\n\r\n"):  # which is only the head
                chunk = chunk[:-1] + bytes([chunk[-1] ^ 1])
                sound = True
            writer.write(chunk)
            await writer.drain()
            passed += len(chunk)
            if fault is not None and fault.harm is Harm.CUT_ANSWER and passed > _ANSWER_BYTES:
                return


@contextlib.asynccontextmanager
async def _closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    with contextlib.suppress(OSError):  # the other side went away
        try:
            yield
        finally:
            writer.close()
            await writer.wait_closed()


def _content_length(head: bytes) -> int:
    for header in head.split(b"\r\n"):
        name, _, value = header.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
