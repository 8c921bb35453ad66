"""The machine of a run: what it is, and what is free on it."""

import os
import platform
import socket
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"http://{self.host}:{self.port}"

    def accepts_connections(self) -> bool:
        """Tell whether somebody listens there already."""
        with socket.socket() as attempt:
            return attempt.connect_ex((self.host, self.port)) == 0


@dataclass(frozen=True, slots=True)
class Machine:
    """What numbers depend on."""

    cpu: str
    cores: int
    memory_bytes: int
    kernel: str
    python: str
    file_system: str
    disk: str


def describe(directory: Path) -> Machine:
    """Describe this machine and the file system that ``directory`` lies on."""
    partition = _partition(directory)
    return Machine(
        cpu=_cpu_model(),
        cores=os.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        kernel=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        file_system=partition[0],
        disk=partition[1],
    )


def free_address() -> Address:
    """Return a loopback address with a port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        host, port = listener.getsockname()
    return Address(host, port)


def search_path() -> str:
    """Return PATH with the folders for servers, which a user's own PATH often lacks."""
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin"])


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def _partition(directory: Path) -> tuple[str, str]:
    """Return the file system's type and what is known of its disk."""
    resolved = directory.resolve()
    mounts = [
        mount
        for mount in psutil.disk_partitions(all=True)
        if resolved.is_relative_to(mount.mountpoint)
    ]
    if not mounts:
        return "unknown", "unknown"
    mount = max(mounts, key=lambda candidate: len(candidate.mountpoint))
    try:
        model = (Path("/sys/class/block") / Path(mount.device).name / "../device/model").read_text()
    except OSError:
        model = ""
    return mount.fstype, f"{mount.device} {model}".strip()
