"""Sending one file of a transfer: from its place on disk to the media that it becomes."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from mediatheque.catalog import medias
from mediatheque.catalog.database import Database
from mediatheque.domain.access import Principal, owner_scope
from mediatheque.domain.errors import (
    InvalidError,
    StorageFullError,
    TooLargeError,
    UnavailableError,
)
from mediatheque.domain.jobs import error_sentence
from mediatheque.domain.media import Media
from mediatheque.domain.transfers import FileState, Transfer, TransferFile, storable_name
from mediatheque.processing.sniff import HEAD_BYTES, sniff
from mediatheque.services.job_runs import JobStopped
from mediatheque.services.transfer_ledger import Ledger, Outcome
from mediatheque.services.transfer_scan import place_of
from mediatheque.services.transfer_sending import FileSending
from mediatheque.services.transfer_uploads import abandon_uploads, object_key
from mediatheque.storage.beneath import Place
from mediatheque.storage.digest import Digest
from mediatheque.storage.fingerprints import calendar_time
from mediatheque.storage.pace import SendingStoppedError
from mediatheque.storage.sending import (
    READ_BYTES,
    SourceChangedError,
    SourceReadError,
    check_unchanged,
    read_source,
)
from mediatheque.storage.sources import Reason, SourceError, SourceFile, SourceRoots
from mediatheque.storage.stores import Store, Stored
from mediatheque.telemetry.logs import get_logger

log = get_logger(__name__)

_TRIES = 3
_PAUSE_SECONDS = 0.5

# What is wrong with one file alone, and trying again soon does not mend.
_OF_THE_FILE = (InvalidError, SourceReadError, SourceChangedError, TooLargeError)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A source, the type that its first bytes tell, and when it was last modified."""

    source: SourceFile
    mime_type: str
    modified: str | None


