"""Multipart uploads of S3: an object put together from parts inside the store. All calls block."""

import contextlib
import hashlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from mediatheque.storage.pace import UNLIMITED, Pace
from mediatheque.storage.s3_bucket import S3Bucket
from mediatheque.storage.s3_errors import is_gone, is_missing
from mediatheque.storage.stores import ObjectInfo

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, CompleteMultipartUploadRequestTypeDef


@dataclass(frozen=True, slots=True)
class KeptPart:
    """What a store says of a part that it has. ``size`` in bytes, ``crc64nvme`` as S3 writes it."""

    size: int
    etag: str
    crc64nvme: str | None

    def holds(self, body: memoryview, crc64nvme: str) -> bool:
        """Tell whether these are surely the bytes of ``body``.

        Many stores tell no checksum of a part, but most write its MD5 into the ETag.
        """
        if self.size != len(body):
            return False
        if self.crc64nvme is not None:
            return self.crc64nvme == crc64nvme
        return self.etag.strip('"') == hashlib.md5(body, usedforsecurity=False).hexdigest()


class MultipartUpload:
    """One multipart upload in ``bucket``. Parts may be sent by several threads at once.

    CRC64NVME over the whole object (``FULL_OBJECT``) is agreed with the store, which checks every
    part on arrival and the object on completion. Raises what ``s3_errors`` understands.
    """

    def __init__(self, bucket: S3Bucket, key: str, upload_id: str) -> None:
        self.id = upload_id
        self._bucket = bucket
        self._key = bucket.full_key(key)
        self._etags: dict[int, str] = {}

    @classmethod
    def begin(cls, bucket: S3Bucket, key: str, content_type: str) -> Self:
        """Begin a new one."""
        answer = bucket.client.create_multipart_upload(
            Bucket=bucket.name,
            Key=bucket.full_key(key),
            ContentType=content_type,
            ChecksumAlgorithm="CRC64NVME",
            ChecksumType="FULL_OBJECT",
        )
        return cls(bucket, key, answer["UploadId"])

    def kept_parts(self) -> dict[int, KeptPart] | None:
        """Return the parts that the store has, by their number; None when the upload is gone."""
        pages = self._bucket.client.get_paginator("list_parts").paginate(
            Bucket=self._bucket.name, Key=self._key, UploadId=self.id
        )
        try:
            return {
                part["PartNumber"]: KeptPart(
                    part["Size"], part["ETag"], part.get("ChecksumCRC64NVME")
                )
                for page in pages
                for part in page.get("Parts", [])
            }
        except ClientError as error:
            if is_gone(error):
                return None
            raise

    def send_part(
        self,
        number: int,
        body: memoryview,
        *,
        crc64nvme: str,
        give_up: threading.Event,
        pace: Pace = UNLIMITED,
    ) -> str:
        """Send one part and return its ETag; see ``S3Bucket.send``."""
        parameters = {"Key": self._key, "UploadId": self.id, "PartNumber": number}
        etag = self._bucket.send(
            "upload_part", parameters, body, crc64nvme=crc64nvme, give_up=give_up, pace=pace
        )
        self._etags[number] = etag
        return etag

    def keep_part(self, number: int, etag: str) -> None:
        """Let a part that the store has be part of the object."""
        self._etags[number] = etag

    def copy_part(self, number: int, source: ObjectInfo, start: int, end: int) -> None:
        """Let the store take the bytes ``start`` to before ``end`` of ``source`` as one part."""
        assert source.etag is not None  # S3 gives every object one
        answer = self._bucket.client.upload_part_copy(
            Bucket=self._bucket.name,
            Key=self._key,
            UploadId=self.id,
            PartNumber=number,
            CopySource={"Bucket": self._bucket.name, "Key": self._bucket.full_key(source.key)},
            CopySourceRange=f"bytes={start}-{end - 1}",
            CopySourceIfMatch=source.etag,
        )
        self._etags[number] = answer["CopyPartResult"]["ETag"]

    def copy_segment(self, number: int, object_key: str, start: int, end: int) -> None:
        """Let the store take bytes of an intake's segment, of which there is only one version."""
        answer = self._bucket.client.upload_part_copy(
            Bucket=self._bucket.name,
            Key=self._key,
            UploadId=self.id,
            PartNumber=number,
            CopySource={"Bucket": self._bucket.name, "Key": self._bucket.full_key(object_key)},
            CopySourceRange=f"bytes={start}-{end - 1}",
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
            "UploadId": self.id,
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
            if isinstance(error, ClientError) and not is_gone(error):
                raise
            if not self._is_there(size, crc64nvme):
                raise

    def completed(self) -> tuple[int, str | None] | None:
        """Return size in bytes and CRC64NVME of the object under the key, None without one."""
        try:
            found = self._bucket.client.head_object(
                Bucket=self._bucket.name, Key=self._key, ChecksumMode="ENABLED"
            )
        except ClientError as error:
            if is_missing(error):
                return None
            raise
        return found["ContentLength"], found.get("ChecksumCRC64NVME")

    def abort(self) -> None:
        """Remove every part from the store. Never raises; a sweep finds what stays behind."""
        with contextlib.suppress(ClientError, BotoCoreError, HTTPError):
            self.remove()

    def remove(self) -> None:
        """Remove every part from the store. An upload that is gone is fine."""
        try:
            self._bucket.client.abort_multipart_upload(
                Bucket=self._bucket.name, Key=self._key, UploadId=self.id
            )
        except ClientError as error:
            if not is_gone(error):
                raise

    def _is_there(self, size: int, crc64nvme: str | None) -> bool:
        # Without a checksum another object of the same size could pass for ours.
        if crc64nvme is None:
            return False
        try:
            return self.completed() == (size, crc64nvme)
        except (ClientError, BotoCoreError):
            return False
