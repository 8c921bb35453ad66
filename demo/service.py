"""The service as a process of its own, for the length of the demo."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

_START_SECONDS = 120
_STOP_SECONDS = 60


class DemoError(Exception):
    """Something did not go as it should; the message is for people."""


@dataclass(frozen=True, slots=True)
class RunningService:
    """Where the service answers, a client for it, and the folder that its syncs read."""

    url: str
    http: httpx.Client
    uploads: Path
    buckets: Path


@contextlib.contextmanager
def running(data_dir: Path, source_root: Path) -> Iterator[RunningService]:
    """Run ``mediatheque serve`` with nothing set but its folder, a free port and a source root."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "MEDIATHEQUE_DATA_DIR": str(data_dir),
        "MEDIATHEQUE_PORT": str(port),
        "MEDIATHEQUE_SOURCE_ROOTS": str(source_root),
    }
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("MEDIATHEQUE_")}
    log_path = data_dir.with_suffix(".log")
    with log_path.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [Path(sys.executable).with_name("mediatheque"), "serve"],
            env={**inherited, **settings},
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(base_url=url, timeout=600, trust_env=False) as http:
            _wait_until_ready(process, http, log_path)
            yield RunningService(url, http, data_dir / "uploads", data_dir / "objects" / "buckets")
        process.send_signal(signal.SIGTERM)
        code = process.wait(_STOP_SECONDS)
        if code != 0:
            raise DemoError(f"the service stopped with code {code}:\n{_last_lines(log_path)}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], http: httpx.Client, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise DemoError(f"the service did not start:\n{_last_lines(log)}")
        with contextlib.suppress(httpx.TransportError):
            if http.get("/ready").status_code == httpx.codes.OK:
                return
        time.sleep(0.1)
    raise DemoError(f"the service is not ready after {_START_SECONDS} s:\n{_last_lines(log)}")


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-10:])
