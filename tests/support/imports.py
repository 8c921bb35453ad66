"""What a module brings into memory."""

import os
import subprocess
import sys
from collections.abc import Mapping


def imported(
    module: str, *, call: str | None = None, environment: Mapping[str, str] | None = None
) -> set[str]:
    """Return the names of all modules that a new process has after it imported one.

    ``call``: a function of the module that is called first. ``environment``: variables more.
    """
    called = "" if call is None else f"{module}.{call}();"
    code = f"import sys, {module}; {called} print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, **(environment or {})},
    )
    return set(done.stdout.split())
