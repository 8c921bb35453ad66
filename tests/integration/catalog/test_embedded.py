"""The database that the service brings along."""

from pathlib import Path

from mediatheque.catalog.embedded import EmbeddedPostgres
from tests.support.database import fetch
from tests.support.prepared import put_database


async def test_a_stopped_database_leaves_nothing_outside_of_its_folder(tmp_path: Path) -> None:
    data_dir = tmp_path / ("long-" * 20)
    data_dir.mkdir()
    put_database(data_dir)
    server = EmbeddedPostgres(data_dir)
    socket = Path(server.url.partition("?host=")[2])
    assert not socket.is_relative_to(data_dir)
    server.start()
    try:
        assert await fetch(server.url, "SELECT 1")
    finally:
        server.stop()
    assert not socket.exists()
