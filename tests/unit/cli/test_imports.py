"""What the commands of operators bring into memory, each by itself."""

import pytest

from tests.support.imports import imported


@pytest.mark.parametrize("verb", ["janitor", "prepare", "worker", "doctor", "config"])
def test_every_command_imports_what_it_needs(verb: str) -> None:
    assert f"mediatheque.cli.{verb}" in imported(f"mediatheque.cli.{verb}")


def test_the_service_imports_metrics_only_once_it_is_said_where_they_are_counted() -> None:
    assert "prometheus_client" not in imported("mediatheque.cli.serve")
