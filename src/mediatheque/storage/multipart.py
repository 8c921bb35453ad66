"""Multipart uploads of S3: an object put together from parts inside the store. All calls block."""

import contextlib
import threading
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from mediatheque.storage.s3_bucket import S3Bucket
from mediatheque.storage.s3_errors import code_of
from mediatheque.storage.stores import ObjectInfo

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, CompleteMultipartUploadRequestTypeDef

PART_BYTES = 8 << 20
MOST_PARTS = 10_000
_MIB = 1 << 20
_PLANNED_PARTS = 9_900
_PARTS_BEFORE_DOUBLING = 1_000


def part_bytes(size_hint: int | None, number: int) -> int:
    """Return how large part ``number`` (from 1) shall be, in bytes.

    S3 takes 10,000 parts. With a size to expect, all parts are equal; without one they double
    every 1,000 parts, which reaches beyond S3's largest object.
    """
    if size_hint is None:
        return PART_BYTES << ((number - 1) // _PARTS_BEFORE_DOUBLING)
    mebibytes = -(-size_hint // (_PLANNED_PARTS * _MIB))
    return max(PART_BYTES, mebibytes * _MIB)


class MultipartUpload:
    """One multipart upload in ``bucket``, begun when constructed.

    CRC64NVME over the whole object (``FULL_OBJECT``) is agreed with the store, which checks every
    part on arrival and the object on completion. Raises what ``s3_errors`` understands.
    """

    def __init__(self, bucket: S3Bucket, key: str, content_type: str) -> None:
        self._bucket = bucket
        self._key = bucket.full_key(key)
        self._etags: dict[int, str] = {}
        self._id = bucket.client.create_multipart_upload(
            Bucket=bucket.name,
            Key=self._key,
            ContentType=content_type,
            ChecksumAlgorithm="CRC64NVME",
            ChecksumType="FULL_OBJECT",
        )["UploadId"]

    def send_part(
        self, number: int, body: memoryview, *, crc64nvme: str, give_up: threading.Event
    ) -> None:
        """Send one part; see ``S3Bucket.send``."""
        parameters = {"Key": self._key, "UploadId": self._id, "PartNumber": number}
        self._etags[number] = self._bucket.send(
            "upload_part", parameters, body, crc64nvme=crc64nvme, give_up=give_up
        )

    def copy_part(self, number: int, source: ObjectInfo, start: int, end: int) -> None:
        """Let the store take the bytes ``start`` to before ``end`` of ``source`` as one part."""
        assert source.etag is not None  # S3 gives every object one
        answer = self._bucket.client.upload_part_copy(
            Bucket=self._bucket.name,
            Key=self._key,
            UploadId=self._id,
            PartNumber=number,
            CopySource={"Bucket": self._bucket.name, "Key": self._bucket.full_key(source.key)},
            CopySourceRange=f"bytes={start}-{end - 1}",
            CopySourceIfMatch=source.etag,
        )
        self._etags[number] = answer["CopyPartResult"]["ETag"]

    def complete(self, *, size: int, crc64nvme: str | None) -> None:
        """Make the object visible. The store compares ``crc64nvme`` over all of it, when known.

        When the store's answer was lost and the object is there already, that is fine.
        """
        parts: list[CompletedPartTypeDef] = [
            {"PartNumber": number, "ETag": etag} for number, etag in sorted(self._etags.items())
        ]
        request: CompleteMultipartUploadRequestTypeDef = {
            "Bucket": self._bucket.name,
            "Key": self._key,
            "UploadId": self._id,
            "MultipartUpload": {"Parts": parts},
            "ChecksumType": "FULL_OBJECT",
            "MpuObjectSize": size,
        }
        if crc64nvme is not None:
            request["ChecksumCRC64NVME"] = crc64nvme
        try:
            self._bucket.client.complete_multipart_upload(**request)
        except (ClientError, BotoCoreError) as error:
            # boto3 repeats a request whose answer was lost; the second one finds no upload.
            if isinstance(error, ClientError) and code_of(error) != "NoSuchUpload":
                raise
            if not self._is_there(size, crc64nvme):
                raise

    def abort(self) -> None:
        """Remove every part from the store. Never raises; a sweep finds what stays behind."""
        with contextlib.suppress(ClientError, BotoCoreError, HTTPError):
            self._bucket.client.abort_multipart_upload(
                Bucket=self._bucket.name, Key=self._key, UploadId=self._id
            )

    def _is_there(self, size: int, crc64nvme: str | None) -> bool:
        try:
            found = self._bucket.client.head_object(
                Bucket=self._bucket.name, Key=self._key, ChecksumMode="ENABLED"
            )
        except (ClientError, BotoCoreError):
            return False
        # Without a checksum another object of the same size could pass for ours.
        return (
            crc64nvme is not None
            and found["ContentLength"] == size
            and found.get("ChecksumCRC64NVME") == crc64nvme
        )
