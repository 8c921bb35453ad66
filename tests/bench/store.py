"""The S3 store that transfers go to, looked at without any of the code that is measured."""

import re
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
_MOST_READ = 10_000

_MARK = re.compile(r"^[0-9a-f]{8}-")


class Bucket:
    """The one bucket of a running store. ``server`` says where it is and what opens it."""

    def __init__(self, server: SeaweedFS) -> None:
        self.server = server
        self._store = self._store_of(server.bucket)

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

    def check_mirror(self, bucket: str, source: Path) -> None:
        """Read a bucket back, a part of it when it is large; it must be what the folder is.

        :raises BenchError: an object is missing, too many, or has other bytes.
        """
        mirror = self._store_of(bucket)
        pages = obstore.list(mirror)
        keys = {str(one["path"]) for page in pages for one in page}
        files = {path.relative_to(source).as_posix() for path in source.rglob("*.bin")}
        if keys != files:
            raise BenchError(f"the bucket has {len(keys)} objects, the folder {len(files)} files")
        some = sorted(keys)[:: max(1, len(keys) // _MOST_READ)]
        with ThreadPoolExecutor(_READERS) as readers:
            found = readers.map(lambda key: _digest_of(mirror, key), some)
            wanted = readers.map(lambda key: file_digest(source / key), some)
            if list(found) != list(wanted):
                raise BenchError("the bucket has other bytes than the folder")

    def remove_bucket(self, bucket: str) -> None:
        """Delete a bucket and what is in it."""
        mirror = self._store_of(bucket)
        obstore.delete(mirror, [str(one["path"]) for page in obstore.list(mirror) for one in page])
        self.server.client().delete_bucket(Bucket=bucket)

    def remove(self, keys: Iterable[str]) -> None:
        """Delete objects."""
        obstore.delete(self._store, list(keys))

    def _digest(self, key: str) -> str:
        return _digest_of(self._store, key)

    def _store_of(self, bucket: str) -> S3Store:
        return S3Store(
            bucket,
            endpoint=self.server.endpoint,
            region="us-east-1",
            access_key_id=self.server.access_key,
            secret_access_key=self.server.secret_key,
            client_options={"allow_http": True},
        )


@contextmanager
def running(directory: Path) -> Iterator[Bucket]:
    """Run SeaweedFS on an empty folder for the length of a block."""
    directory.mkdir(parents=True)
    with run_seaweedfs(directory) as server:
        yield Bucket(server)


def _digest_of(bucket: S3Store, key: str) -> str:
    hasher = blake3()
    for chunk in obstore.get(bucket, key).stream():
        hasher.update(chunk)
    return hasher.hexdigest()


def _name(key: str) -> str:
    """Return what an object is called after, without the mark of the upload that made it."""
    return _MARK.sub("", key.rpartition("/")[2])
