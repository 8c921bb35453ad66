"""Rows of the files of transfers.

``sent`` of all files together is what their transfer counts as ``bytes_complete``: whoever changes
one changes the other in the same transaction.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    LargeBinary,
    Row,
    Text,
    Uuid,
    any_,
    case,
    func,
    literal,
    literal_column,
    null,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from mediatheque.catalog.database import Transaction
from mediatheque.catalog.given_rows import given_rows
from mediatheque.catalog.tables import jobs, transfer_files, transfers
from mediatheque.domain.jobs import LIVE
from mediatheque.domain.transfers import FileState, TransferFile

_FILE = tuple(transfer_files.c[name] for name in TransferFile.__dataclass_fields__)
_SAVED = ("size", "sent", "state", "error", "crc64nvme", "blake3")
_UNFINISHED = text("media_id IS NOT NULL AND state <> 'complete'")
"""As in the index of this name."""

# A UUID version 7 (RFC 9562, section 5.7): a random one with the time and the version put in.
_NEW_ID: ColumnElement[UUID] = literal_column(
    "encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) placing substring(int8send("
    "floor(extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6), "
    "52, 1), 53, 1), 'hex')::uuid",
    Uuid(),
)


async def add(transaction: Transaction, transfer_id: UUID, files: Sequence[TransferFile]) -> None:
    """Insert files and count them; those whose path the transfer has already are left out."""
    rows = given_rows(
        position=(BigInteger(), [file.position for file in files]),
        root=(LargeBinary(), [file.root for file in files]),
        path=(LargeBinary(), [file.path for file in files]),
        size=(BigInteger(), [file.size for file in files]),
        state=(Text(), [file.state for file in files]),
        error=(Text(), [file.error for file in files]),
        media_id=(Uuid(), [file.media_id for file in files]),
    )
    added = (
        insert(transfer_files)
        .from_select(["transfer_id", *rows.c.keys()], select(literal(transfer_id, Uuid()), *rows.c))
        .on_conflict_do_nothing(
            index_elements=[transfer_files.c.transfer_id, func.sha256(transfer_files.c.path)]
        )
        .returning(transfer_files.c.state, transfer_files.c.size)
        .cte("added")
    )
    counted = {
        f"files_{state}": func.count().filter(added.c.state == state)
        for state in (FileState.FAILED, FileState.SKIPPED)
    }
    sums: dict[str, ColumnElement[Any]] = {
        **counted,
        "files_total": func.count(),
        "bytes_total": func.coalesce(func.sum(added.c.size), 0),
    }
    await transaction.execute(
        update(transfers)
        .where(transfers.c.id == transfer_id)
        .values(
            {
                name: transfers.c[name] + select(value).select_from(added).scalar_subquery()
                for name, value in sums.items()
            }
        )
    )


async def last_position(transaction: Transaction, transfer_id: UUID) -> int:
    """Return the highest position of a transfer's files, -1 when it has none."""
    query = select(func.max(transfer_files.c.position)).where(
        transfer_files.c.transfer_id == transfer_id
    )
    found = await transaction.scalar(query)
    return -1 if found is None else int(found)


async def page(
    transaction: Transaction,
    transfer_id: UUID,
    *,
    state: FileState | None,
    after: int,
    limit: int,
) -> list[TransferFile]:
    """Return files by position, in one state or (None) in any, from the one after ``after``."""
    query = (
        select(*_FILE)
        .where(transfer_files.c.transfer_id == transfer_id, transfer_files.c.position > after)
        .order_by(transfer_files.c.position)
        .limit(limit)
    )
    if state is not None:
        query = query.where(transfer_files.c.state == state)
    return [_file(row) for row in await transaction.execute(query)]


async def renew_ids(
    transaction: Transaction, transfer_id: UUID, files: Sequence[TransferFile]
) -> list[TransferFile]:
    """Give files that have no multipart upload new ids for their medias; return them with these."""
    query = (
        update(transfer_files)
        .where(
            transfer_files.c.transfer_id == transfer_id,
            transfer_files.c.position
            == any_(literal([file.position for file in files], ARRAY(BigInteger()))),
            transfer_files.c.upload_id.is_(None),
        )
        .values(media_id=_NEW_ID)
        .returning(transfer_files.c.position, transfer_files.c.media_id)
    )
    renewed = {row.position: row.media_id for row in await transaction.execute(query)}
    return [replace(file, media_id=renewed.get(file.position, file.media_id)) for file in files]


async def standing(
    transaction: Transaction, transfer_id: UUID, positions: Sequence[int]
) -> dict[int, TransferFile]:
    """Return files as they are recorded, by position."""
    query = select(*_FILE).where(
        transfer_files.c.transfer_id == transfer_id,
        transfer_files.c.position == any_(literal(list(positions), ARRAY(BigInteger()))),
    )
    return {row.position: _file(row) for row in await transaction.execute(query)}


async def save(transaction: Transaction, transfer_id: UUID, files: Sequence[TransferFile]) -> None:
    """Write what became of files: everything but where they are.

    A multipart upload is forgotten with the end of its file; only ``set_upload`` notes one.
    """
    saved = given_rows(
        position=(BigInteger(), [file.position for file in files]),
        size=(BigInteger(), [file.size for file in files]),
        sent=(BigInteger(), [file.sent for file in files]),
        state=(Text(), [file.state for file in files]),
        error=(Text(), [file.error for file in files]),
        crc64nvme=(Text(), [file.crc64nvme for file in files]),
        blake3=(Text(), [file.blake3 for file in files]),
    )
    await transaction.execute(
        update(transfer_files)
        .where(
            transfer_files.c.transfer_id == transfer_id,
            transfer_files.c.position == saved.c.position,
        )
        .values(
            {name: saved.c[name] for name in _SAVED}
            | {
                "upload_id": case(
                    (saved.c.state == FileState.PENDING, transfer_files.c.upload_id), else_=null()
                )
            }
        )
    )


