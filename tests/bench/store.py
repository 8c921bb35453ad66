"""The S3 store that transfers go to, looked at without any of the code that is measured."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import obstore
from blake3 import blake3
from obstore.store import S3Store

from tests.bench.outcome import BenchError
from tests.bench.source import file_digest
from tests.support.seaweedfs import SeaweedFS, run_seaweedfs
from tests.support.service import s3_settings

_READERS = 16


class Bucket:
    """The one bucket of a running store. ``server`` says where it is and what opens it."""

    def __init__(self, server: SeaweedFS) -> None:
        self.server = server
        self._store = S3Store(
            server.bucket,
            endpoint=server.endpoint,
            region="us-east-1",
            access_key_id=server.access_key,
            secret_access_key=server.secret_key,
            client_options={"allow_http": True},
        )

    def settings(
        self, prefix: str, sources: Path, *, endpoint: str | None = None
    ) -> dict[str, str]:
        """Return the settings of a service that transfers ``sources`` to a prefix of the bucket.

        :param endpoint: where it finds the store, when something stands in front of that.
        """
        server = replace(self.server, endpoint=endpoint or self.server.endpoint)
        return {
            **s3_settings(server, prefix),
            **server.environment,
            "MEDIATHEQUE_SOURCE_ROOTS": str(sources),
        }

    def keys(self, prefix: str) -> set[str]:
        """Return the keys of all objects below a prefix."""
        pages = obstore.list(self._store, prefix=prefix)
        return {str(one["path"]) for page in pages for one in page}

    def check(self, keys: Iterable[str], sources: Iterable[Path]) -> None:
        """Read objects back; each must be the source file that its key is named after.

        :raises BenchError: one is missing, too many, or has other bytes.
        """
        with ThreadPoolExecutor(_READERS) as readers:
            wanted = sorted(readers.map(lambda path: (path.name, file_digest(path)), sources))
            found = sorted(readers.map(lambda key: (_name(key), self._digest(key)), keys))
        if found != wanted:
            raise BenchError(
                f"the store has {len(found)} objects instead of {len(wanted)}, or other bytes"
            )

    def remove(self, keys: Iterable[str]) -> None:
        """Delete objects."""
        obstore.delete(self._store, list(keys))

    def _digest(self, key: str) -> str:
        hasher = blake3()
        for chunk in obstore.get(self._store, key).stream():
            hasher.update(chunk)
        return hasher.hexdigest()


@contextmanager
def running(directory: Path) -> Iterator[Bucket]:
    """Run SeaweedFS on an empty folder for the length of a block."""
    directory.mkdir(parents=True)
    with run_seaweedfs(directory) as server:
        yield Bucket(server)


def _name(key: str) -> str:
    return key.rpartition("/")[2]
