"""What can be asked of transfers. Their work is done by jobs of the same ids."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from mediatheque.catalog import jobs, transfer_files, transfers
from mediatheque.catalog.database import Database, Transaction
from mediatheque.domain.access import Principal, owner_scope
from mediatheque.domain.errors import ConflictError, InvalidError, NotFoundError
from mediatheque.domain.ids import new_id, parse_id
from mediatheque.domain.jobs import SIGNALS_ALLOWED, Job, JobStatus, Signal
from mediatheque.domain.transfers import (
    JOB_STATUS_OF,
    BadSourcesError,
    FileState,
    Transfer,
    TransferFile,
    TransferStatus,
    check_bandwidth,
    parse_cursor,
    request_digest,
)
from mediatheque.services.jobs import enqueue_in, signal_in, start_again
from mediatheque.services.transfer_preview import TransferPreview, preview
from mediatheque.services.transfer_scan import place_of
from mediatheque.services.transfer_uploads import abandon_uploads, forget_uploads
from mediatheque.storage.beneath import Place
from mediatheque.storage.sources import SourceRoots
from mediatheque.storage.stores import Store

JOB_CLASS = "transfer"
QUEUE = "transfers"
SEGMENT_QUEUE = "segments"

_SHOWN_SOURCES = 20
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 0.25
_PARTICIPLES = {
    Signal.CANCEL: "cancelled",
    Signal.PAUSE: "paused",
    Signal.RESUME: "resumed",
    Signal.RETRY: "retried",
}


@dataclass(frozen=True, slots=True)
class TransferPage:
    """One page of transfers, newest first."""

    transfers: list[Transfer]
    more: bool


@dataclass(frozen=True, slots=True)
class FilePage:
    """One page of a transfer's files, by position, each with its ``file:///`` URI."""

    files: list[tuple[TransferFile, str]]
    more: bool


