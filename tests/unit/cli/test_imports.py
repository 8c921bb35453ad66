"""What the commands of operators bring into memory, each by itself."""

import subprocess
import sys

import pytest


def imported(module: str) -> set[str]:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("verb", ["janitor", "prepare", "worker", "doctor", "config"])
def test_every_command_imports_what_it_needs(verb: str) -> None:
    assert f"mediatheque.cli.{verb}" in imported(f"mediatheque.cli.{verb}")


def test_the_service_imports_metrics_only_once_it_is_said_where_they_are_counted() -> None:
    assert "prometheus_client" not in imported("mediatheque.cli.serve")
