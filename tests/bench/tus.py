"""A client of tus 1.0.0, and the server with a file store that the protocol's authors maintain."""

import base64
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.bench.client import Body, Connection, connection
from tests.bench.machine import Address, free_address
from tests.bench.outcome import BenchError
from tests.bench.probe import Probe, Usage, family
from tests.bench.source import Slice, file_digest
from tests.support import node

NAME = "@tus/server"

_UPLOADS = "/uploads/"
_VERSION = {"Tus-Resumable": "1.0.0"}
_PATCH_TYPE = "application/offset+octet-stream"


def upload(client: Connection, content: Slice, name: str, *, patch: int) -> str:
    """Create an upload and send it in PATCHes of ``patch`` bytes; return the upload's path."""
    metadata = f"filename {base64.b64encode(name.encode()).decode()}"
    sizes = {"Upload-Length": str(content.size), "Upload-Metadata": metadata}
    target = client.create(_UPLOADS, {**_VERSION, **sizes})
    for start in range(0, content.size, patch):
        size = min(patch, content.size - start)
        part = Slice(content.descriptor, content.offset + start, size, digest="")
        headers = {**_VERSION, "Upload-Offset": str(start)}
        client.send("PATCH", target, Body(part, _PATCH_TYPE), headers)
    return target


class TusServer:
    """A running @tus/server."""

    def __init__(self, address: Address, folder: Path, process: psutil.Process) -> None:
        self.address = address
        self._folder = folder
        self._process = process

    def upload(self, content: Slice, name: str, *, patch: int) -> Usage:
        """Measure one upload; then check the file that it became.

        :raises BenchError: it has other bytes than were sent.
        """
        probe = Probe(self._processes, self._processes)
        with connection(self.address) as client, probe.watching():
            target = upload(client, content, name, patch=patch)
        if file_digest(self._folder / target.rpartition("/")[2]) != content.digest:
            raise BenchError(f"{NAME} stored other bytes than were sent as {name}")
        return probe.usage

    def clear(self) -> None:
        """Delete everything that was uploaded."""
        for path in self._folder.iterdir():
            path.unlink()

    def _processes(self) -> list[psutil.Process]:
        return family(self._process)


@contextmanager
def running(directory: Path) -> Iterator[TusServer]:
    """Run @tus/server over an empty folder inside ``directory`` for the length of a block.

    :raises BenchError: it does not start.
    """
    address = free_address()
    folder = directory / "files"
    folder.mkdir(parents=True)
    command = node.command("server.mjs", str(address.port), str(folder))
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise BenchError(f"{NAME} did not start")
        yield TusServer(address, folder, psutil.Process(process.pid))
    finally:
        process.terminate()
        process.communicate()
