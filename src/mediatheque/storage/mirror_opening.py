"""From a bucket's address and name to a mirror."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from mediatheque.domain.errors import InvalidError
from mediatheque.storage.folder_mirror import FolderMirror
from mediatheque.storage.keys import BUCKETS, CATALOG_ID
from mediatheque.storage.mirrors import Mirror
from mediatheque.storage.s3_keys import S3Keys


class Mirrors:
    """Opens buckets: those of the configured store, and those at any other address.

    The arguments are those of ``opening.open_store``.
    """

    def __init__(
        self, store_url: str, *, s3_endpoint: str | None, durable: bool, reserved_bytes: int
    ) -> None:
        self._store = urlsplit(store_url)
        self._s3_endpoint = s3_endpoint
        self._durable = durable
        self._reserved_bytes = reserved_bytes

    def open(self, location: str, bucket: str, *, region: str, keys: S3Keys | None) -> Mirror:
        """Return a mirror in ``bucket``; nothing is contacted before it is used.

        ``location`` is an address as ``endpoints.normalise`` writes it, ``region`` and ``keys``
        (None: the service's own) are for it. An empty one is the configured store, where a bucket
        is a folder, or a prefix. Raises InvalidError for a store that has no place for buckets.
        """
        if location:
            return _s3_mirror(bucket, location, region, keys, self._own_marker())
        if self._store.scheme == "file":
            return FolderMirror(
                Path(unquote(self._store.path)),
                bucket,
                durable=self._durable,
                reserved_bytes=self._reserved_bytes,
            )
        if self._store.scheme == "s3":
            prefix = f"{self._store.path.strip('/')}/{BUCKETS}{bucket}"
            return _s3_prefix_mirror(self._store.netloc, prefix, self._s3_endpoint)
        raise InvalidError(
            f"A store at {self._store.scheme}:// cannot hold the buckets of syncs. Name the "
            "address of an S3 store in storage_url.",
            field="storage_url",
        )

    def _own_marker(self) -> bytes | None:
        """Return the key by which the service's own bucket is known at whatever address."""
        if self._store.scheme != "s3":
            return None
        return f"{self._store.path.strip('/')}/{CATALOG_ID}".removeprefix("/").encode()


# What follows brings large libraries along, which those who mirror into folders should not pay.


def _s3_mirror(
    bucket: str, endpoint: str, region: str, keys: S3Keys | None, forbidden: bytes | None
) -> Mirror:
    from mediatheque.storage.s3_bucket import S3Bucket  # noqa: PLC0415
    from mediatheque.storage.s3_mirror import S3Mirror  # noqa: PLC0415

    opened = S3Bucket(bucket, "", endpoint=endpoint, region=region, keys=keys)
    return S3Mirror(opened, forbidden=forbidden)


def _s3_prefix_mirror(bucket: str, prefix: str, endpoint: str | None) -> Mirror:
    from mediatheque.storage.s3_bucket import S3Bucket  # noqa: PLC0415
    from mediatheque.storage.s3_mirror import S3PrefixMirror  # noqa: PLC0415

    return S3PrefixMirror(S3Bucket(bucket, prefix, endpoint=endpoint, region=None))
