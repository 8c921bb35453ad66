"""A service that tests hurt on one kind of store, and whether anything was left lying about."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from tests.faults.remains import AT_ONCE, in_use, let_age, objects_in, rows, run_janitor, stored
from tests.faults.victim import Victim, running
from tests.support.seaweedfs import SeaweedFS
from tests.support.service import s3_settings

SETTINGS = {
    "MEDIATHEQUE_WORKERS": "2",
    "MEDIATHEQUE_JOB_LEASE": "2",
    "MEDIATHEQUE_PROCESSING_AT_ONCE": "4",
    "MEDIATHEQUE_JANITOR_SCHEDULE": "0 0 1 1 *",  # only when we run it
}


@dataclass(frozen=True)
class Place:
    """A service, and the S3 store below whose prefix it keeps its bytes; None: its own folder."""

    service: Victim
    server: SeaweedFS | None = None
    prefix: str = ""

    def objects(self) -> set[str]:
        """Return the keys of everything in the store."""
        if self.server is None:
            return stored(self.service)
        return objects_in(self.server, self.prefix)

    def unfinished(self) -> int:
        """Return how many multipart uploads the store has not finished."""
        if self.server is None:
            return 0
        found = self.server.client().list_multipart_uploads(
            Bucket=self.server.bucket, Prefix=f"{self.prefix}/"
        )
        return len(found.get("Uploads", []))

    def check_nothing_is_left(self) -> None:
        """Let the janitor take all that nobody uses; check that only medias are there then."""
        let_age(self.service)
        run_janitor(self.service, **AT_ONCE)
        assert self.objects() == in_use(self.service)
        assert self.unfinished() == 0
        for table in ("uploads", "intakes", "intake_segments"):
            assert rows(self.service, f"SELECT * FROM {table}") == []
        folder = self.service.data_dir / "processing"
        assert not folder.exists() or list(folder.iterdir()) == []


@contextmanager
def opened(
    kind: str, folder: Path, server: SeaweedFS | None, settings: Mapping[str, str] = SETTINGS
) -> Iterator[Place]:
    """Run a service for the block; ``kind`` names what is behind it, in an S3 store ``server``."""
    prefix = f"faults-{kind}-{uuid4().hex}"  # a test that is tried again has a database of its own
    variables = {**settings, **(s3_settings(server, prefix) if server else {})}
    with running(folder / "data", variables) as service:
        yield Place(service, server, prefix)
