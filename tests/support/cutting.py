"""A TCP proxy in front of a server that resets its connections when a test wants it.

It knows no HTTP: what goes through it, headers included, is bytes. It runs in a thread of its own,
so that tests may block, and clients in other processes can use it::

    with cutting(service.port) as proxy:
        proxy.cut_after(1 << 20)  # one cut in the middle, then it passes again
        upload(proxy.url)
        assert proxy.cuts == 1
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

_CHUNK_BYTES = 64 << 10
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # linger for 0 seconds: closing sends RST, not FIN


class CuttingProxy:
    """What has passed between clients and one server, and when it is cut. Counts are of bytes."""

    def __init__(self, upstream_port: int) -> None:
        self.upstream_port = upstream_port
        self.port = 0
        self.up = 0  # gone to the server
        self.down = 0  # come from the server
        self.connections = 0  # that clients made
        self.cuts = 0  # of all connections at once
        self._due: list[int] = []  # values of ``up`` at which to cut
        self._refuse_when_cut = False
        self._refusing = False
        self._open: set[asyncio.StreamWriter] = set()
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where clients find the server."""
        return f"http://127.0.0.1:{self.port}"

    def cut_after(self, *counts: int, refuse: bool = False) -> None:
        """Reset every connection once so many more bytes have gone to the server.

        Of several counts each begins where the one before ended. ``refuse``: from the last cut
        until ``pass_again``, new connections are reset at once.
        """
        with self._lock:
            self._due = []
            for count in counts:
                self._due.append((self._due or [self.up])[-1] + count)
            self._refuse_when_cut = refuse
            self._refusing = False

    def pass_again(self) -> None:
        """Let everything pass from now on."""
        self.cut_after()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass everything between a client and the server until one of them ends."""
        self.connections += 1
        if self._refusing:
            _reset(writer)
            return
        upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", self.upstream_port)
        # What the system still has to send is lost with a reset: megabytes, if it may.
        connection = upstream.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _CHUNK_BYTES)
        ends = {writer, upstream}
        self._open |= ends
        try:
            with contextlib.suppress(OSError):  # one side went away, or was cut off
                await asyncio.gather(
                    self._pass_up(reader, upstream), self._pass_down(upstream_reader, writer)
                )
        finally:
            self._open -= ends
            for end in ends:
                end.close()

    async def _pass_up(self, reader: asyncio.StreamReader, upstream: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK_BYTES):
            allowed, cut = self._take(len(chunk))
            upstream.write(chunk[:allowed])
            await upstream.drain()
            if cut:
                self._cut()
                return
        upstream.write_eof()

    async def _pass_down(
        self, upstream: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while chunk := await upstream.read(_CHUNK_BYTES):
            self.down += len(chunk)
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()

    def _take(self, size: int) -> tuple[int, bool]:
        """Count bytes that go up; return how many of them may, and whether to cut then."""
        with self._lock:
            cut = bool(self._due) and self.up + size >= self._due[0]
            allowed = max(self._due.pop(0) - self.up, 0) if cut else size
            self.up += allowed
            if cut:
                self.cuts += 1
                self._refusing = self._refuse_when_cut and not self._due
            return allowed, cut

    def _cut(self) -> None:
        for writer in self._open:
            _reset(writer)


@contextlib.contextmanager
def cutting(upstream_port: int) -> Iterator[CuttingProxy]:
    """Run a proxy in front of the server on this port of 127.0.0.1 for the length of a block."""
    proxy = CuttingProxy(upstream_port)
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    finished = asyncio.Event()

    async def serve() -> None:
        served: set[asyncio.Task[None]] = set()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(proxy.serve(reader, writer))
            served.add(task)
            task.add_done_callback(served.discard)

        async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
            proxy.port = server.sockets[0].getsockname()[1]
            ready.set()
            await finished.wait()
        for task in served:
            task.cancel()
        await asyncio.gather(*served, return_exceptions=True)

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run, name="cutting proxy")
    thread.start()
    assert ready.wait(10)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(finished.set)
        thread.join()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()
