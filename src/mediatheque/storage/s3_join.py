"""Making one object of an intake's segments inside an S3 store: no byte leaves it."""

import asyncio
import itertools
from collections.abc import Sequence

from botocore.exceptions import ClientError

from mediatheque.domain.intakes import Intake, Segment
from mediatheque.storage.intakes import lost
from mediatheque.storage.multipart import MultipartUpload
from mediatheque.storage.s3_bucket import S3Bucket
from mediatheque.storage.s3_errors import is_checksum_refused, is_missing

_AT_ONCE = 8


async def join_segments(
    bucket: S3Bucket, intake: Intake, segments: Sequence[Segment], key: str, content_type: str
) -> None:
    """Copy the ``segments`` as the parts of one object. All but the last have at least 5 MiB.

    The store compares the intake's checksum over all of it. Raises ConflictError when it differs
    or a segment is gone.
    """
    upload = await bucket.transfer(MultipartUpload.begin, bucket, key, content_type)
    try:
        parts = enumerate(segments, start=1)
        while batch := list(itertools.islice(parts, _AT_ONCE)):
            await asyncio.gather(
                *(bucket.transfer(_copy, upload, intake, number, part) for number, part in batch)
            )
        await bucket.transfer(_complete, upload, intake)
    except BaseException:
        await bucket.run(upload.abort)
        raise


def _copy(upload: MultipartUpload, intake: Intake, number: int, segment: Segment) -> None:
    try:
        upload.copy_segment(number, segment)
    except ClientError as error:
        if is_missing(error):
            raise lost(intake) from error
        raise


def _complete(upload: MultipartUpload, intake: Intake) -> None:
    try:
        upload.complete(size=intake.size, crc64nvme=intake.crc64nvme)
    except ClientError as error:
        if is_checksum_refused(error):
            raise lost(intake) from error
        raise
