"""A store together with a database that it does not belong to."""

import subprocess
import time
from pathlib import Path

from tests.support.service import COMMAND, Service, environment, running


def test_a_store_is_safe_from_a_database_that_is_not_its_own(tmp_path: Path) -> None:
    store = tmp_path / "objects"
    shared = {"MEDIATHEQUE_STORAGE_URL": store.as_uri(), "MEDIATHEQUE_ORPHAN_AGE": "1"}
    with running(tmp_path / "owner", shared) as owner:
        owner.http.post("/medias/files/only-copy", files={"media": ("a", b"only copy")})
        owner.stop()
        time.sleep(1.5)

        for command in ("serve", "janitor", "prepare"):
            refused = subprocess.run(
                [COMMAND, command],
                env=environment(tmp_path / "stranger", {**shared, **_port(owner)}),
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert refused.returncode == 6
            assert "The store belongs to another database" in refused.stderr
            assert "Traceback" not in refused.stderr

        owner.start()
        assert owner.http.get("/medias/files/only-copy").content == b"only copy"


def test_a_store_that_lost_its_id_is_given_it_again(tmp_path: Path) -> None:
    with running(tmp_path / "data") as service:
        marker = service.data_dir / "objects" / "catalog-id"
        named = marker.read_text()
        service.stop()
        marker.unlink()

        service.start()

        assert marker.read_text() == named


def _port(service: Service) -> dict[str, str]:
    return {"MEDIATHEQUE_PORT": str(service.port)}
