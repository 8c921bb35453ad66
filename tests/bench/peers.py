"""The peers of transfers: three programs that copy files to S3, as someone who knows them would."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.bench.probe import Usage
from tests.bench.programs import measure
from tests.support.seaweedfs import SeaweedFS

NAMES = ("s5cmd", "rclone", "aws-cli")

_CHECKOUT = Path(__file__).resolve().parents[2]
_ENVIRONMENT = _CHECKOUT / ".venv-peers"
_REQUIREMENTS = Path(__file__).with_name("peers.txt")
_REGION = "us-east-1"


def install() -> dict[str, str]:
    """Install the peers into an environment of their own; return the programs that are there.

    Nothing is fetched when they are there already, in the versions of ``peers.txt``.
    """
    python = _ENVIRONMENT / "bin" / "python"
    if not python.exists():
        _uv("venv", "--python", sys.executable, _ENVIRONMENT)
    sync: tuple[str | Path, ...] = ("pip", "sync", "--python", python, _REQUIREMENTS)
    if not _uv(*sync):
        # Behind a proxy that brings certificates of its own, those of this system are needed.
        _uv(*sync, "--system-certs")
    programs = {
        # The command that its package installs starts Python to start this.
        "s5cmd": next(_ENVIRONMENT.glob("lib/python*/site-packages/s5cmd/bin/s5cmd"), None),
        "rclone": _ENVIRONMENT / "bin" / "rclone",
        "aws-cli": _ENVIRONMENT / "bin" / "aws",
    }
    return {name: str(path) for name, path in programs.items() if path and path.exists()}


def copy(name: str, program: str, source: Path, store: SeaweedFS, prefix: str) -> Usage:
    """Copy a file, or all files of a folder, below a prefix; return what the program used.

    :raises BenchError: it fails; says what it wrote.
    """
    command = _command(name, program, source, store, prefix)
    return measure(name, command, _environment(store))


def sync(name: str, program: str, source: Path, store: SeaweedFS, bucket: str) -> Usage:
    """Make a bucket what a folder is; return what the program used.

    :raises BenchError: it fails; says what it wrote.
    """
    if name == "s5cmd":
        address = f"--endpoint-url={store.endpoint}"
        command = [
            program,
            "--log=error",
            address,
            "sync",
            "--delete",
            f"{source}/",
            f"s3://{bucket}/",
        ]
    else:
        # One request per page of the bucket instead of one per folder and more.
        options = ["--fast-list", "--transfers=16"]
        command = [program, "sync", *options, str(source), f"{_rclone_remote(store)}:{bucket}"]
    return measure(name, command, _environment(store))


def _command(
    name: str, program: str, source: Path, store: SeaweedFS, prefix: str
) -> list[str | Path]:
    folder = source.is_dir()
    target = f"s3://{store.bucket}/{prefix}/"
    if name == "s5cmd":
        what = f"{source}/" if folder else source
        return [program, "--log=error", f"--endpoint-url={store.endpoint}", "cp", what, target]
    if name == "rclone":
        remote = f"{_rclone_remote(store)}:{store.bucket}/{prefix}"
        # Four at once, its default, is slow for small files; more than 16 gain nothing.
        return [program, "copy", "--transfers=16", "--s3-no-check-bucket", source, remote]
    recursive = ["--recursive"] if folder else []
    endpoint = f"--endpoint-url={store.endpoint}"
    return [program, endpoint, "s3", "cp", "--only-show-errors", *recursive, source, target]


def _rclone_remote(store: SeaweedFS) -> str:
    return f":s3,provider=SeaweedFS,env_auth=true,region={_REGION},endpoint='{store.endpoint}'"


def _environment(store: SeaweedFS) -> Mapping[str, str]:
    """Return an environment in which nothing of this machine configures the programs."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.devnull,
        "RCLONE_CONFIG": "",
        "AWS_REGION": _REGION,
        "AWS_DEFAULT_REGION": _REGION,
        **store.environment,
    }


def _uv(*arguments: str | Path) -> bool:
    """Run uv and tell whether it did what it was asked to."""
    uv = Path(sys.executable).with_name("uv")
    return subprocess.run([uv, "--quiet", *arguments], check=False).returncode == 0
