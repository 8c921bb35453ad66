"""Running transfers: find the files, send them, say how it ended."""

import asyncio
from dataclasses import dataclass

from mediatheque.catalog import jobs, transfer_files, transfers
from mediatheque.catalog.database import Database
from mediatheque.domain.errors import MediathequeError, StorageFullError, UnavailableError
from mediatheque.domain.jobs import Signal, error_sentence, retry_delay
from mediatheque.domain.transfers import Transfer
from mediatheque.services.job_runs import (
    JobFailedError,
    JobPaused,
    JobRun,
    JobStopped,
    LeaseLost,
    patiently,
)
from mediatheque.services.processing import ProcessingService
from mediatheque.services.transfer_crew import Crew, Segment
from mediatheque.services.transfer_ledger import Ledger
from mediatheque.services.transfer_scan import Scan
from mediatheque.services.transfer_sender import FileSender
from mediatheque.services.transfer_uploads import abandon_uploads, forget_uploads
from mediatheque.storage.sources import SourceRoots
from mediatheque.storage.stores import Store

_LOOK_SECONDS = 0.2
_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class TransferLimits:
    """``max_size`` of a file and ``segment_bytes`` in bytes, ``segment_seconds`` in seconds.

    ``deduplicate``: bytes that the store has already are not sent again.
    """

    max_size: int
    segment_bytes: int
    segment_seconds: float
    deduplicate: bool


class TransferRunner:
    """Does the work of transfers, in the process that runs their jobs."""

    def __init__(
        self,
        database: Database,
        store: Store,
        roots: SourceRoots,
        *,
        limits: TransferLimits,
        processing: ProcessingService,
    ) -> None:
        self._database = database
        self._store = store
        self._roots = roots
        self._limits = limits
        self._processing = processing

    async def run(self, run: JobRun) -> None:
        """Move a transfer to its end; one that moves only when called, by one segment.

        Goes on where an earlier run ended. Raises JobFailedError when files failed, JobPaused at
        the end of a segment, UnavailableError or StorageFullError when the store is at fault: then
        it is to be tried again, save for the last time, when everything that is left has failed.
        """
        try:
            await self._run(run)
        except (LeaseLost, JobPaused):
            raise
        except JobStopped:
            await self._clean_up_if_cancelled(run)
            raise
        except (UnavailableError, StorageFullError) as error:
            if retry_delay(run.retry_count) is None:
                await self._fail_rest(run, error)
            raise

    async def _run(self, run: JobRun) -> None:
        run.check()
        transfer = await self._find(run)
        if transfer.retake:
            await self._retake(run)
        scan = Scan(run, self._database, self._roots, transfer)
        if not transfer.scanned:
            await scan.scan()
            transfer = await self._find(run)
        segment = None
        if transfer.segmented:
            segment = Segment(self._limits.segment_bytes, self._limits.segment_seconds)
        await self._send(run, transfer, scan, segment)
        transfer = await self._find(run)
        if transfer.files_pending and segment is not None:
            raise JobPaused
        if transfer.files_pending:
            raise UnavailableError(f"{transfer.files_pending} files could not be sent.")
        if transfer.files_failed:
            reason = await self._note_failure(run)
            raise JobFailedError(
                f"{transfer.files_failed} of {transfer.files_total} files failed: {reason}"
            )

    async def _send(
        self, run: JobRun, transfer: Transfer, scan: Scan, segment: Segment | None
    ) -> None:
        """Send what is pending. Raises why some of it may still be so."""
        ledger = Ledger(run, self._database, transfer, self._processing)
        sender = FileSender(
            run.principal,
            transfer,
            ledger,
            scan.add_below,
            database=self._database,
            store=self._store,
            roots=self._roots,
            max_size=self._limits.max_size,
            deduplicate=self._limits.deduplicate,
        )
        crew = Crew(run, self._database, sender, ledger, segment)
        keeping = asyncio.create_task(ledger.keep_up())
        working = asyncio.create_task(crew.work())
        try:
            while not (working.done() or keeping.done()):
                await asyncio.wait(
                    {working, keeping}, timeout=_LOOK_SECONDS, return_when="FIRST_COMPLETED"
                )
                crew.look()
        finally:
            # Whatever happens, nothing of this run goes on after it.
            crew.stop()
            ledger.close()
            await asyncio.wait({working, keeping})
        lost = isinstance(keeping.exception(), LeaseLost)
        if not lost:
            await ledger.flush()
        for error in (keeping.exception(), working.exception(), crew.trouble):
            if error is not None:
                raise error

    async def _find(self, run: JobRun) -> Transfer:
        async def read() -> Transfer | None:
            async with self._database.read() as connection:
                return await transfers.find(connection, run.id, owner=None)

        transfer = await patiently(read, seconds=_PATIENCE_SECONDS)
        if transfer is None:
            raise LeaseLost
        return transfer

    async def _retake(self, run: JobRun) -> None:
        """Take up again what failed: somebody retries the job."""
        async with self._database.begin() as transaction:
            await run.still_holds(transaction)
            await transfer_files.reopen(transaction, run.id)

    async def _note_failure(self, run: JobRun) -> str:
        """Leave the files that failed to the next run, if there is one; return the first reason."""
        async with self._database.begin() as transaction:
            await run.still_holds(transaction)
            await transfers.change(transaction, run.id, retake=True)
            return await transfer_files.first_error(transaction, run.id)

    async def _clean_up_if_cancelled(self, run: JobRun) -> None:
        async with self._database.begin() as transaction:
            await run.still_holds(transaction)
            job = await jobs.find(transaction, run.id, owner=None)
            if job is None or job.signal is not Signal.CANCEL:
                return
            forgotten = await forget_uploads(transaction, run.id)
        await abandon_uploads(self._store, forgotten)

    async def _fail_rest(self, run: JobRun, error: MediathequeError) -> None:
        async with self._database.begin() as transaction:
            await run.still_holds(transaction)
            await transfer_files.fail_pending(transaction, run.id, error_sentence(error))
