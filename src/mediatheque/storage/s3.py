"""Stores that speak S3: AWS, MinIO, SeaweedFS, Ceph and others.

Reading, listing and deleting go through obstore. Writing and copying go through boto3, because
only it agrees on a checksum over a whole multipart object, resumes, and copies conditionally.
"""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from botocore.exceptions import ClientError

from mediatheque.domain.errors import NotFoundError
from mediatheque.domain.intakes import Intake
from mediatheque.storage import keys
from mediatheque.storage.intakes import Appender, Hasher, Target
from mediatheque.storage.multipart import MultipartUpload
from mediatheque.storage.part_buffers import PartBuffers
from mediatheque.storage.part_memory import PartMemory
from mediatheque.storage.part_sizes import MOST_PARTS
from mediatheque.storage.remote import RemoteStore
from mediatheque.storage.s3_appender import S3Appender
from mediatheque.storage.s3_bucket import S3Bucket
from mediatheque.storage.s3_copy import LARGEST_COPY, copy_object
from mediatheque.storage.s3_errors import is_gone
from mediatheque.storage.s3_join import S3Join, is_copied, plan_parts
from mediatheque.storage.s3_runs import S3Runs
from mediatheque.storage.s3_sender import S3Sender
from mediatheque.storage.s3_writer import S3Writer
from mediatheque.storage.segments import joined, joined_now
from mediatheque.storage.sending import Sending, Source
from mediatheque.storage.stores import ObjectInfo, Stored

_SENDING_MEMORY = 64 << 20
_RUN_BYTES = 32 << 20
"""What is shorter makes do with objects, which cost two requests less than an upload of parts."""


