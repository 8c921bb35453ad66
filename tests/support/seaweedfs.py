"""A real SeaweedFS, which speaks S3, for as long as a test session lasts."""

import contextlib
import ctypes
import functools
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_BUCKET = "media"
_ACCESS_KEY = "test-access-key"
_SECRET_KEY = "test-secret-key"
_READY_SECONDS = 30
_PORTS = (
    "-s3.port",
    "-s3.port.grpc",
    "-master.port",
    "-master.port.grpc",
    "-volume.port",
    "-volume.port.grpc",
    "-filer.port",
    "-filer.port.grpc",
    "-admin.port",
    "-admin.port.grpc",
)


@dataclass(frozen=True)
class SeaweedFS:
    """Where the server listens, the bucket that exists in it, and the keys that open it."""

    endpoint: str
    bucket: str = _BUCKET
    access_key: str = _ACCESS_KEY
    secret_key: str = _SECRET_KEY

    def client(self) -> "S3Client":
        """Return a client that looks at the server without any of the code under test."""
        return _client(self)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make AWS's libraries use the keys, and nothing of this machine."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@functools.cache
def _client(server: SeaweedFS) -> "S3Client":
    """Return the one client of a server: to make another costs as much as many a test."""
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name="us-east-1",
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """One server for all tests; each test uses a prefix of its own."""
    with run_seaweedfs(tmp_path_factory.mktemp("seaweedfs")) as server:
        yield server


@contextlib.contextmanager
def run_seaweedfs(folder: Path) -> Iterator[SeaweedFS]:
    """Run a server that keeps its data in ``folder``, until the block ends or this process dies."""
    ports = _free_ports(len(_PORTS))
    with (folder / "weed.log").open("wb") as log:
        process = subprocess.Popen(
            [
                Path(sysconfig.get_path("scripts")) / "weed",
                "mini",
                f"-dir={folder}",
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                f"-bucket={_BUCKET}",
                *(f"{name}={port}" for name, port in zip(_PORTS, ports, strict=True)),
                "-s3.localSocket=s3.sock",
                "-filer.localSocket=filer.sock",
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                "-admin.ui=false",
                "-webdav=false",
                "-master.telemetry=false",
                "-master.volumeSizeLimitMB=64",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={
                "PATH": os.defpath,
                "HOME": str(folder),
                "AWS_ACCESS_KEY_ID": _ACCESS_KEY,
                "AWS_SECRET_ACCESS_KEY": _SECRET_KEY,
                "GOMEMLIMIT": "400MiB",
            },
            preexec_fn=_die_with_parent,  # noqa: PLW1509  # no thread runs yet in a test session
        )
    server = SeaweedFS(endpoint=f"http://127.0.0.1:{ports[0]}")
    try:
        _wait_until_ready(server, process, folder / "weed.log")
        yield server
    finally:
        process.kill()  # its data are thrown away, and a graceful end takes seconds
        process.wait()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _die_with_parent() -> None:
    """Ask the kernel to kill the server with us, so that a killed pytest leaves nothing running."""
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def _wait_until_ready(server: SeaweedFS, process: subprocess.Popen[bytes], log: Path) -> None:
    client = server.client()
    deadline = time.monotonic() + _READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(ClientError, BotoCoreError):
            client.head_bucket(Bucket=server.bucket)
            return
        time.sleep(0.05)
    raise RuntimeError(f"SeaweedFS did not start:\n{log.read_text(errors='replace')[-4000:]}")
