"""The peer: nginx with DAV PUT and sendfile, configured as someone who knows it would."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.bench.client import connection, raw_body
from tests.bench.machine import Address, free_address, search_path
from tests.bench.outcome import BenchError
from tests.bench.probe import Probe, Usage, family
from tests.bench.source import Slice, file_digest

NAME = "nginx"

# The temporary folder lies beside the root, so that a PUT ends in a rename and no copy. With the
# body buffer's default of 16 KiB a PUT takes about twice as long; above 1 MiB it gains nothing.
_CONFIGURATION = """\
daemon off;
{user}worker_processes auto;
pid {directory}/nginx.pid;
error_log {directory}/error.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    default_type application/octet-stream;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    client_max_body_size 0;
    client_body_buffer_size 1m;
    client_body_in_file_only off;
    client_body_temp_path {directory}/incoming;
    proxy_temp_path {directory}/unused;
    fastcgi_temp_path {directory}/unused;
    uwsgi_temp_path {directory}/unused;
    scgi_temp_path {directory}/unused;
    server {{
        listen {host}:{port};
        location / {{
            root {directory}/root;
            dav_methods PUT DELETE;
            create_full_put_path on;
            dav_access user:rw;
        }}
    }}
}}
"""


def find() -> str | None:
    """Return the path of an nginx that can do DAV, or None when this machine has none."""
    program = shutil.which(NAME, path=search_path())
    if program is None:
        return None
    built = subprocess.run([program, "-V"], capture_output=True, text=True, check=False)
    return program if "http_dav_module" in built.stderr else None


class Nginx:
    """A running nginx whose files can be put, fetched and looked at."""

    def __init__(self, address: Address, root: Path, process: psutil.Process) -> None:
        self.address = address
        self._root = root
        self._process = process

    def put(self, content: Slice, name: str, *, fsync: bool) -> Usage:
        """Measure one PUT, with an fsync of the file that it left when asked; then check it."""
        path = self._root / name
        probe = self.probe()
        with connection(self.address) as client, probe.watching():
            client.send("PUT", f"/{name}", raw_body(content))
            if fsync:
                probe.add_cpu(_fsync(path))
        if file_digest(path) != content.digest:
            raise BenchError(f"nginx stored other bytes than were sent as {name}")
        return probe.usage

    def remove(self, name: str) -> None:
        """Delete a stored file, if it is there."""
        (self._root / name).unlink(missing_ok=True)

    def probe(self) -> Probe:
        """Return a probe on nginx's processes."""
        return Probe(self._processes, self._processes)

    def _processes(self) -> list[psutil.Process]:
        return family(self._process)


@contextmanager
def running(program: str, directory: Path) -> Iterator[Nginx]:
    """Run nginx over an empty root inside ``directory`` for the length of a block.

    :raises BenchError: it does not start; says what it wrote.
    """
    address = free_address()
    for name in ("root", "incoming"):
        (directory / name).mkdir(parents=True)
    configuration = directory / "nginx.conf"
    user = "user root;\n" if os.geteuid() == 0 else ""
    configuration.write_text(
        _CONFIGURATION.format(
            directory=directory,
            host=address.host,
            port=address.port,
            user=user,
        )
    )
    error_log = directory / "error.log"
    process = subprocess.Popen([program, "-c", configuration, "-e", error_log])
    try:
        _wait_until_listening(address, process, error_log)
        yield Nginx(address, directory / "root", psutil.Process(process.pid))
    finally:
        process.terminate()
        process.wait()


def _wait_until_listening(address: Address, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        if address.accepts_connections():
            return
        time.sleep(0.05)
    raise BenchError(f"nginx did not start: {log.read_text() if log.exists() else 'no log'}")


def _fsync(path: Path) -> float:
    """Force a file to disk; return the processor seconds that this took."""
    before = time.thread_time()
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return time.thread_time() - before