class TransferService:
    """Starts, lists, shows and steers transfers."""

    def __init__(self, database: Database, store: Store, roots: SourceRoots) -> None:
        self._database = database
        self._store = store
        self._roots = roots

    async def start(
        self, principal: Principal, media_files: Sequence[object], *, bandwidth: int | None = None
    ) -> Transfer:
        """Let a job transfer files and everything below folders; return at once.

        ``bandwidth`` in bytes per second. Raises InvalidError, BadSourcesError when some of the
        sources are not there or may not be read: then nothing is started.
        """
        return await self._create(principal, media_files, bandwidth=bandwidth, segmented=False)

    async def preview(self, media_files: Sequence[object]) -> TransferPreview:
        """Return what a transfer would take along, as far as that is found in some seconds.

        Raises InvalidError and BadSourcesError as ``start`` does.
        """
        _, places = await self._locate(media_files)
        return await preview(self._roots, places)

    async def move(
        self, principal: Principal, media_files: Sequence[object] | None, cursor: str | None
    ) -> Transfer:
        """Transfer one segment of files and return how the transfer stands then.

        Without a cursor a new transfer begins; with one, of whatever age, that transfer goes on,
        and ``media_files`` may be None. Raises what ``start`` raises, NotFoundError for a cursor
        that was never given out, ConflictError while another call moves the same transfer.
        """
        if cursor is None:
            begun = await self._create(principal, media_files or (), bandwidth=None, segmented=True)
            return await self._at_rest(principal, begun.id)
        transfer_id = await self._continue(principal, media_files, cursor)
        return await self._at_rest(principal, transfer_id)

    async def find(self, principal: Principal, transfer_id: str) -> Transfer:
        """Return a transfer. Raises NotFoundError."""
        parsed = parse_id(transfer_id)
        if parsed is None:
            raise _unknown(transfer_id)
        return await self._find(principal, parsed)

    async def find_by_cursor(self, principal: Principal, cursor: str) -> Transfer:
        """Return the transfer of a cursor. Raises NotFoundError."""
        parsed = parse_cursor(cursor)
        if parsed is None:
            raise _unknown_cursor(cursor)
        transfer_id, segment = parsed
        async with self._database.read() as connection:
            found = await transfers.find(connection, transfer_id, owner=owner_scope(principal))
        if found is None or segment > found.segments:
            raise _unknown_cursor(cursor)
        return found

    async def page(
        self,
        principal: Principal,
        *,
        statuses: Sequence[TransferStatus],
        after: str | None,
        limit: int,
    ) -> TransferPage:
        """Return transfers in some statuses or (empty) in any, newest first, ``after`` this one."""
        last = None if after is None else parse_id(after)
        if after is not None and last is None:
            raise InvalidError("after must be the id of a transfer.", field="after")
        async with self._database.read() as connection:
            found = await transfers.page(
                connection,
                statuses=statuses,
                after=last,
                limit=limit + 1,
                owner=owner_scope(principal),
            )
        return TransferPage(found[:limit], len(found) > limit)

    async def find_with_files(
        self,
        principal: Principal,
        transfer_id: str,
        *,
        state: FileState | None,
        after: int,
        limit: int,
    ) -> tuple[Transfer, FilePage]:
        """Return a transfer with its files from the one after position ``after``, in one state
        or (None) in any. Raises NotFoundError.
        """
        transfer = await self.find(principal, transfer_id)
        async with self._database.read() as connection:
            found = await transfer_files.page(
                connection, transfer.id, state=state, after=after, limit=limit + 1
            )
        files = [(file, place_of(file).uri) for file in found[:limit]]
        return transfer, FilePage(files, len(found) > limit)

    async def signal(self, principal: Principal, transfer_id: str, signal: Signal) -> Transfer:
        """Cancel, pause, resume a transfer, or retry what failed of it; return it.

        Raises NotFoundError, and ConflictError when its status does not allow it.
        """
        parsed = parse_id(transfer_id)
        forgotten: list[TransferFile] = []
        async with self._database.begin() as transaction:
            job, transfer = await self._lock(transaction, principal, parsed, transfer_id)
            if job.status not in SIGNALS_ALLOWED[signal]:
                raise ConflictError(
                    f"A transfer that is {transfer.status} cannot be {_PARTICIPLES[signal]}."
                )
            if signal is Signal.RETRY:
                await transfer_files.reopen(transaction, transfer.id)
            changed = await signal_in(transaction, principal, job, signal)
            if changed.status is JobStatus.CANCELLED:
                forgotten = await forget_uploads(transaction, transfer.id)
        await abandon_uploads(self._store, forgotten)
        return await self.find(principal, transfer_id)

    async def limit(
        self, principal: Principal, transfer_id: str, bandwidth: int | None
    ) -> Transfer:
        """Set the bandwidth of a transfer in bytes per second; one that runs follows soon."""
        check_bandwidth(bandwidth)
        found = await self.find(principal, transfer_id)
        async with self._database.begin() as transaction:
            await transfers.change(transaction, found.id, bandwidth=bandwidth)
        return await self.find(principal, transfer_id)

    async def _create(
        self,
        principal: Principal,
        media_files: Sequence[object],
        *,
        bandwidth: int | None,
        segmented: bool,
    ) -> Transfer:
        check_bandwidth(bandwidth)
        texts, places = await self._locate(media_files)
        sources = [place.uri for place in places]
        transfer_id = new_id()
        async with self._database.begin() as transaction:
            await enqueue_in(
                transaction,
                principal,
                job_class=JOB_CLASS,
                queue=SEGMENT_QUEUE if segmented else QUEUE,
                arguments={"sources": sources[:_SHOWN_SOURCES], "count": len(sources)},
                job_id=transfer_id,
            )
            await transfers.add(
                transaction,
                id=transfer_id,
                sources=sources,
                request_digest=request_digest(texts),
                segmented=segmented,
                segments=1 if segmented else 0,
                bandwidth=bandwidth,
            )
        return await self._find(principal, transfer_id)

    async def _locate(self, media_files: Sequence[object]) -> tuple[list[str], list[Place]]:
        """Return the sources as they were named, and their places, each once."""
        if not media_files:
            raise InvalidError(
                "media_files must name at least one file or folder.", field="media_files"
            )
        return await asyncio.to_thread(self._locate_all, media_files)

    def _locate_all(self, media_files: Sequence[object]) -> tuple[list[str], list[Place]]:
        texts: list[str] = []
        places: dict[str, Place] = {}
        bad: list[tuple[object, str]] = []
        for entry in media_files:
            if not isinstance(entry, str):
                bad.append((entry, "It is not a text."))
                continue
            try:
                place = self._roots.locate(entry)
                places.setdefault(place.uri, place)
            except InvalidError as error:
                bad.append((entry, error.detail))
            texts.append(entry)
        if bad:
            raise BadSourcesError(bad, of=len(media_files))
        return texts, list(places.values())

    async def _continue(
        self, principal: Principal, media_files: Sequence[object] | None, cursor: str
    ) -> UUID:
        """Let a transfer move by one more segment, unless it has ended."""
        parsed = parse_cursor(cursor)
        if parsed is None:
            raise _unknown_cursor(cursor)
        async with self._database.begin() as transaction:
            job, transfer = await self._lock(transaction, principal, parsed[0], cursor)
            if parsed[1] > transfer.segments:
                raise _unknown_cursor(cursor)
            if media_files is not None and not _is_list_of(transfer, media_files):
                raise InvalidError(
                    "The cursor was made for other media_files. Leave them out, or give the same.",
                    field="media_files",
                )
            if transfer.ended:
                return transfer.id
            if not transfer.segmented:
                raise ConflictError("This transfer runs by itself; ask /status how it stands.")
            if not transfer.at_rest:
                raise ConflictError("Another call moves this transfer now. Wait for its answer.")
            if job.status is JobStatus.PAUSED:
                await signal_in(transaction, principal, job, Signal.RESUME)
            else:
                await start_again(transaction, job)
            await transfers.change(transaction, transfer.id, segments=transfer.segments + 1)
        return transfer.id

    async def _at_rest(self, principal: Principal, transfer_id: UUID) -> Transfer:
        """Return a transfer as soon as it does not move any more."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            transfer = await self._find(principal, transfer_id)
            if transfer.at_rest:
                return transfer
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, _LONGEST_PAUSE_SECONDS)

    async def _find(self, principal: Principal, transfer_id: UUID) -> Transfer:
        async with self._database.read() as connection:
            found = await transfers.find(connection, transfer_id, owner=owner_scope(principal))
        if found is None:
            raise _unknown(str(transfer_id))
        return found

    async def _lock(
        self, transaction: Transaction, principal: Principal, transfer_id: UUID | None, text: str
    ) -> tuple[Job, Transfer]:
        """Keep a transfer as it is until the transaction ends. Raises NotFoundError."""
        owner = owner_scope(principal)
        job = transfer_id and await jobs.lock(transaction, transfer_id, owner=owner)
        transfer = job and await transfers.find(transaction, job.id, owner=owner)
        if not job or not transfer:
            raise _unknown(text)
        return job, transfer


def parse_statuses(text: str) -> list[TransferStatus]:
    """Return the statuses that a text names, separated by commas. Raises InvalidError."""
    try:
        return [TransferStatus(word) for word in text.split(",") if word]
    except ValueError:
        known = ", ".join(JOB_STATUS_OF)
        raise InvalidError(f"status is one or more of {known}.", field="status") from None


def _is_list_of(transfer: Transfer, media_files: Sequence[object]) -> bool:
    texts = [entry for entry in media_files if isinstance(entry, str)]
    return len(texts) == len(media_files) and request_digest(texts) == transfer.request_digest


def _unknown(transfer_id: str) -> NotFoundError:
    return NotFoundError(f"There is no transfer {transfer_id[:100]!r}.")


def _unknown_cursor(cursor: str) -> NotFoundError:
    return NotFoundError(f"There is no transfer with the cursor {cursor[:100]!r}.")
