"""Several files of one transfer at once."""

import asyncio
import time
from collections.abc import AsyncIterator

from mediatheque.catalog import transfer_files
from mediatheque.catalog.database import Database
from mediatheque.domain.errors import UnavailableError
from mediatheque.domain.transfers import FileState, TransferFile
from mediatheque.services.job_runs import JobRun, JobStopped, patiently
from mediatheque.services.transfer_ledger import Ledger
from mediatheque.services.transfer_sender import FileSender
from mediatheque.services.transfer_sending import LARGE_BYTES, FileSending
from mediatheque.storage.pace import SendingStoppedError

_PAGE_FILES = 500
_SMALL_AT_ONCE = 32
_LARGE_AT_ONCE = 2
_FAILURES_IN_A_ROW = 8
_PATIENCE_SECONDS = 30.0


class Segment:
    """How much one call of a transfer that moves only when called may do.

    However little that is, a call gets something done that was not done before: the first file,
    or a part of it where the store keeps parts.
    """

    def __init__(self, most_bytes: int, most_seconds: float) -> None:
        self._most_bytes = most_bytes
        self._deadline = time.monotonic() + most_seconds
        self._begun_bytes = 0
        self._begun_files = 0
        self.over = False

    def begins(self, file: TransferFile) -> bool:
        """Tell whether a file may still begin; after the first refusal none may."""
        missing = file.size - file.sent
        full = self._begun_bytes + missing > self._most_bytes
        spent = full or time.monotonic() > self._deadline
        self.over = self.over or (self._begun_files > 0 and spent)
        if not self.over:
            self._begun_bytes += missing
            self._begun_files += 1
        return not self.over

    def most_of(self, file: TransferFile) -> int | None:
        """Return how many bytes of a file may be moved; None: all that are missing."""
        return self._most_bytes if file.size - file.sent > self._most_bytes else None

    def is_spent(self, moved: int) -> bool:
        """Tell whether it had its bytes, or its time and at least some of them."""
        return moved >= self._most_bytes or (moved > 0 and time.monotonic() > self._deadline)


class Crew:
    """Sends the pending files of a transfer: few large ones and many small ones at once."""

    def __init__(
        self,
        run: JobRun,
        database: Database,
        sender: FileSender,
        ledger: Ledger,
        segment: Segment | None,
    ) -> None:
        self._run = run
        self._database = database
        self._sender = sender
        self._ledger = ledger
        self._segment = segment
        self._small = asyncio.Semaphore(_SMALL_AT_ONCE)
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE if segment is None else 1)
        self._last = -1
        self._stopping = False
        self._failures_in_a_row = 0
        self.trouble: Exception | None = None

    async def work(self) -> None:
        """Try every pending file once. ``trouble`` tells afterwards why some may still be so."""
        # Again until there is none: a folder that could not be read before adds files at the end.
        while await self._try_pending():
            pass

    def stop(self) -> None:
        """Begin no file any more, and stop those under way soon."""
        self._stopping = True
        for sending in self._ledger.under_way:
            sending.stop.set()

    def look(self) -> None:
        """Once the segment is spent, stop the files of which the store keeps what it has."""
        if self._segment is not None and self._segment.is_spent(self._ledger.moved):
            self._segment.over = True
            for sending in self._ledger.under_way:
                sending.stop_if_kept()

    async def _try_pending(self) -> bool:
        """Try the files that come after those that were tried; False when there were none."""
        first = self._last
        tasks: set[asyncio.Task[None]] = set()
        try:
            async for file in self._pending():
                lane = self._large if file.size > LARGE_BYTES else self._small
                await lane.acquire()
                if self._stopping or (self._segment and not self._segment.begins(file)):
                    return False
                self._last = file.position
                task = asyncio.create_task(self._send(file, lane))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        finally:
            if tasks:
                await asyncio.wait(tasks)
        return self._last != first

    async def _pending(self) -> AsyncIterator[TransferFile]:
        async def read() -> list[TransferFile]:
            async with self._database.begin() as transaction:
                files = await transfer_files.page(
                    transaction,
                    self._run.id,
                    state=FileState.PENDING,
                    after=self._last,
                    limit=_PAGE_FILES,
                )
                if self._run.epoch == 1 or not files:
                    return files
                # A worker that was presumed dead may still put an object in its place, made of
                # what the file was then. A multipart upload needs no new place: only one of those
                # who complete it can.
                await self._run.still_holds(transaction)
                return await transfer_files.renew_ids(transaction, self._run.id, files)

        while files := await patiently(read, seconds=_PATIENCE_SECONDS):
            for file in files:
                yield file

    async def _send(self, file: TransferFile, lane: asyncio.Semaphore) -> None:
        sending = FileSending(
            file,
            pace=self._ledger.pace,
            note_upload=self._ledger.note_upload,
            most=None if self._segment is None else self._segment.most_of(file),
        )
        if self._stopping:  # so that a file that begins at this moment is not overlooked
            sending.stop.set()
        try:
            await self._sender.send(sending)
            self._failures_in_a_row = 0
        except (SendingStoppedError, JobStopped):
            pass  # who asked for it knows
        except UnavailableError as error:
            self.trouble = error
            self._failures_in_a_row += 1
            if self._failures_in_a_row >= _FAILURES_IN_A_ROW:
                self.stop()
        except Exception as error:  # noqa: BLE001 - raised again by who asks for the trouble
            self.trouble = error
            self.stop()
        finally:
            lane.release()
