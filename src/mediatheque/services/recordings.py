"""What can be asked of recordings: medias that are received in chunks while they are being made."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mediatheque.catalog import intakes, medias, recordings
from mediatheque.catalog.database import Database, Transaction
from mediatheque.domain.access import Principal, owner_scope
from mediatheque.domain.errors import ConflictError, InvalidError, NotFoundError
from mediatheque.domain.ids import new_id, parse_id
from mediatheque.domain.media import Media
from mediatheque.domain.paging import Filter, Listing, Operator
from mediatheque.domain.recordings import ChunkPlace, Recording, RecordingState, original_name
from mediatheque.processing.sniff import HEAD_BYTES, extension_of, sniff
from mediatheque.services.held_intake import HeldIntake, HoldLostError
from mediatheque.services.intake import (
    IntakeBusyError,
    IntakeClosedError,
    IntakeService,
)
from mediatheque.services.jobs import enqueue_in
from mediatheque.services.recording_chunks import (
    ChunkDigest,
    check_next,
    check_open,
    check_same,
    is_earlier,
    refusal,
    within_limit,
)
from mediatheque.storage import keys
from mediatheque.storage.stores import Store
from mediatheque.telemetry import metrics
from mediatheque.telemetry.logs import get_logger

log = get_logger(__name__)

JOB_CLASS = "recording"
QUEUE = "recordings"

_PRIORITY = 10
_CHUNK_PATIENCE_SECONDS = 60
_COMPLETE_PATIENCE_SECONDS = 5
_MOST_MISSING = 5
_MISSING_PAUSE_SECONDS = 0.1
_BATCH = 100
_MOST_KNOWN = 1000
"""Recordings of which a process remembers what they were, so as not to ask at every chunk."""


@dataclass(frozen=True, slots=True)
class RecordingPage:
    """One page of recordings, newest first."""

    recordings: list[Recording]
    more: bool


class RecordingService:
    """Starts recordings, takes their chunks, and completes, lists and shows them.

    ``quiet_after``: seconds without a new chunk after which a recording is completed by itself;
    ``expiry``: seconds after which one that has no bytes is removed; ``most_bytes``: the most that
    one takes.
    """

    def __init__(
        self,
        database: Database,
        store: Store,
        intake: IntakeService,
        *,
        quiet_after: int,
        expiry: int,
        most_bytes: int,
    ) -> None:
        self._database = database
        self._store = store
        self._intake = intake
        self._quiet_after = timedelta(seconds=quiet_after)
        self._expiry = timedelta(seconds=expiry)
        self._most_bytes = most_bytes
        # As they were with their last chunks here. Who holds the intake of one sees by that
        # whether it still is so, and a recording never becomes shorter.
        self._known: dict[str, Recording] = {}

    async def create(self, principal: Principal) -> Recording:
        """Start a recording; it has no bytes yet."""
        media_id = new_id()
        async with self._database.begin() as transaction:
            await intakes.add(transaction, media_id)
            return await recordings.add(
                transaction,
                id=uuid.uuid4(),
                media_id=media_id,
                created_by=principal.name,
                created_role=principal.role,
            )

    async def add(
        self,
        principal: Principal,
        recording_id: str,
        pieces: AsyncIterator[bytes],
        *,
        place: ChunkPlace,
        digests: Mapping[str, bytes],
    ) -> Recording:
        """Append one chunk, durable when this returns; return the recording as it is then.

        ``digests`` are what the chunk must hash to, by algorithm: ``sha-256``, ``sha-512``,
        ``sha``, ``md5``. A chunk that is there already is acknowledged again. Chunks of one
        recording wait for each other, in all processes.

        Raises NotFoundError; ChunkConflictError when the chunk does not belong at ``place`` or the
        recording is complete; TooLargeError when it would become too long; InvalidError when a
        digest is another one; UnavailableError when another chunk takes too long; and what
        ``pieces`` and the store raise. Then nothing of the chunk is kept.
        """
        digest = ChunkDigest(digests)
        recording = self._known.get(recording_id)
        if (
            recording is None
            or owner_scope(principal) not in {None, recording.created_by}
            or is_earlier(recording, place)
        ):
            recording = await self._find_open(principal, recording_id)
        if not is_earlier(recording, place):
            try:
                async with self._intake.hold(
                    recording.media_id, patience=_CHUNK_PATIENCE_SECONDS, insist=True
                ) as held:
                    if held.intake.touched_at != recording.updated_at:
                        # Chunks have arrived since.
                        recording = await self._find_open(principal, recording_id)
                    if not is_earlier(recording, place):
                        check_next(recording, place)
                        added = await self._append(
                            held, recording, pieces, place=place, digest=digest
                        )
                        self._remember(recording_id, added)
                        return added
            except (IntakeClosedError, HoldLostError, NotFoundError) as error:
                recording = await self._find_open(principal, recording_id)
                raise refusal(recording, "Others added to the recording meanwhile.") from error
        await digest.consume(pieces)
        await self._check_repeated(recording, place, digest)
        return recording

    async def complete(self, principal: Principal, recording_id: str) -> Recording:
        """Take no more chunks and let a job process what there is; again: the same answer.

        A chunk under way is waited for, a few seconds. Raises NotFoundError, and ConflictError
        when there are no bytes.
        """
        recording = await self.find(principal, recording_id)
        if recording.state is not RecordingState.RECORDING:
            return recording
        async with contextlib.AsyncExitStack() as stack:
            # Whoever still sends when the patience is over is refused instead. What was completed
            # meanwhile may have no intake any more.
            with contextlib.suppress(IntakeBusyError, IntakeClosedError, NotFoundError):
                held = await stack.enter_async_context(
                    self._intake.hold(
                        recording.media_id, patience=_COMPLETE_PATIENCE_SECONDS, insist=True
                    )
                )
                await held.end_appending()
            return await self._close(recording)

    async def find(self, principal: Principal, recording_id: str) -> Recording:
        """Return a recording. Raises NotFoundError, also when its medias were deleted."""
        parsed = parse_id(recording_id)
        if parsed is not None:
            async with self._database.read() as connection:
                found = await recordings.find(connection, parsed, owner=owner_scope(principal))
            if found is not None:
                return found
        raise _unknown()

    async def page(self, principal: Principal, *, after: str | None, limit: int) -> RecordingPage:
        """Return recordings, newest first, ``after`` the one of this id.

        Raises InvalidError when there is no such recording.
        """
        last = None
        if after is not None:
            try:
                last = await self.find(principal, after)
            except NotFoundError:
                raise InvalidError("after must be the id of a recording.", field="after") from None
        async with self._database.read() as connection:
            found = await recordings.page(
                connection, after=last, limit=limit + 1, owner=owner_scope(principal)
            )
        return RecordingPage(found[:limit], len(found) > limit)

    async def medias(self, principal: Principal, recording: Recording) -> list[Media]:
        """Return what a recording has become so far: its original, and what was derived."""
        of_it = Filter("resource", Operator.IN, (str(recording.id),))
        async with self._database.read() as connection:
            return await medias.page(
                connection, Listing(filters=(of_it,)), owner=owner_scope(principal)
            )

    async def read(self, recording: Recording, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield the bytes as they were received, from ``start`` to before ``end``.

        ``end`` is at most the recording's size. Raises NotFoundError when the original is gone, or
        the store has less than was received.
        """
        missing = 0
        while start < end:
            key, first, last = await self._locate(recording, start, end)
            reached = start
            with contextlib.suppress(NotFoundError):  # moved to another object just now
                async for piece in self._store.read(key, first, last):
                    yield piece
                    start += len(piece)
            if start > reached:
                missing = 0
                continue
            missing += 1
            if missing == _MOST_MISSING:
                raise NotFoundError(
                    f"The store has only {start} of the {recording.size} bytes that were received."
                )
            await asyncio.sleep(_MISSING_PAUSE_SECONDS)

    async def name(self, recording: Recording) -> tuple[str, str]:
        """Return media type and file name of what has arrived so far, told from its first bytes."""
        pieces = self.read(recording, 0, min(HEAD_BYTES, recording.size))
        mime_type = sniff(b"".join([piece async for piece in pieces]), filename="")
        return mime_type, original_name(recording.created_at, extension_of(mime_type))

    async def complete_quiet(self) -> None:
        """Do what is due for recordings that nobody cares for; any number of workers may call it.

        Completes those that got no chunk for long, removes those that never got a byte, and
        processes again those whose job was deleted.
        """
        now = datetime.now(UTC)
        while await self._complete_some(now - self._quiet_after) == _BATCH:
            pass
        while await self._remove_some(now - self._expiry) == _BATCH:
            pass
        while await self._process_some() == _BATCH:
            pass

    async def _find_open(self, principal: Principal, recording_id: str) -> Recording:
        recording = await self.find(principal, recording_id)
        check_open(recording)
        return recording

    async def _append(
        self,
        held: HeldIntake,
        recording: Recording,
        pieces: AsyncIterator[bytes],
        *,
        place: ChunkPlace,
        digest: ChunkDigest,
    ) -> Recording:
        fitting = within_limit(pieces, recording, most_bytes=self._most_bytes)
        appended = await held.append(fitting, digests=[digest])
        digest.check()
        if digest.size == 0 and place.number is None:
            return recording
        added = await held.commit(
            appended,
            lambda group, acknowledgement: recordings.add_chunk(
                group, acknowledgement, recording, size=digest.size, blake3=digest.blake3
            ),
            touched_at=lambda added: added.updated_at,
        )
        metrics.RECEIVED_BYTES.inc(digest.size)
        return added

    def _remember(self, recording_id: str, recording: Recording) -> None:
        self._known.pop(recording_id, None)
        self._known[recording_id] = recording
        if len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]

    async def _check_repeated(
        self, recording: Recording, place: ChunkPlace, digest: ChunkDigest
    ) -> None:
        digest.check()
        async with self._database.read() as connection:
            if place.number is not None:
                chunk = await recordings.chunk(connection, recording.id, place.number)
            else:
                assert place.offset is not None
                chunk = await recordings.chunk_at(connection, recording.id, place.offset)
        check_same(recording, place, chunk, digest)

    async def _close(self, recording: Recording) -> Recording:
        async with self._database.begin() as transaction:
            await intakes.close(transaction, recording.media_id)
            locked = await recordings.lock(transaction, recording.id)
            if locked is None:
                raise _unknown()
            if locked.state is not RecordingState.RECORDING:
                return locked
            if locked.size == 0:
                raise ConflictError("The recording has no bytes yet; there is nothing to complete.")
            return await _process_in(transaction, locked)

    async def _locate(self, recording: Recording, start: int, end: int) -> tuple[str, int, int]:
        """Return the key of the object that holds the byte at ``start``, and the range in it."""
        async with self._database.read() as connection:
            intake = await intakes.find(connection, recording.media_id)
            if intake is None:
                media = await medias.find(connection, recording.media_id, owner=None)
                if media is None:
                    raise _unknown()
                return media.object_key, start, end
        if intake.closed:
            # Its bytes may be one object already that is still being looked at.
            async for info in self._store.list(keys.original_folder(intake.id)):
                return info.key, start, end
        for segment in intake.segments:
            if start < segment.size:
                return segment.object_key, start, min(end, segment.size)
            start, end = start - segment.size, end - segment.size
        raise _unknown()

    async def _complete_some(self, before: datetime) -> int:
        async with self._database.read() as connection:
            quiet = await recordings.quiet(connection, before, limit=_BATCH)
        for recording in quiet:
            # Whatever goes wrong: somebody cares for it after all.
            with contextlib.suppress(IntakeBusyError, IntakeClosedError, NotFoundError):
                async with self._intake.hold(recording.media_id, patience=0) as held:
                    if held.intake.size == recording.size:
                        await self._close(recording)
                        log.info("quiet recording completed", recording=str(recording.id))
        return len(quiet)

    async def _remove_some(self, before: datetime) -> int:
        async with self._database.begin() as transaction:
            removed = await recordings.remove_empty(transaction, before, limit=_BATCH)
        if removed:
            log.info("empty recordings removed", recordings=removed)
        return removed

    async def _process_some(self) -> int:
        async with self._database.begin() as transaction:
            waiting = await recordings.lock_without_job(transaction, limit=_BATCH)
            for recording in waiting:
                await _process_in(transaction, recording)
        return len(waiting)


async def _process_in(transaction: Transaction, recording: Recording) -> Recording:
    """Let a job process a recording that the transaction has locked; return it as it is then."""
    job = await enqueue_in(
        transaction,
        Principal(recording.created_by, recording.created_role),
        job_class=JOB_CLASS,
        queue=QUEUE,
        arguments={"recording": str(recording.id)},
        priority=_PRIORITY,
        unicity=f"recording:{recording.id}",
    )
    return await recordings.change(
        transaction, recording.id, state=RecordingState.PROCESSING, job_id=job.id
    )


def _unknown() -> NotFoundError:
    return NotFoundError("Video not found")