class S3Store(RemoteStore):
    """Objects below ``prefix`` in ``bucket``.

    ``endpoint`` is the address of a store that is not AWS; ``region`` defaults to what AWS's own
    settings say, else us-east-1. ``largest_copy`` is the size in bytes above which the store
    copies by parts (S3 copies at most 5 GiB at once). ``memory`` as for ``RemoteStore``.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        endpoint: str | None = None,
        region: str | None = None,
        largest_copy: int = LARGEST_COPY,
        memory: PartMemory | None = None,
    ) -> None:
        self._bucket = S3Bucket(bucket, prefix, endpoint=endpoint, region=region)
        super().__init__(self._bucket.objects, self._bucket.place, memory)
        self._largest_copy = largest_copy
        self._buffers = PartBuffers(_SENDING_MEMORY)

    async def check(self) -> None:
        """See ``Store.check``. The listing comes first: some stores create a bucket by a write."""
        client, name = self._bucket.client, self._bucket.name
        await self._bucket.run(
            lambda: client.list_objects_v2(Bucket=name, Prefix=self._bucket.prefix, MaxKeys=1)
        )
        await super().check()

    def writer(self, key: str, *, content_type: str, size_hint: int | None) -> S3Writer:
        """See ``Store.writer``."""
        return S3Writer(
            bucket=self._bucket,
            memory=self._memory,
            key=key,
            content_type=content_type,
            size_hint=size_hint,
        )

    async def send_file(
        self, source: Source, key: str, *, content_type: str, sending: Sending
    ) -> Stored:
        """See ``Store.send_file``."""
        sender = S3Sender(
            bucket=self._bucket,
            buffers=self._buffers,
            threads=self._senders,
            source=source,
            key=key,
            content_type=content_type,
            sending=sending,
        )
        return await sender.send()

    async def abandon(self, key: str, upload_id: str) -> None:
        """See ``Store.abandon``."""
        await self._bucket.run(MultipartUpload(self._bucket, key, upload_id).remove)

    async def head(self, key: str) -> ObjectInfo | None:
        """See ``Store.head``."""
        return await self._bucket.run(self._bucket.head, key)

    async def promote(self, source: ObjectInfo, target: str) -> ObjectInfo:
        """See ``Store.promote``. The store copies only the very object that was seen."""
        try:
            await copy_object(self._bucket, source, target, largest=self._largest_copy)
        except NotFoundError:
            return await self._promoted_before(source, target)
        return await self._finish_promotion(source, target)

    def appender(
        self, intake: Intake, *, digests: Sequence[Hasher] = (), target: Target | None = None
    ) -> Appender:
        """See ``IntakeStore.appender``. Many bytes are sent as parts of the object they become."""
        if target is None or digests or target.expected < _RUN_BYTES:
            return super().appender(intake, digests=digests)
        return S3Appender(
            bucket=self._bucket, store=self, memory=self._memory, intake=intake, target=target
        )

    async def join(self, intake: Intake, key: str, *, content_type: str) -> ObjectInfo:
        """See ``IntakeStore.join``. Bytes pass us only where they have to; see ``S3Join``."""
        made = await S3Runs(self._bucket, self, self._memory, intake).join()
        if isinstance(made, ObjectInfo):
            return made
        intake = made
        parts = plan_parts(intake.segments)
        if len(parts) > MOST_PARTS or not any(map(is_copied, parts)):
            return await super().join(intake, key, content_type=content_type)
        done = await joined(self, intake, key)
        if done is not None:
            return done
        joining = S3Join(self._bucket, self, self._memory, intake, key)
        await joining.join(parts, content_type)
        return await joined_now(self, intake, key)

    async def signed_put(self, key: str, *, expires_in: int) -> str | None:
        """See ``Store.signed_put``."""
        return await self._bucket.run(
            self._bucket.presign,
            "put_object",
            {"Key": self._bucket.full_key(key)},
            expires_in=expires_in,
            method="PUT",
        )

    async def signed_get(
        self, key: str, *, expires_in: int, content_type: str, disposition: str
    ) -> str | None:
        """See ``Store.signed_get``."""
        return await self._bucket.run(
            self._bucket.presign,
            "get_object",
            {
                "Key": self._bucket.full_key(key),
                "ResponseContentType": content_type,
                "ResponseContentDisposition": disposition,
            },
            expires_in=expires_in,
            method="GET",
        )

    async def sweep_unfinished(
        self, before: datetime, *, in_use: Collection[str] = frozenset()
    ) -> int:
        """See ``Store.sweep_unfinished``. An upload is as old as its last part."""
        wanted = frozenset(in_use)
        return await self._bucket.run(
            lambda: sum(1 for _ in self._abort_unfinished(before, wanted))
        )

    async def close(self) -> None:
        """See ``Store.close``."""
        await super().close()
        await asyncio.to_thread(self._bucket.close)

    def _abort_unfinished(self, before: datetime, in_use: frozenset[str]) -> Iterator[str]:
        bucket, name = self._bucket, self._bucket.name
        pages = bucket.client.get_paginator("list_multipart_uploads").paginate(
            Bucket=name, Prefix=bucket.prefix
        )
        for page in pages:
            for upload in page.get("Uploads", []):
                key, upload_id = upload["Key"], upload["UploadId"]
                if upload["Initiated"] >= before or upload_id in in_use:
                    continue
                if not keys.may_be_ours(key.removeprefix(bucket.prefix)):
                    continue
                if self._abort_untouched(key, upload_id, before):
                    yield upload_id

    def _abort_untouched(self, key: str, upload_id: str, before: datetime) -> bool:
        """Abort an upload unless it got a part since; False when that, or its end, has come."""
        bucket = self._bucket
        try:
            if self._touched(key, upload_id, before):
                return False
            bucket.client.abort_multipart_upload(Bucket=bucket.name, Key=key, UploadId=upload_id)
        except ClientError as error:
            if is_gone(error):
                return False
            raise
        return True

    def _touched(self, key: str, upload_id: str, since: datetime) -> bool:
        pages = self._bucket.client.get_paginator("list_parts").paginate(
            Bucket=self._bucket.name, Key=key, UploadId=upload_id
        )
        return any(
            part["LastModified"] >= since for page in pages for part in page.get("Parts", [])
        )
