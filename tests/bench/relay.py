"""A relay in front of a server that counts the bytes which clients send."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

_CHUNK_BYTES = 256 << 10


class Relay:
    """Where it listens, and how many bytes went through it to the server so far."""

    def __init__(self, upstream: tuple[str, int]) -> None:
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        host, port = self._listener.getsockname()
        self.endpoint = f"http://{host}:{port}"
        self.sent_bytes = 0
        self._counting = threading.Lock()

    def serve(self) -> None:
        """Relay connections until closed."""
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._upstream)
                for work, source, target in (
                    (self._count, client, server),
                    (_pass, server, client),
                ):
                    threading.Thread(target=work, args=(source, target), daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _count(self, client: socket.socket, server: socket.socket) -> None:
        for count in _chunks(client, server):
            with self._counting:
                self.sent_bytes += count


def _pass(source: socket.socket, target: socket.socket) -> None:
    for _ in _chunks(source, target):
        pass


def _chunks(source: socket.socket, target: socket.socket) -> Iterator[int]:
    """Pass bytes on until one side ends; yield the size of each piece."""
    buffer = memoryview(bytearray(_CHUNK_BYTES))
    with contextlib.suppress(OSError):  # the other side went away, or was killed
        while count := source.recv_into(buffer):
            target.sendall(buffer[:count])
            yield count
    for one in (source, target):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def running(upstream: str) -> Iterator[Relay]:
    """Run a relay in front of the HTTP server at a URL for the length of a block."""
    address = urlsplit(upstream)
    assert address.hostname is not None
    assert address.port is not None
    relay = Relay((address.hostname, address.port))
    threading.Thread(target=relay.serve, daemon=True).start()
    try:
        yield relay
    finally:
        relay.close()
