"""What the commands of operators bring into memory, each by itself."""

from pathlib import Path

import pytest

from tests.support.imports import imported


@pytest.mark.parametrize("verb", ["janitor", "prepare", "worker", "doctor", "config"])
def test_every_command_imports_what_it_needs(verb: str) -> None:
    assert f"mediatheque.cli.{verb}" in imported(f"mediatheque.cli.{verb}")


def test_the_service_imports_metrics_only_once_it_is_said_where_they_are_counted() -> None:
    assert "prometheus_client" not in imported("mediatheque.cli.serve")


def test_web_processes_are_spared_what_only_job_workers_need(tmp_path: Path) -> None:
    environment = {
        "MEDIATHEQUE_SECRET_KEY": "known to this test alone, and to nobody else",
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path),
    }
    web = imported("mediatheque.app", call="create_app", environment=environment)

    assert not {"pydantic", "pgqueuer"} & web
    assert {"pydantic", "pgqueuer"} <= imported("mediatheque.worker")
