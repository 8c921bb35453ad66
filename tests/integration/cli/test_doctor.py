"""What ``mediatheque doctor`` finds."""

import json
import subprocess
from pathlib import Path

from tests.integration.cli.conftest import Run
from tests.support.service import COMMAND, Service, environment, free_port

Found = dict[str, list[tuple[str, str]]]


def run(
    data_dir: Path, *arguments: str, settings: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *arguments],
        env=environment(data_dir, settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def examine(run: Run, data_dir: Path, settings: dict[str, str] | None = None) -> tuple[int, Found]:
    """Return the exit code, and per check its states and sentences."""
    settings = {"MEDIATHEQUE_PORT": str(free_port()), **(settings or {})}
    done = run(data_dir, "doctor", "--json", settings=settings)
    assert done.stderr == ""
    found: Found = {}
    for finding in json.loads(done.stdout):
        found.setdefault(finding["check"], []).append((finding["state"], finding["detail"]))
    return done.returncode, found


def test_before_the_first_start_everything_is_well_and_no_database_is_made(
    tmp_path: Path, run_here: Run
) -> None:
    code, found = examine(run_here, tmp_path / "data", {"MEDIATHEQUE_SOURCE_ROOTS": str(tmp_path)})

    assert code == 0
    assert {state for findings in found.values() for state, _ in findings} == {"ok"}
    assert found["database"] == [("ok", "The embedded one will be made by the first start.")]
    uploads = tmp_path / "data" / "uploads"
    assert found["uploads root"] == [("ok", f"{uploads} is made at the start.")]
    assert not (tmp_path / "data" / "postgres").exists()


def test_beside_a_running_service_it_sees_its_database_and_its_worker(
    local_service: Service,
) -> None:
    code, found = examine(run, local_service.data_dir)

    assert code == 0
    assert found["address"] == [("ok", "A service runs on this data directory.")]
    assert found["database"] == [("ok", "It answers, and its schema is the newest.")]
    assert found["job workers"] == [("ok", "1 running")]
    assert found["uploads root"] == [("ok", f"{local_service.data_dir}/uploads")]


def test_what_is_wrong_is_named_with_what_to_do_about_it(
    tmp_path: Path, run_here: Run, local_service: Service
) -> None:
    open_secret = tmp_path / "data" / "secret"
    open_secret.parent.mkdir()
    open_secret.write_text("s" * 40)
    open_secret.chmod(0o644)
    code, found = examine(
        run_here,
        tmp_path / "data",
        {
            "MEDIATHEQUE_SOURCE_ROOTS": str(tmp_path / "nowhere"),
            "MEDIATHEQUE_UPLOADS_ROOT": str(tmp_path / "no uploads"),
            "MEDIATHEQUE_PORT": str(local_service.port),
            "MEDIATHEQUE_JANITOR_SCHEDULE": "61 * * * *",
            "MEDIATHEQUE_DURABILITY": "relaxed",
            "MEDIATHEQUE_WORKRES": "3",
            "MEDIATHEQUE_DATABASE_URL": f"postgresql://u@127.0.0.1:{free_port()}/x",
        },
    )

    assert code == 10
    assert found["source roots"] == [
        ("error", f"{tmp_path}/nowhere is not a folder. Create or correct it.")
    ]
    assert found["uploads root"] == [
        ("error", f"{tmp_path}/no uploads is not a folder. Create or correct it.")
    ]
    assert found["secret"] == [
        ("error", f"Others can read {open_secret}. Run: chmod 600 {open_secret}")
    ]
    assert found["address"][0][0] == "error"
    assert str(local_service.port) in found["address"][0][1]
    assert [state for state, _ in found["settings"]] == ["warning", "error", "warning"]
    assert "MEDIATHEQUE_WORKRES" in found["settings"][0][1]
    assert found["database"][0][0] == "error"
    assert "MEDIATHEQUE_DATABASE_URL" in found["database"][0][1]
    assert found["store"][0][0] == "ok"


def test_a_store_that_belongs_to_another_catalog_is_found(
    tmp_path: Path, run_here: Run, local_service: Service
) -> None:
    assert run_here(tmp_path / "data", "prepare").returncode == 0

    objects = (local_service.data_dir / "objects").as_uri()
    code, found = examine(run_here, tmp_path / "data", {"MEDIATHEQUE_STORAGE_URL": objects})

    assert code == 10
    assert found["store"][0][0] == "error"
    assert "belongs to another database" in found["store"][0][1]


def test_a_data_directory_that_cannot_be_is_an_error(tmp_path: Path, run_here: Run) -> None:
    (tmp_path / "file").write_text("")

    code, found = examine(run_here, tmp_path / "file" / "data")

    assert code == 10
    assert found["data directory"] == [
        (
            "error",
            f"{tmp_path}/file cannot be written. Set MEDIATHEQUE_DATA_DIR to a folder of yours.",
        )
    ]


def test_a_name_too_long_for_a_folder_is_an_error(tmp_path: Path, run_here: Run) -> None:
    code, found = examine(run_here, tmp_path / ("x" * 300))

    assert code == 10
    [(state, detail)] = found["data directory"]
    assert state == "error"
    assert "too long" in detail


def test_a_damaged_secret_is_an_error(tmp_path: Path, run_here: Run) -> None:
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    code, found = examine(run_here, tmp_path)

    assert code == 10
    [(state, detail)] = found["secret"]
    assert state == "error"
    assert str(secret) in detail


def test_addresses_that_are_none_are_findings(tmp_path: Path, run_here: Run) -> None:
    wrong = {"MEDIATHEQUE_DATABASE_URL": "garbage", "MEDIATHEQUE_STORAGE_URL": "ftp://host"}
    code, found = examine(run_here, tmp_path / "data", wrong)

    assert code == 10
    assert [state for state, _ in found["database"] + found["store"]] == ["error", "error"]
