"""Servers of tus, ours and @tus/server, and clients of others in Node that upload to them."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support import node
from tests.support.service import Service, free_port

_UPLOAD_SECONDS = 60


@dataclass(frozen=True)
class TusServer:
    """A server on this machine, with its uploads at ``/uploads/``."""

    port: int
    service: Service | None = None
    """Ours."""
    folder: Path | None = None
    """Where the server of others has its files."""

    def content(self, url: object) -> bytes:
        """Return the bytes of the finished upload at a URL, which may lead through a proxy."""
        if self.folder is not None:  # it does not give back what has a name such as 狐
            return (self.folder / str(url).rpartition("/")[2]).read_bytes()
        answer = self.ask("GET", url)
        assert answer.status_code == 200, answer.text
        return answer.content

    def ask(self, method: str, url: object) -> httpx.Response:
        """Send a request of the protocol for an upload."""
        address = f"http://127.0.0.1:{self.port}{urlsplit(str(url)).path}"
        headers = {"Tus-Resumable": "1.0.0"}
        return httpx.request(method, address, headers=headers, timeout=60, trust_env=False)


@dataclass(frozen=True)
class Outcome:
    """What a client in Node did."""

    url: str | None
    answers: list[str]
    """Methods and statuses, as in ``PATCH 204``."""
    offsets: list[int]
    """How many bytes the server had whenever the client asked."""
    error: str | None


def run_client(script: str, **task: Any) -> Outcome:
    """Run a client of ``tests/clients`` in Node; what the task may hold stands there."""
    return finish_client(start_client(script, **task))


def start_client(script: str, **task: Any) -> subprocess.Popen[str]:
    """Start what ``run_client`` runs."""
    command = node.command(script, json.dumps(task))
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish_client(process: subprocess.Popen[str]) -> Outcome:
    """Wait for a client to end and return what it did."""
    with process:
        try:
            out, err = process.communicate(timeout=_UPLOAD_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert process.returncode == 0, err
    return Outcome(**json.loads(out))


@contextmanager
def running_peer(folder: Path) -> Iterator[TusServer]:
    """Run @tus/server, which keeps its bytes in a folder, for the length of a block."""
    server = TusServer(free_port(), folder=folder)
    command = node.command("server.mjs", str(server.port), str(folder))
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"listening\n"
            yield server
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def tus_peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TusServer]:
    """@tus/server, shared by all tests of a session."""
    with running_peer(tmp_path_factory.mktemp("tus-peer")) as server:
        yield server


@pytest.fixture(params=["local", "s3", "peer"])
def tus_server(request: pytest.FixtureRequest) -> TusServer:
    """Our service on each kind of store and, as a control, @tus/server.

    What fails with the control as well is the client's doing.
    """
    if request.param == "peer":
        peer: TusServer = request.getfixturevalue("tus_peer")
        return peer
    service: Service = request.getfixturevalue(f"{request.param}_service")
    return TusServer(service.port, service=service)