class FileSender:
    """Sends the files of one transfer, for ``principal``.

    ``add_below`` adds the files below a folder to the transfer, ``max_size`` is a file's in bytes.
    """

    def __init__(
        self,
        principal: Principal,
        transfer: Transfer,
        ledger: Ledger,
        add_below: Callable[[Place], Awaitable[None]],
        *,
        database: Database,
        store: Store,
        roots: SourceRoots,
        max_size: int,
        deduplicate: bool,
    ) -> None:
        self._principal = principal
        self._transfer = transfer
        self._ledger = ledger
        self._add_below = add_below
        self._database = database
        self._store = store
        self._roots = roots
        self._max_size = max_size
        self._deduplicate = deduplicate
        self._known_roots: set[Path] = set()

    async def send(self, sending: FileSending) -> None:
        """Make a file a media, or note why it cannot become one.

        Raises SendingStoppedError, and what the store raises about itself: then it is still to
        come.
        """
        try:
            with self._ledger.follow(sending):
                outcome = await self._send_steady(sending)
        except SourceError as error:
            outcome = await self._unreadable(sending, error)
        except _OF_THE_FILE as error:
            outcome = await self._failed(sending, error)
        except (SendingStoppedError, JobStopped, UnavailableError, StorageFullError):
            raise
        except Exception as error:  # one file with which we cannot cope shall not stop the rest
            log.exception("file not transferred", transfer=str(self._transfer.id))
            outcome = await self._failed(sending, error)
        if outcome is not None:
            await self._ledger.ended(outcome)

    async def _send_steady(self, sending: FileSending) -> Outcome | None:
        """Send a file, again when it changes meanwhile; None when its outcome is written."""
        for _ in range(_TRIES - 1):
            try:
                return await self._send_once(sending)
            except SourceChangedError:
                sending.start_again()
                await asyncio.sleep(_PAUSE_SECONDS)
        return await self._send_once(sending)

    async def _send_once(self, sending: FileSending) -> Outcome | None:
        place = place_of(sending.file)
        opened = await asyncio.to_thread(self._open, place)
        with opened.source as source:
            sending.file = replace(sending.file, size=source.size)
            if source.size > self._max_size:
                raise TooLargeError(
                    f"{place.text} has {source.size} bytes; at most {self._max_size} are allowed."
                )
            if self._deduplicate and await self._share(sending, place, opened):
                return None
            stored = await self._store.send_file(
                source,
                object_key(sending.file),
                content_type=opened.mime_type,
                sending=sending,
            )
        return Outcome(_complete(sending.file, stored), self._media(sending, opened, place, stored))

    def _open(self, place: Place) -> _Opened:
        self._check_root(place)
        source = self._roots.open(place)
        try:
            head = os.pread(source.descriptor, HEAD_BYTES, 0)
        except OSError as error:
            source.close()
            raise SourceReadError(f"{place.text} cannot be read: {error.strerror}.") from error
        mime_type = sniff(head, storable_name(place.name))
        modified = calendar_time(source.fingerprint.mtime_ns)
        return _Opened(source, mime_type, None if modified is None else modified.isoformat())

    def _check_root(self, place: Place) -> None:
        """Raise InvalidError when the operator does not let the place's root be read any more."""
        if place.root not in self._known_roots:
            root = Place(place.root, b"")
            if self._roots.locate(root.uri) != root:
                raise InvalidError(f"{place.text} is not below a folder that transfers may read.")
            self._known_roots.add(place.root)

    async def _share(self, sending: FileSending, place: Place, opened: _Opened) -> bool:
        """Record a media of bytes that the store has already; False when it has not."""
        digest = await asyncio.to_thread(_digest, opened.source, sending)
        async with self._database.read() as connection:
            base = await medias.find_same(
                connection,
                blake3=digest.blake3,
                size=digest.size,
                owner=owner_scope(self._principal),
            )
        if base is None:
            return False
        stored = Stored(base.object_key, digest.size, digest.crc64nvme, digest.blake3)
        media = self._media(sending, opened, place, stored)
        return await self._ledger.share(Outcome(_complete(sending.file, stored), media, base))

    def _media(self, sending: FileSending, opened: _Opened, place: Place, stored: Stored) -> Media:
        media_id = sending.file.media_id
        assert media_id is not None  # every file that is sent has one
        now = datetime.now(UTC)
        return Media(
            id=media_id,
            resource=str(media_id),
            key="",
            filename=storable_name(place.name),
            size=stored.size,
            mime_type=opened.mime_type,
            created_by=self._principal.name,
            created_role=self._principal.role,
            public=False,
            project_id=None,
            created_at=now,
            updated_at=now,
            meta={
                "source": {
                    "uri": place.uri,
                    "transfer": str(self._transfer.id),
                    "modified": opened.modified,
                }
            },
            crc64nvme=stored.crc64nvme,
            blake3=stored.blake3,
            object_key=stored.key,
        )

    async def _unreadable(self, sending: FileSending, error: SourceError) -> Outcome:
        if error.reason is not Reason.FOLDER:
            return await self._failed(sending, error)
        # It could not be looked into when it was found, or a file gave way to it.
        await self._add_below(error.place)
        reason = f"{error.place.text} is a folder; what is in it is listed by itself."
        return Outcome(replace(sending.file, size=0, state=FileState.SKIPPED, error=reason))

    async def _failed(self, sending: FileSending, error: Exception) -> Outcome:
        """Give a file up, and what the store has of it."""
        file = sending.file
        if sending.upload_id is not None:
            await abandon_uploads(self._store, [replace(file, upload_id=sending.upload_id)])
        return Outcome(replace(file, sent=0, state=FileState.FAILED, error=error_sentence(error)))


def _complete(file: TransferFile, stored: Stored) -> TransferFile:
    return replace(
        file,
        size=stored.size,
        sent=stored.size,
        state=FileState.COMPLETE,
        error=None,
        crc64nvme=stored.crc64nvme,
        blake3=stored.blake3,
    )


def _digest(source: SourceFile, sending: FileSending) -> Digest:
    """Read a whole file. Blocks. Raises SendingStoppedError, and SourceChangedError at the end."""
    digest = Digest()
    buffer = memoryview(bytearray(min(READ_BYTES, source.size)))
    while digest.size < source.size:
        if sending.stop.is_set():
            raise SendingStoppedError
        piece = buffer[: source.size - digest.size]
        read_source(source.descriptor, digest.size, piece)
        digest.update(piece)
    check_unchanged(source)
    return digest
