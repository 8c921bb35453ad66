"""What a running transfer writes down: files that ended, how far the others are, the rate.

Many files are written in one transaction, which holds the job's claim: a crash loses the knowledge
of a few files whose objects are whole, and they are sent again under new ids; a worker that was
replaced writes nothing at all.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mediatheque.catalog import medias, transfer_files, transfers
from mediatheque.catalog.database import Database, Transaction
from mediatheque.domain.media import Media
from mediatheque.domain.transfers import FileState, Transfer, TransferFile
from mediatheque.services.job_runs import JobRun, patiently
from mediatheque.services.processing import ProcessingService
from mediatheque.services.transfer_sending import LARGE_BYTES, FileSending
from mediatheque.storage.pace import Pace
from mediatheque.telemetry import metrics

_BATCH_FILES = 200
_MOST_WAITING = 400
_TICK_SECONDS = 0.4
_RATE_SECONDS = 10.0
_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a file is now, and the media that it became.

    ``base``: the media whose object it shares, when its bytes were there already.
    """

    file: TransferFile
    media: Media | None = None
    base: Media | None = None


class Ledger:
    """The records of one run of a transfer. ``pace`` follows the transfer's bandwidth."""

    def __init__(
        self,
        run: JobRun,
        database: Database,
        transfer: Transfer,
        processing: ProcessingService,
    ) -> None:
        self._run = run
        self._database = database
        self._processing = processing
        self._progress = transfer.progress
        self._outcomes: dict[int, Outcome] = {}
        self._under_way: dict[int, FileSending] = {}
        self._full = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._writing = asyncio.Lock()
        self._closed = False
        self._moved = 0
        self._moments: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])
        self.pace = Pace(transfer.bandwidth)

    @property
    def moved(self) -> int:
        """Bytes that the store got in this run and did not have before."""
        return self._moved + sum(sending.moved for sending in self._under_way.values())

    @property
    def under_way(self) -> list[FileSending]:
        """The files that are being sent now."""
        return list(self._under_way.values())

    @contextlib.contextmanager
    def follow(self, sending: FileSending) -> Iterator[None]:
        """Count what is sent of a file during the block, and note what is left of it afterwards."""
        self._under_way[sending.file.position] = sending
        try:
            yield
        finally:
            del self._under_way[sending.file.position]
            self._moved += sending.moved
            if sending.file.size > LARGE_BYTES:
                self._outcomes[sending.file.position] = Outcome(sending.left)

    async def note_upload(self, file: TransferFile, upload_id: str) -> None:
        """Keep the id of a file's multipart upload; durable when it returns."""

        async def write() -> None:
            async with self._database.begin() as transaction:
                await self._run.still_holds(transaction)
                await transfer_files.set_upload(transaction, self._run.id, file.position, upload_id)

        await patiently(write, seconds=_PATIENCE_SECONDS)

    async def ended(self, outcome: Outcome) -> None:
        """Take an outcome, to be written soon; waits while many are still to be written."""
        await self._room.wait()
        self._outcomes[outcome.file.position] = outcome
        if len(self._outcomes) >= _BATCH_FILES:
            self._full.set()
        if len(self._outcomes) >= _MOST_WAITING and not self._closed:
            self._room.clear()

    async def share(self, outcome: Outcome) -> bool:
        """Write a media that shares the object of its base; False when the base was deleted."""
        return await self._write([outcome])

    async def keep_up(self) -> None:
        """Write what there is to write, several times a second, until ``close`` is called.

        Raises JobStopped when the run is wanted to end, and what ``flush`` raises.
        """
        while not self._closed:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), _TICK_SECONDS)
            self._run.check()
            await self.flush()
            await self._run.save(progress=self._progress, checkpoint={"rate": self._rate()})
            self.pace.limit = await patiently(self._bandwidth, seconds=_PATIENCE_SECONDS)

    def close(self) -> None:
        """Let ``keep_up`` end; what it is writing is written to the end."""
        self._closed = True
        self._full.set()
        self._room.set()

    async def flush(self) -> None:
        """Write everything that has happened so far. Raises LeaseLost and UnavailableError."""
        outcomes = {
            sending.file.position: Outcome(sending.standing)
            for sending in self._under_way.values()
            if sending.file.size > LARGE_BYTES
        } | self._outcomes
        self._outcomes = {}
        self._full.clear()
        self._room.set()
        if outcomes:
            await self._write(list(outcomes.values()))

    async def _bandwidth(self) -> int | None:
        async with self._database.read() as connection:
            return await transfers.bandwidth(connection, self._run.id)

    async def _write(self, outcomes: Sequence[Outcome]) -> bool:
        async def write() -> bool:
            async with self._database.begin() as transaction:
                await self._run.still_holds(transaction)
                return await self._write_in(transaction, outcomes)

        # One at a time, so that what is known of one file is written in the order it happened.
        async with self._writing:
            return await patiently(write, seconds=_PATIENCE_SECONDS)

    async def _write_in(self, transaction: Transaction, outcomes: Sequence[Outcome]) -> bool:
        bases = {outcome.base.id for outcome in outcomes if outcome.base is not None}
        if bases and await medias.hold(transaction, list(bases)) != bases:
            return False
        before = await transfer_files.standing(
            transaction, self._run.id, [outcome.file.position for outcome in outcomes]
        )
        # What is not pending any more was written by an earlier try, whose answer was lost.
        fresh = [o for o in outcomes if before[o.file.position].state is FileState.PENDING]
        files = [outcome.file for outcome in fresh]
        added = [outcome.media for outcome in fresh if outcome.media is not None]
        if files:
            await transfer_files.save(transaction, self._run.id, files)
        if added:
            await medias.add_all(transaction, added)
            await self._processing.probe_in(transaction, self._run.principal, added)
        self._progress = await transfers.count(
            transaction,
            self._run.id,
            files_complete=len(added),
            files_failed=sum(file.state is FileState.FAILED for file in files),
            files_skipped=sum(file.state is FileState.SKIPPED for file in files),
            bytes_total=sum(file.size - before[file.position].size for file in files),
            bytes_complete=sum(file.sent - before[file.position].sent for file in files),
        )
        sent = [o.media.size for o in fresh if o.media is not None and o.base is None]
        metrics.RECEIVED_BYTES.inc(sum(sent))
        return True

    def _rate(self) -> float | None:
        """Return bytes per second over the last ten seconds."""
        now = time.monotonic()
        self._moments.append((now, self.moved))
        while now - self._moments[1][0] > _RATE_SECONDS:
            self._moments.popleft()
        (start, moved_then), (end, moved_now) = self._moments[0], self._moments[-1]
        return round((moved_now - moved_then) / (end - start), 1) if end > start else None
