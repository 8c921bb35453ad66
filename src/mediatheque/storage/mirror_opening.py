"""From a bucket's address and name to a mirror."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from mediatheque.domain.errors import InvalidError
from mediatheque.storage.endpoints import normalise
from mediatheque.storage.folder_mirror import BUCKETS, FolderMirror
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
        is a folder, or a prefix. Raises InvalidError for a store that has no place for buckets,
        and for the bucket that holds the service's own objects.
        """
        if location:
            self._check_foreign(location, bucket)
            return _s3_mirror(bucket, location, region, keys)
        if self._store.scheme == "file":
            return FolderMirror(
                Path(unquote(self._store.path)),
                bucket,
                durable=self._durable,
                reserved_bytes=self._reserved_bytes,
            )
        if self._store.scheme == "s3":
            prefix = f"{self._store.path.strip('/')}/{BUCKETS}/{bucket}"
            return _s3_prefix_mirror(self._store.netloc, prefix, self._s3_endpoint)
        raise InvalidError(
            f"A store at {self._store.scheme}:// cannot hold the buckets of syncs. Name the "
            "address of an S3 store in storage_url.",
            field="storage_url",
        )

    def _check_foreign(self, location: str, bucket: str) -> None:
        """Raise InvalidError when a mirror there would delete the service's own objects."""
        if self._store.scheme == "s3" and self._store.netloc == bucket and self._is_own(location):
            raise InvalidError(
                f"The bucket {bucket!r} at {location} holds the service's own objects. Name "
                "another one.",
                field="dest",
            )

    def _is_own(self, location: str) -> bool:
        if self._s3_endpoint is None:
            return location.endswith((".amazonaws.com", ".amazonaws.com.cn"))
        try:
            return normalise(self._s3_endpoint, field="MEDIATHEQUE_S3_ENDPOINT") == location
        except InvalidError:  # one with a path: no location has such
            return False


# What follows brings large libraries along, which those who mirror into folders should not pay.


def _s3_mirror(bucket: str, endpoint: str, region: str, keys: S3Keys | None) -> Mirror:
    from mediatheque.storage.s3_bucket import S3Bucket  # noqa: PLC0415
    from mediatheque.storage.s3_mirror import S3Mirror  # noqa: PLC0415

    return S3Mirror(S3Bucket(bucket, "", endpoint=endpoint, region=region, keys=keys))


def _s3_prefix_mirror(bucket: str, prefix: str, endpoint: str | None) -> Mirror:
    from mediatheque.storage.s3_bucket import S3Bucket  # noqa: PLC0415
    from mediatheque.storage.s3_mirror import S3PrefixMirror  # noqa: PLC0415

    return S3PrefixMirror(S3Bucket(bucket, prefix, endpoint=endpoint, region=None))
