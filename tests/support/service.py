"""The real service as a real process, for tests that use it the way a client does."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import httpx
import psutil
import pytest

from mediatheque.catalog.embedded import EmbeddedPostgres
from mediatheque.cli.job_worker import WORKER_NAME
from tests.support.forking import Forked, fork_command
from tests.support.prepared import put_database
from tests.support.seaweedfs import SeaweedFS

Process = subprocess.Popen[bytes] | Forked

_START_SECONDS = 60
_STOP_SECONDS = 60
COMMAND = Path(sys.executable).with_name("mediatheque")


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(data_dir: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a service: ours without its settings, then these."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MEDIATHEQUE_", "AWS_"))}
    return {**clean, "MEDIATHEQUE_DATA_DIR": str(data_dir), **settings}


def is_worker(process: psutil.Process) -> bool:
    """Tell whether a process of a service is its job worker."""
    try:
        return process.name() == WORKER_NAME and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def weigh(processes: Iterable[psutil.Process], measure: Callable[[psutil.Process], int]) -> int:
    """Sum up a measure of processes, in bytes, without the database's, which come and go."""
    total = 0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.name() != "postgres":
                total += measure(process)
    return total


class Service:
    """``mediatheque serve`` on one data directory; it can be killed and started again.

    ``first``: it is started as by somebody who has just installed it, by the command itself and
    where nothing is yet. Others are forked and find their database, which saves two thirds.
    """

    def __init__(
        self, data_dir: Path, settings: Mapping[str, str] | None = None, *, first: bool = False
    ) -> None:
        self.data_dir = data_dir
        self.first = first
        self.wrapper: Sequence[str] = ()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = {"MEDIATHEQUE_PORT": str(self.port), **(settings or {})}
        self.log = data_dir.with_name(data_dir.name + ".log")
        self.process: Process | None = None
        self.http = httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    def start(self) -> "Service":
        """Start it and wait until it answers."""
        process = self.launch()
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            assert process.poll() is None, f"the service ended: {self.log.read_text()}"
            with suppress(httpx.TransportError):
                if self.http.get("/ready").status_code == 200:
                    return self
            time.sleep(0.05)
        raise AssertionError(f"the service does not answer: {self.log.read_text()}")

    def launch(self) -> Process:
        """Start it without waiting for anything."""
        variables = environment(self.data_dir, self.settings)
        with self.log.open("ab") as log:
            if self.first:
                self.process = self.execute(variables, log)
            else:
                if "MEDIATHEQUE_DATABASE_URL" not in self.settings:
                    put_database(self.data_dir)
                self.process = fork_command(
                    "serve", variables=variables, stdout=log.fileno(), stderr=log.fileno()
                )
        return self.process

    def execute(self, variables: Mapping[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start the command itself."""
        return subprocess.Popen(
            [*self.wrapper, COMMAND, "serve"],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def stop(self) -> int:
        """Stop it as an operator does (SIGTERM) and return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(_STOP_SECONDS)
        self.process = None
        return code

    def processes(self) -> list[psutil.Process]:
        """Return the supervisor, the web processes and the embedded database's."""
        assert self.process is not None
        supervisor = psutil.Process(self.process.pid)
        return [supervisor, *supervisor.children(recursive=True)]

    def kill(self) -> None:
        """Kill every process of it with SIGKILL, as a power cut or the kernel would."""
        assert self.process is not None
        everything = self.processes()
        for process in everything:
            with suppress(psutil.NoSuchProcess):  # one may have ended with another
                process.kill()
        psutil.wait_procs(everything, timeout=_STOP_SECONDS)
        self.process.wait(_STOP_SECONDS)
        self.process = None

    def restart(self) -> "Service":
        """Start it again on the same data directory and port."""
        return self.start()

    def close(self) -> None:
        """End it, however it stands."""
        self.http.close()
        if self.process is not None and self.process.poll() is None:
            self.kill()
        socket_folder = EmbeddedPostgres(self.data_dir)._files._socket
        shutil.rmtree(socket_folder, ignore_errors=True)  # maybe among the machine's own files


@contextmanager
def running(
    data_dir: Path, settings: Mapping[str, str] | None = None, *, first: bool = False
) -> Iterator[Service]:
    """Run a service for the length of a block."""
    started = Service(data_dir, settings, first=first)
    try:
        yield started.start()
    finally:
        started.close()


def s3_settings(store: SeaweedFS, prefix: str) -> dict[str, str]:
    """Return the settings of a service that keeps its bytes in this S3 store."""
    return {
        "MEDIATHEQUE_STORAGE_URL": f"s3://{store.bucket}/{prefix}",
        "MEDIATHEQUE_S3_ENDPOINT": store.endpoint,
        "AWS_ACCESS_KEY_ID": store.access_key,
        "AWS_SECRET_ACCESS_KEY": store.secret_key,
        "AWS_REGION": "us-east-1",
    }


@pytest.fixture(scope="session")
def source_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that transfers of the shared services may read: make folders of your own in it."""
    return tmp_path_factory.mktemp("sources")


def _transfer_settings(source_root: Path) -> dict[str, str]:
    return {
        "MEDIATHEQUE_SOURCE_ROOTS": str(source_root),
        "MEDIATHEQUE_SEGMENT_BYTES": "1000000",
        "MEDIATHEQUE_SEGMENT_SECONDS": "2",
    }


@pytest.fixture(scope="session")
def local_service(tmp_path_factory: pytest.TempPathFactory, source_root: Path) -> Iterator[Service]:
    """A service on its embedded defaults, shared by all tests: use names of your own."""
    settings = _transfer_settings(source_root)
    with running(tmp_path_factory.mktemp("local") / "data", settings) as started:
        yield started


@pytest.fixture(scope="session")
def s3_service(
    tmp_path_factory: pytest.TempPathFactory, seaweedfs: SeaweedFS, source_root: Path
) -> Iterator[Service]:
    """A service that keeps its bytes in SeaweedFS, shared by all tests."""
    settings = s3_settings(seaweedfs, "e2e") | _transfer_settings(source_root)
    with running(tmp_path_factory.mktemp("s3") / "data", settings) as started:
        yield started


@pytest.fixture(params=["local", "s3"])
def service(request: pytest.FixtureRequest) -> Service:
    """The shared service, once on each kind of store."""
    started: Service = request.getfixturevalue(f"{request.param}_service")
    return started
