"""Rows of uploads."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Row,
    Uuid,
    any_,
    delete,
    func,
    insert,
    literal,
    select,
    true,
    update,
)

from mediatheque.catalog.database import Transaction
from mediatheque.catalog.tables import uploads
from mediatheque.domain.uploads import Upload, UploadState

_UUIDS = ARRAY(Uuid)


async def add(
    transaction: Transaction,
    *,
    upload_id: UUID,
    state: UploadState,
    name: str,
    size: int | None,
    tags: Sequence[str],
    created_by: str,
    created_role: str,
    staged_key: str | None,
    expires_in: int,
) -> None:
    """Insert an upload that expires ``expires_in`` seconds from now, by the database's clock."""
    await transaction.execute(
        insert(uploads).values(
            id=upload_id,
            state=state,
            name=name,
            size=size,
            tags=list(tags),
            created_by=created_by,
            created_role=created_role,
            staged_key=staged_key,
            expires_at=func.now() + timedelta(seconds=expires_in),
        )
    )


async def find(transaction: Transaction, upload_id: UUID, *, owner: str | None) -> Upload | None:
    """Return an upload that has not expired."""
    query = select(uploads).where(
        uploads.c.id == upload_id, uploads.c.expires_at > func.now(), _owned(owner)
    )
    row = (await transaction.execute(query)).one_or_none()
    return None if row is None else _upload(row)


async def stage(
    transaction: Transaction,
    upload_id: UUID,
    *,
    staged_key: str,
    crc64nvme: str,
    blake3: str | None,
) -> bool:
    """Point a pending upload to the bytes that just arrived; False when it is pending no more."""
    query = (
        update(uploads)
        .where(
            uploads.c.id == upload_id,
            uploads.c.state == UploadState.PENDING,
            uploads.c.expires_at > func.now(),
        )
        .values(staged_key=staged_key, crc64nvme=crc64nvme, blake3=blake3)
        .returning(uploads.c.id)
    )
    return await transaction.scalar(query) is not None


async def start_promotion(transaction: Transaction, upload_id: UUID) -> Upload | None:
    """Close a pending upload for further bytes and return it; also one closed before."""
    query = (
        update(uploads)
        .where(
            uploads.c.id == upload_id,
            uploads.c.state.in_([UploadState.PENDING, UploadState.PROMOTING]),
            uploads.c.expires_at > func.now(),
        )
        .values(state=UploadState.PROMOTING)
        .returning(uploads)
    )
    row = (await transaction.execute(query)).one_or_none()
    return None if row is None else _upload(row)


async def reopen(transaction: Transaction, upload_id: UUID) -> None:
    """Let an upload whose promotion was refused take bytes again."""
    await transaction.execute(
        update(uploads).where(uploads.c.id == upload_id).values(state=UploadState.PENDING)
    )


async def remove(transaction: Transaction, upload_id: UUID) -> bool:
    """Delete an upload; False when it is gone already."""
    query = delete(uploads).where(uploads.c.id == upload_id).returning(uploads.c.id)
    return await transaction.scalar(query) is not None


async def finish(transaction: Transaction, upload: Upload) -> bool:
    """Delete an upload that became a media; False when it is gone or took other bytes since."""
    query = (
        delete(uploads)
        .where(
            uploads.c.id == upload.id,
            uploads.c.state == UploadState.PROMOTING,
            uploads.c.staged_key == upload.staged_key,
        )
        .returning(uploads.c.id)
    )
    return await transaction.scalar(query) is not None


async def remove_pending(transaction: Transaction, upload_id: UUID) -> bool:
    """Delete an upload that nobody has confirmed; False when it is not in that state."""
    query = (
        delete(uploads)
        .where(uploads.c.id == upload_id, uploads.c.state == UploadState.PENDING)
        .returning(uploads.c.id)
    )
    return await transaction.scalar(query) is not None


async def remove_expired(transaction: Transaction, *, limit: int) -> list[Upload]:
    """Delete and return up to ``limit`` uploads that have expired."""
    expired = select(uploads.c.id).where(uploads.c.expires_at <= func.now()).limit(limit)
    query = delete(uploads).where(uploads.c.id.in_(expired)).returning(uploads)
    return [_upload(row) for row in await transaction.execute(query)]


async def existing(transaction: Transaction, ids: Sequence[UUID]) -> set[UUID]:
    """Return which of these uploads are under way."""
    query = select(uploads.c.id).where(uploads.c.id == any_(literal(list(ids), _UUIDS)))
    return set(await transaction.scalars(query))


def _owned(owner: str | None) -> ColumnElement[bool]:
    return true() if owner is None else uploads.c.created_by == owner


def _upload(row: Row[Any]) -> Upload:
    values = row._mapping  # noqa: SLF001 - the documented name of a row's mapping
    return Upload(
        **{**values, "state": UploadState(values["state"]), "tags": tuple(values["tags"])}
    )
