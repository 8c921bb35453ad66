"""Transfers as door 0 speaks of them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from mediatheque.domain import transfers as domain
from mediatheque.domain.errors import InvalidError
from mediatheque.domain.transfers import FileState, TransferStatus
from mediatheque.doors.http.requests import parse_whole_number
from mediatheque.services.transfer_preview import TransferPreview

MAX_PAGE_SIZE = 1000
DEFAULT_TRANSFERS = 100


class Moved(Struct, frozen=True):
    """The answer to a call that moved one segment: the cursor of the next call."""

    cursor: str


class Status(Struct, frozen=True):
    """Where a transfer stands, in one word."""

    status: TransferStatus


class FileCounts(Struct, frozen=True):
    """How many files there are in which state; ``total`` of those found so far."""

    total: int
    complete: int
    failed: int
    skipped: int
    pending: int


class ByteCounts(Struct, frozen=True):
    """``complete`` of ``total`` bytes are in the store."""

    total: int
    complete: int


class Transfer(Struct, frozen=True, kw_only=True):
    """One transfer. ``progress`` 0 to 1, ``rate`` and ``bandwidth`` bytes/s, ``eta`` seconds.

    ``scanned``: every file has been found, so that the totals are final.
    """

    id: str
    status: TransferStatus
    sources: tuple[str, ...]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    progress: float
    files: FileCounts
    bytes: ByteCounts
    scanned: bool
    rate: float | None
    eta: float | None
    bandwidth: int | None
    error: str | None


class TransferPage(Struct, frozen=True):
    """One page of transfers, newest first; ``next`` is the address of the next page."""

    transfers: list[Transfer]
    next: str | None


class Checksum(Struct, frozen=True):
    """``crc64nvme`` in base64 as S3 writes it, ``blake3`` hexadecimal."""

    crc64nvme: str | None
    blake3: str | None


class File(Struct, frozen=True, kw_only=True):
    """One file of a transfer: ``bytes`` of ``size`` are in the store.

    ``media_id`` and ``resource`` name the media that it became.
    """

    position: int
    uri: str
    size: int
    state: FileState
    bytes: int
    checksum: Checksum | None
    error: str | None
    media_id: str | None
    resource: str | None


class Preview(Struct, frozen=True, kw_only=True):
    """What a transfer would take along: so many ``files``, and the ``bytes`` of all of them.

    ``failing`` cannot be read, ``skipped`` have no bytes; ``problems`` says why of the first.
    ``whole`` is false when looking took too long: then there are more.
    """

    files: int
    bytes: int
    failing: int
    skipped: int
    problems: tuple[str, ...]
    whole: bool


class TransferWithFiles(Transfer, frozen=True, kw_only=True):
    """One transfer with a page of its files; ``next`` is the address of the next page."""

    file_list: list[File]
    next: str | None


def transfer_values(transfer: domain.Transfer) -> dict[str, Any]:
    """Return the values of a ``Transfer``."""
    return {
        "id": str(transfer.id),
        "status": transfer.status,
        "sources": transfer.sources,
        "created_at": transfer.created_at,
        "started_at": transfer.started_at,
        "finished_at": transfer.finished_at,
        "progress": transfer.progress,
        "files": FileCounts(
            total=transfer.files_total,
            complete=transfer.files_complete,
            failed=transfer.files_failed,
            skipped=transfer.files_skipped,
            pending=transfer.files_pending,
        ),
        "bytes": ByteCounts(transfer.bytes_total, transfer.bytes_complete),
        "scanned": transfer.scanned,
        "rate": transfer.rate,
        "eta": transfer.eta,
        "bandwidth": transfer.bandwidth,
        "error": transfer.error,
    }


def preview_resource(preview: TransferPreview) -> Preview:
    """Return what a transfer would take along."""
    return Preview(
        files=preview.files,
        bytes=preview.bytes,
        failing=preview.failing,
        skipped=preview.skipped,
        problems=preview.problems,
        whole=preview.whole,
    )


def file_resource(file: domain.TransferFile, uri: str) -> File:
    """Return a file of a transfer."""
    complete = file.state is FileState.COMPLETE
    media_id = str(file.media_id) if complete else None
    return File(
        position=file.position,
        uri=uri,
        size=file.size,
        state=file.state,
        bytes=file.sent,
        checksum=Checksum(file.crc64nvme, file.blake3) if complete else None,
        error=file.error,
        media_id=media_id,
        resource=media_id,
    )


def parse_object(body: object, *, known: frozenset[str]) -> dict[str, Any]:
    """Return the members of a JSON object. Raises InvalidError; also for one that is not known."""
    if not isinstance(body, dict):
        raise InvalidError("The body must be a JSON object.")
    for name in body:
        if name not in known:
            raise InvalidError(
                f"There is no member {name[:100]!r}; known are {', '.join(sorted(known))}.",
                field=name,
            )
    return body


def parse_media_files(values: Mapping[str, Any]) -> list[object] | None:
    """Return the entries of ``media_files``, whatever they are; None when there is none."""
    entries = values.get("media_files")
    if entries is not None and not isinstance(entries, list):
        raise InvalidError(
            'media_files must be a list of URIs, such as ["file:///srv/media"].',
            field="media_files",
        )
    return entries


def parse_cursor(values: Mapping[str, Any]) -> str | None:
    """Return the ``cursor``, None when there is none. Raises InvalidError."""
    cursor = values.get("cursor")
    if cursor is not None and not isinstance(cursor, str):
        raise InvalidError("cursor must be a text, as an earlier call returned it.", field="cursor")
    return cursor


def parse_bandwidth(values: Mapping[str, Any]) -> int | None:
    """Return the ``bandwidth`` in bytes per second, None for no limit. Raises InvalidError."""
    bandwidth = values.get("bandwidth")
    if bandwidth is not None and (not isinstance(bandwidth, int) or isinstance(bandwidth, bool)):
        raise InvalidError(
            "bandwidth must be a whole number of bytes per second, or null.", field="bandwidth"
        )
    return bandwidth


def parse_limit(query: Mapping[str, str], *, default: int, least: int) -> int:
    """Return how many entries a page may have. Raises InvalidError."""
    text = query.get("limit")
    if text is None:
        return default
    return parse_whole_number(text, field="limit", least=least, most=MAX_PAGE_SIZE)


def parse_state(query: Mapping[str, str]) -> FileState | None:
    """Return the state that files are asked for, None for any. Raises InvalidError."""
    text = query.get("state")
    if text is None:
        return None
    if text not in set(FileState):
        raise InvalidError(f"state is one of {', '.join(FileState)}.", field="state")
    return FileState(text)
