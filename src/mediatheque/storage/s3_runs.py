"""Joining intakes of which long runs are parts of multipart uploads already; see ``S3Appender``.

The longest run becomes the object: the store copies what came before and after it to both sides of
it. The others become objects first. Whatever a crash leaves of that is found by the next call.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from botocore.exceptions import ClientError

from mediatheque.domain.intakes import Intake, Part, Segment
from mediatheque.storage.intakes import lost
from mediatheque.storage.multipart import MultipartUpload
from mediatheque.storage.part_memory import PartMemory
from mediatheque.storage.part_sizes import MOST_PARTS
from mediatheque.storage.s3_bucket import S3Bucket
from mediatheque.storage.s3_errors import is_gone
from mediatheque.storage.s3_join import SMALLEST_PART, Piece, S3Join, plan_parts, readable, size_of
from mediatheque.storage.segments import joined_now
from mediatheque.storage.stores import ObjectInfo, Store


@dataclass(frozen=True, slots=True)
class _Run:
    """Segments that are parts of one upload: those from position ``start`` to before ``end``."""

    key: str
    start: int
    end: int
    size: int
    parts: tuple[Part, ...]

    def upload(self, bucket: S3Bucket) -> MultipartUpload:
        """Return the upload with the parts that were acknowledged, and no others."""
        upload = MultipartUpload(bucket, self.key, self.parts[0].upload_id)
        for part in self.parts:
            upload.keep_part(part.number, part.etag)
        return upload


class S3Runs:
    """The runs of ``intake``. ``store`` is the one behind ``bucket``; ``memory`` as for a join."""

    def __init__(self, bucket: S3Bucket, store: Store, memory: PartMemory, intake: Intake) -> None:
        self._bucket = bucket
        self._store = store
        self._memory = memory
        self._intake = intake

    async def join(self) -> ObjectInfo | Intake:
        """Return the object that was made, else the intake with none but readable segments.

        Raises ConflictError when acknowledged bytes are gone.
        """
        runs = _runs(self._intake.segments)
        base = max(runs, key=lambda run: run.size, default=None)
        for run in runs:
            if run is not base:
                await self._complete(run)
        if base is None:
            return self._intake
        done = await self._store.head(base.key)
        if done is not None and done.size == self._intake.size:
            if done.crc64nvme not in {None, self._intake.crc64nvme}:
                raise lost(self._intake)
            return done
        before = plan_parts(readable(self._intake.segments[: base.start]))
        after = plan_parts(readable(self._intake.segments[base.end :]))
        first, last = base.parts[0].number, base.parts[-1].number
        fits = len(before) < first and last + len(after) <= MOST_PARTS
        if done is not None or not fits or (before and size_of(before[-1]) < SMALLEST_PART):
            await self._complete(base)
            return replace(self._intake, segments=tuple(readable(self._intake.segments)))
        joining = S3Join(self._bucket, self._store, self._memory, self._intake, base.key)
        await joining.join_around(
            base.upload(self._bucket), before=before, after=_numbered(after, last + 1)
        )
        return await joined_now(self._store, self._intake, base.key)

    async def _complete(self, run: _Run) -> None:
        """Make an object of a run, if it is none yet; it may be longer than what was recorded."""
        found = await self._store.head(run.key)
        if found is None:
            await self._bucket.transfer(self._make_object, run)
        elif found.size < run.size:
            raise lost(self._intake)

    def _make_object(self, run: _Run) -> None:
        try:
            run.upload(self._bucket).complete(size=run.size, crc64nvme=None)
        except ClientError as error:
            if is_gone(error):
                raise lost(self._intake) from error
            raise


def _runs(segments: Sequence[Segment]) -> list[_Run]:
    runs = []
    numbered = enumerate(segments)
    for upload_id, several in groupby(numbered, lambda one: one[1].part and one[1].part.upload_id):
        if upload_id is None:
            continue
        positions, parts = zip(*several, strict=True)
        runs.append(
            _Run(
                key=parts[0].object_key,
                start=positions[0],
                end=positions[-1] + 1,
                size=sum(part.size for part in parts),
                parts=tuple(one.part for one in parts if one.part is not None),
            )
        )
    return runs


def _numbered(parts: Sequence[Piece], first: int) -> list[tuple[int, Piece]]:
    return list(enumerate(parts, start=first))
