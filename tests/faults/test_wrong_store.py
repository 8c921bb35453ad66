"""A store together with a database that it does not belong to."""

import time
from pathlib import Path

from tests.faults.remains import run_command
from tests.faults.victim import running
from tests.support.prepared import put_database


def test_a_store_is_safe_from_a_database_that_is_not_its_own(tmp_path: Path) -> None:
    store = tmp_path / "objects"
    shared = {"MEDIATHEQUE_STORAGE_URL": store.as_uri(), "MEDIATHEQUE_ORPHAN_AGE": "1"}
    with running(tmp_path / "owner", shared) as owner:
        owner.http.post("/medias/files/only-copy", files={"media": ("a", b"only copy")})
        owner.stop()
        time.sleep(1.5)

        put_database(tmp_path / "stranger")
        for command in ("serve", "janitor", "prepare"):
            port = {"MEDIATHEQUE_PORT": str(owner.port)}
            refused = run_command(tmp_path / "stranger", command, settings={**shared, **port})
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
