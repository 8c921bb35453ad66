"""Copies inside an S3 store: no byte leaves it, and what is copied is the object that was seen."""

import asyncio
import contextlib
import itertools
from collections.abc import Iterator

from botocore.exceptions import ClientError

from mediatheque.domain.errors import NotFoundError
from mediatheque.storage.multipart import MultipartUpload
from mediatheque.storage.part_sizes import MOST_PARTS
from mediatheque.storage.remote import changed
from mediatheque.storage.s3_bucket import S3Bucket
from mediatheque.storage.s3_errors import is_missing, is_precondition
from mediatheque.storage.stores import ObjectInfo

LARGEST_COPY = 5 << 30
_PART_BYTES = 512 << 20
_AT_ONCE = 4


async def copy_object(
    bucket: S3Bucket, source: ObjectInfo, target: str, *, largest: int = LARGEST_COPY
) -> str | None:
    """Copy ``source``, as it was seen, to the key ``target``; by parts above ``largest`` bytes.

    Returns the ETag of the copy, or None when it was copied by parts. Raises ConflictError when
    the source has changed, NotFoundError when it is gone.
    """
    if source.size <= largest:
        return await bucket.transfer(_copy_at_once, bucket, source, target)
    upload = await bucket.transfer(_begin, bucket, source, target)
    try:
        step = copied_part_bytes(source.size, largest)
        parts = enumerate(range(0, source.size, step), start=1)
        while batch := list(itertools.islice(parts, _AT_ONCE)):
            await asyncio.gather(
                *(
                    bucket.transfer(_copy_part, upload, source, number, start, step)
                    for number, start in batch
                )
            )
        await bucket.transfer(upload.complete, size=source.size, crc64nvme=source.crc64nvme)
    except BaseException:
        await bucket.run(upload.abort)
        raise
    return None


def copied_part_bytes(size: int, largest: int) -> int:
    """Return how large the parts are of which an object of ``size`` bytes is copied."""
    return max(min(largest, _PART_BYTES), -(-size // MOST_PARTS))


def _copy_at_once(bucket: S3Bucket, source: ObjectInfo, target: str) -> str:
    assert source.etag is not None  # S3 gives every object one
    with _changes(source):
        answer = bucket.client.copy_object(
            Bucket=bucket.name,
            Key=bucket.full_key(target),
            CopySource={"Bucket": bucket.name, "Key": bucket.full_key(source.key)},
            CopySourceIfMatch=source.etag,
            ChecksumAlgorithm="CRC64NVME",
        )
    return answer["CopyObjectResult"]["ETag"]


def _begin(bucket: S3Bucket, source: ObjectInfo, target: str) -> MultipartUpload:
    # Unlike CopyObject, a copy by parts does not bring the content type along.
    with _changes(source):
        seen = bucket.client.head_object(Bucket=bucket.name, Key=bucket.full_key(source.key))
    return MultipartUpload.begin(bucket, target, seen["ContentType"])


def _copy_part(
    upload: MultipartUpload, source: ObjectInfo, number: int, start: int, step: int
) -> None:
    with _changes(source):
        upload.copy_part(number, source, start, min(start + step, source.size))


@contextlib.contextmanager
def _changes(source: ObjectInfo) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if is_missing(error):
            raise NotFoundError(f"There is no object {source.key}.") from error
        if is_precondition(error):
            raise changed(source) from error
        raise
