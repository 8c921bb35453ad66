"""Joining intakes of which long runs are parts of multipart uploads already; see ``S3Appender``.

One run becomes the object: the store copies what came before and after it to both sides of it. The
others become objects first. Whatever a crash leaves of that is found by the next call.

S3 wants the parts of an object to be numbered from 1, without gaps (API Reference, CompletedPart).
So one run at most leaves numbers for what came before it, and must become an object together with
that; all others begin with 1. When there is none, it is the run with which the intake begins.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from botocore.exceptions import ClientError

from mediatheque.domain.errors import ConflictError
from mediatheque.domain.intakes import Intake, Part, Segment
from mediatheque.storage.intakes import lost
from mediatheque.storage.multipart import MultipartUpload
from mediatheque.storage.part_memory import PartMemory
from mediatheque.storage.part_sizes import MOST_PARTS
from mediatheque.storage.s3_bucket import S3Bucket
from mediatheque.storage.s3_errors import is_gone
from mediatheque.storage.s3_join import (
    SMALLEST_PART,
    Piece,
    S3Join,
    plan_parts,
    readable,
    size_of,
    some_at_once,
)
from mediatheque.storage.segments import made_now
from mediatheque.storage.stores import ObjectInfo, Store

MOST_RUN_PARTS = 9_000
"""How many parts one run may have: the numbers behind them are for what the store copies there."""


def first_number(before: Sequence[Segment], *, expected: int) -> int:
    """Return with which number a run begins that comes behind ``before``.

    It leaves numbers for that when it is ``expected`` to have more bytes, and no other does.
    """
    left = plan_parts(readable(before))
    leave = (
        not any(run.leaves_numbers for run in _runs(before))
        and expected > sum(segment.size for segment in before)
        and len(left) < MOST_RUN_PARTS
    )
    return len(left) + 1 if leave else 1


@dataclass(frozen=True, slots=True)
class _Run:
    """Segments that are parts of one upload: those from position ``start`` to before ``end``."""

    key: str
    start: int
    end: int
    size: int
    parts: tuple[Part, ...]

    @property
    def leaves_numbers(self) -> bool:
        """Whether parts that come before fit in front of its own."""
        return self.parts[0].number > 1

    def has_numbers_for(self, after: Sequence[Piece]) -> bool:
        """Tell whether as many parts fit behind its own."""
        return self.parts[-1].number + len(after) <= MOST_PARTS

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
        base = self._base(runs)
        others = (run for run in runs if run is not base)
        await some_at_once(functools.partial(self._complete, run) for run in others)
        if base is None:
            return replace(self._intake, segments=tuple(readable(self._intake.segments)))
        done = await self._store.head(base.key)
        if done is None:
            await self._join_around(base)
            done = await made_now(self._store, base.key)
        if done.size != self._intake.size:
            return self._with_object(base, done)
        if done.crc64nvme not in {None, self._intake.crc64nvme}:
            raise lost(self._intake)
        return done

    def _base(self, runs: Sequence[_Run]) -> _Run | None:
        """Return the run around which an object is made, if there is one.

        All others have to fit around it, unless it leaves numbers: then those before it are enough.
        """
        base = next((run for run in runs if run.leaves_numbers), runs[0] if runs else None)
        if base is None:
            return None
        before, after = self._around(base)
        fits = len(before) + 1 == base.parts[0].number and not (
            before and size_of(before[-1]) < SMALLEST_PART
        )
        return base if fits and (base.leaves_numbers or base.has_numbers_for(after)) else None

    def _around(self, base: _Run) -> tuple[list[Piece], list[Piece]]:
        """Return what the store copies before a run and after it."""
        segments = self._intake.segments
        return (
            plan_parts(readable(segments[: base.start])),
            plan_parts(readable(segments[base.end :])),
        )

    async def _join_around(self, base: _Run) -> None:
        """Make the object of a run, of what comes before it and, if that fits, of what follows."""
        before, after = self._around(base)
        size = self._intake.size
        crc64nvme: str | None = self._intake.crc64nvme
        if not base.has_numbers_for(after):
            after, size, crc64nvme = [], self._size_to(base.end), None
        joining = S3Join(self._bucket, self._store, self._memory, self._intake, base.key)
        try:
            await joining.join_around(
                base.upload(self._bucket),
                before=before,
                after=list(enumerate(after, start=base.parts[-1].number + 1)),
                size=size,
                crc64nvme=crc64nvme,
            )
        except ConflictError:
            # Whoever was presumed dead may have completed the upload meanwhile.
            if await self._store.head(base.key) is None:
                raise

    def _size_to(self, end: int) -> int:
        return sum(segment.size for segment in self._intake.segments[:end])

    def _with_object(self, base: _Run, done: ObjectInfo) -> Intake:
        """Return the intake with the object that was made of fewer of its bytes."""
        segments = self._intake.segments
        size = self._size_to(base.end)
        if done.size < size:
            raise lost(self._intake)
        behind = readable(segments[base.end :])
        return replace(self._intake, segments=(Segment(base.key, size), *behind))

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
            if not is_gone(error):
                raise
            # It is gone when its completion went through and only the answer was lost, too.
            found = self._bucket.head(run.key)
            if found is None or found.size < run.size:
                raise lost(self._intake) from error


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
