"""rclone, the program that people mirror folders into buckets with today."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.seaweedfs import SeaweedFS

_COMMAND = Path(sys.executable).with_name("rclone")


def rclone(store: SeaweedFS, operation: str, source: Path, bucket: str, *options: str) -> str:
    """Run ``rclone sync`` or ``rclone check`` of a folder and a bucket; return what it says.

    Raises CalledProcessError, with what it said, when it finds a difference or fails.
    """
    options_of_remote = "provider=SeaweedFS,env_auth=true,region=us-east-1,list_url_encode=true"
    remote = f":s3,{options_of_remote},endpoint='{store.endpoint}'"
    done = subprocess.run(
        [
            _COMMAND,
            "--config",
            os.devnull,
            operation,
            # Otherwise it takes names that are composed differently for the same, and drops one.
            "--no-unicode-normalization",
            *options,
            source,
            f"{remote}:{bucket}",
        ],
        env={"PATH": os.defpath, "HOME": "/nonexistent", **store.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        check=False,
    )
    said = done.stdout.decode(errors="replace")
    assert done.returncode == 0, f"rclone {operation}: {said}"
    return said