async def set_upload(
    transaction: Transaction, transfer_id: UUID, position: int, upload_id: str
) -> None:
    """Note the multipart upload of a file."""
    await transaction.execute(
        update(transfer_files)
        .where(transfer_files.c.transfer_id == transfer_id, transfer_files.c.position == position)
        .values(upload_id=upload_id)
    )


async def fail_pending(transaction: Transaction, transfer_id: UUID, error: str) -> None:
    """Fail all files that are still to come, for one reason, and count them so."""
    query = (
        update(transfer_files)
        .where(*_in_state(transfer_id, FileState.PENDING))
        .values(state=FileState.FAILED, error=error)
    )
    failed = (await transaction.execute(query)).rowcount
    await transaction.execute(
        update(transfers)
        .where(transfers.c.id == transfer_id)
        .values(files_failed=transfers.c.files_failed + failed, retake=True)
    )


async def reopen(transaction: Transaction, transfer_id: UUID) -> None:
    """Make all failed files pending again and count them so.

    Files whose media's id was given up get a new one.
    """
    await transaction.execute(
        update(transfer_files)
        .where(
            transfer_files.c.transfer_id == transfer_id,
            transfer_files.c.state.in_([FileState.FAILED, FileState.PENDING]),
            transfer_files.c.media_id.is_(None),
        )
        .values(media_id=_NEW_ID)
    )
    query = (
        update(transfer_files)
        .where(*_in_state(transfer_id, FileState.FAILED))
        .values(state=FileState.PENDING, error=null())
    )
    await transaction.execute(query)
    await transaction.execute(
        update(transfers).where(transfers.c.id == transfer_id).values(files_failed=0, retake=False)
    )


async def first_error(transaction: Transaction, transfer_id: UUID) -> str:
    """Return why the first of the failed files failed."""
    query = (
        select(transfer_files.c.error)
        .where(*_in_state(transfer_id, FileState.FAILED))
        .order_by(transfer_files.c.position)
        .limit(1)
    )
    return str(await transaction.scalar(query))


async def take_uploads(transaction: Transaction, transfer_id: UUID) -> list[TransferFile]:
    """Forget the multipart uploads of a transfer's files; return those that had one, as it was."""
    begun = (
        transfer_files.c.transfer_id == transfer_id,
        transfer_files.c.upload_id.is_not(None),
    )
    rows = await transaction.execute(select(*_FILE).where(*begun).with_for_update())
    files = [_file(row) for row in rows]
    await transaction.execute(update(transfer_files).where(*begun).values(upload_id=null(), sent=0))
    return files


async def unfinished(transaction: Transaction, media_ids: Sequence[UUID]) -> set[UUID]:
    """Return which of these ids are kept for a file that is no media yet."""
    ids = any_(literal(list(media_ids), ARRAY(Uuid())))
    query = select(transfer_files.c.media_id).where(transfer_files.c.media_id == ids, _UNFINISHED)
    return set(await transaction.scalars(query))


async def uploads_in_use(transaction: Transaction) -> set[str]:
    """Return every multipart upload that a transfer may still continue."""
    query = select(transfer_files.c.upload_id).where(
        _UNFINISHED, transfer_files.c.upload_id.is_not(None)
    )
    return set(await transaction.scalars(query))


async def release_ended(transaction: Transaction, before: datetime, *, limit: int) -> int:
    """Give up what the unfinished files of transfers that ended before ``before`` have stored.

    They lose the ids of their medias and their uploads, so that nothing can come to use what is
    stored under these any more, not even a retry. Returns of how many transfers, at most ``limit``.
    """
    # The jobs are locked: a retry comes before this or after it.
    ended = (
        select(jobs.c.id)
        .where(
            jobs.c.status.not_in(sorted(LIVE)),
            jobs.c.finished_at < before,
            select(transfer_files.c.position)
            .where(transfer_files.c.transfer_id == jobs.c.id, _UNFINISHED)
            .exists(),
        )
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = list(await transaction.scalars(ended))
    if ids:
        mine = any_(literal(ids, ARRAY(Uuid())))
        await transaction.execute(
            update(transfer_files)
            .where(transfer_files.c.transfer_id == mine, _UNFINISHED)
            .values(media_id=null(), upload_id=null(), sent=0)
        )
        kept = select(func.coalesce(func.sum(transfer_files.c.sent), 0)).where(
            transfer_files.c.transfer_id == transfers.c.id
        )
        await transaction.execute(
            update(transfers)
            .where(transfers.c.id == mine)
            .values(bytes_complete=kept.scalar_subquery(), retake=True)
        )
    return len(ids)


def _in_state(transfer_id: UUID, state: FileState) -> tuple[ColumnElement[bool], ...]:
    return transfer_files.c.transfer_id == transfer_id, transfer_files.c.state == state


def _file(row: Row[Any]) -> TransferFile:
    values = dict(row._mapping)  # noqa: SLF001 - the documented name of a row's mapping
    return TransferFile(**values | {"state": FileState(values["state"])})
