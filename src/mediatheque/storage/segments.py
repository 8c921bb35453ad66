"""Segments of intakes that are objects: which of them are full, and how small ones become one.

Full segments come first. Number n of them has the size that part n of a multipart upload shall
have, so that an S3 store can make them parts of one object. The tails behind them are smaller
together than the next full one, into which they are merged in the end.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence

from mediatheque.domain.errors import NotFoundError, UnavailableError
from mediatheque.domain.intakes import NO_BYTES_CRC64NVME, Intake, Segment
from mediatheque.storage import keys
from mediatheque.storage.digest import RunningCrc
from mediatheque.storage.intakes import lost
from mediatheque.storage.part_sizes import part_bytes
from mediatheque.storage.stores import ObjectInfo, Store, Stored

SEGMENT_TYPE = "application/octet-stream"
MOST_TAILS = 32
_READ_AT_ONCE = 8
_READ_BYTES = 4 << 20


def count_full(segments: Sequence[Segment]) -> int:
    """Return how many of an intake's segments are full; the others are tails.

    Up to the last one that is a part of something else they all count as full.
    """
    in_parts = max((end for end, one in enumerate(segments, 1) if one.part is not None), default=0)
    for position in range(in_parts, len(segments)):
        if segments[position].size < part_bytes(None, position + 1):
            return position
    return len(segments)


def first_to_merge(tails: Sequence[Segment]) -> int:
    """Return the position from which on tails are merged when they have become too many.

    Each tail is merged together with at least its own size, so that no byte is written again more
    often than the size can double; what is left alone is larger than all behind it, so that at
    most two dozen tails are left.
    """
    behind = sum(tail.size for tail in tails)
    for position, tail in enumerate(tails):
        behind -= tail.size
        if tail.size <= behind:
            return position
    return len(tails)


async def merge(
    store: Store,
    intake: Intake,
    segments: Sequence[Segment],
    *,
    content_type: str = SEGMENT_TYPE,
) -> Stored:
    """Write the bytes of several segments of ``intake`` as a new object. Leaves the old ones.

    Raises ConflictError when some are gone, StorageFullError or UnavailableError.
    """
    size = sum(segment.size for segment in segments)
    key = keys.staging(intake.id, uuid.uuid4().hex)
    writer = store.writer(key, content_type=content_type, size_hint=size)
    try:
        async for piece in read_segments(store, intake, segments):
            await writer.write(piece)
        return await writer.commit()
    except BaseException:
        await writer.abort()
        raise


async def join_by_merging(
    store: Store, intake: Intake, key: str, *, content_type: str
) -> ObjectInfo:
    """Send all bytes of an intake through this process; see ``IntakeStore.join``.

    Not to ``key`` itself: a writer that is given up removes what it has made, which there may be
    the object of another call, and the only one left.
    """
    done = await joined(store, intake, key)
    if done is not None:
        return done
    whole = await merge(store, intake, intake.segments, content_type=content_type)
    if whole.crc64nvme != intake.crc64nvme:
        await store.delete(whole.key)
        raise lost(intake)
    seen = await store.head(whole.key)
    if seen is None:
        raise UnavailableError(f"The object {whole.key} vanished while it was being moved.")
    return await store.promote(seen, key)


async def joined(store: Store, intake: Intake, key: str) -> ObjectInfo | None:
    """Return the object that an earlier join of the same bytes made, or None."""
    found = await store.head(key)
    if found is None or found.size != intake.size:
        return None
    return found if found.crc64nvme in {None, intake.crc64nvme} else None


async def made_now(store: Store, key: str) -> ObjectInfo:
    """Return an object that was just made. Raises UnavailableError when it is not there."""
    made = await store.head(key)
    if made is None:
        raise _vanished(key)
    return made


async def joined_now(store: Store, intake: Intake, key: str) -> ObjectInfo:
    """Return the object that was just made. Raises UnavailableError when it is not there."""
    made = await joined(store, intake, key)
    if made is None:
        raise _vanished(key)
    return made


def _vanished(key: str) -> UnavailableError:
    return UnavailableError(f"The object {key} vanished while it was being made.")


async def read_segments(
    store: Store, intake: Intake, segments: Sequence[Segment]
) -> AsyncIterator[bytes]:
    """Yield exactly the acknowledged bytes of ``segments``; ConflictError when some are gone.

    Small ones are read several at once: each costs a remote store a round trip. Raises
    UnavailableError when one was damaged on its way here, at the latest behind its last byte: what
    is made of them then must not take their place.
    """
    for start in range(0, len(segments), _READ_AT_ONCE):
        batch = segments[start : start + _READ_AT_ONCE]
        if sum(segment.size for segment in batch) <= _READ_BYTES:
            for content in await asyncio.gather(*(_whole(store, intake, one) for one in batch)):
                yield content
        else:
            for segment in batch:
                async for piece in _pieces(store, intake, segment):
                    yield piece


async def _whole(store: Store, intake: Intake, segment: Segment) -> bytes:
    return b"".join([piece async for piece in _pieces(store, intake, segment)])


async def _pieces(store: Store, intake: Intake, segment: Segment) -> AsyncIterator[bytes]:
    crc = RunningCrc(NO_BYTES_CRC64NVME)
    async for piece in read_range(store, intake, segment.object_key, 0, segment.size):
        await asyncio.to_thread(crc.update, piece)
        yield piece
    kept = await store.head(segment.object_key)
    if kept is None:
        raise lost(intake)
    # One of which more arrived than was acknowledged has the checksum of all of that.
    if kept.size == segment.size and kept.crc64nvme not in {None, crc.value}:
        raise UnavailableError(
            f"Bytes of {intake.id} were damaged on their way from the store. Try again: the store "
            "has them as they were received."
        )


async def read_range(
    store: Store, intake: Intake, object_key: str, start: int, end: int
) -> AsyncIterator[bytes]:
    """Yield the bytes ``start`` to before ``end`` of a segment; ConflictError without them."""
    missing = end - start
    try:
        async for piece in store.read(object_key, start, end):
            missing -= len(piece)
            yield piece
    except NotFoundError as error:
        raise lost(intake) from error
    if missing:
        raise lost(intake)
