"""What a module brings into memory."""

import subprocess
import sys


def imported(module: str) -> set[str]:
    """Return the names of all modules that a new process has after it imported one."""
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())
