"""Bytes on their way in: what every door that receives media has in common.

Order: reserve a row, stream the bytes to a fresh key, commit the row of the media. A crash in
between leaves a reservation that expires and an object that nothing refers to; the janitor
removes both. Nothing is acknowledged before the last commit.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from mediatheque.catalog import uploads
from mediatheque.catalog.database import Database
from mediatheque.domain.access import Principal
from mediatheque.domain.errors import InvalidError
from mediatheque.domain.ids import new_id
from mediatheque.domain.uploads import UploadState
from mediatheque.processing.sniff import HEAD_BYTES, sniff
from mediatheque.storage import keys
from mediatheque.storage.stores import Store, Stored
from mediatheque.telemetry import metrics
from mediatheque.telemetry.logs import get_logger

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes that are durable in the store but belong to no media yet."""

    upload_id: UUID
    filename: str
    mime_type: str
    stored: Stored


class UploadService:
    """Receives bytes into the store. The doors' own services decide what becomes of them."""

    def __init__(self, database: Database, store: Store, *, expiry: int) -> None:
        self._database = database
        self._store = store
        self._expiry = expiry

    async def reserve(
        self,
        principal: Principal,
        *,
        state: UploadState,
        name: str,
        size: int | None = None,
        tags: tuple[str, ...] = (),
        upload_id: UUID | None = None,
        staged_key: str | None = None,
    ) -> UUID:
        """Record that bytes are expected, and return the id that their media will have."""
        reserved = upload_id or new_id()
        async with self._database.begin() as transaction:
            await uploads.add(
                transaction,
                upload_id=reserved,
                state=state,
                name=name,
                size=size,
                tags=tags,
                created_by=principal.name,
                created_role=principal.role,
                staged_key=staged_key,
                expires_in=self._expiry,
            )
        return reserved

    async def receive(
        self,
        upload_id: UUID,
        key: str,
        *,
        filename: str,
        pieces: AsyncIterator[bytes],
        size: int | None = None,
        size_hint: int | None = None,
    ) -> Received:
        """Stream ``pieces`` to ``key`` and return once they are durable.

        With ``size`` exactly that many bytes are accepted. Raises InvalidError for any other
        number, and what the pieces or the store raise; then nothing is left under the key.
        """
        head, rest = await _split_head(pieces)
        mime_type = sniff(head[:HEAD_BYTES], filename)
        writer = self._store.writer(key, content_type=mime_type, size_hint=size or size_hint)
        try:
            total = len(head)
            _check_not_longer(total, size)
            if head:
                await writer.write(head)
            del head  # as with every piece below
            async for piece in rest:
                total += len(piece)
                _check_not_longer(total, size)
                await writer.write(piece)
                del piece  # it would stay in memory for as long as the next one takes to come
            if size is not None and total != size:
                raise InvalidError(
                    f"The upload was declared with {size} bytes, but {total} arrived. "
                    "Nothing was kept; send it again.",
                    field="size",
                )
            stored = await writer.commit()
        except BaseException:
            await writer.abort()
            raise
        metrics.RECEIVED_BYTES.inc(stored.size)
        return Received(upload_id, filename, mime_type, stored)

    async def forget(self, upload_id: UUID) -> bool:
        """Remove a reservation; False when it is gone already, maybe because a media has come."""
        async with self._database.begin() as transaction:
            return await uploads.remove(transaction, upload_id)

    async def clear_staging(self, upload_id: UUID) -> None:
        """Remove what attempts to send an upload left behind. The janitor does what fails here."""
        try:
            async for info in self._store.list(keys.staging(upload_id, "")):
                await self._store.delete(info.key)
        except Exception as error:  # noqa: BLE001 - the answer to the client is already decided
            log.warning("staging not cleared", upload=str(upload_id), error=str(error))

    async def delete_objects(self, object_keys: list[str]) -> None:
        """Remove objects whose rows are gone. The janitor does what fails here."""
        for key in object_keys:
            try:
                await self._store.delete(key)
            except Exception as error:  # noqa: BLE001 - the rows are gone, the deletion is done
                log.warning("object not deleted", key=key, error=str(error))


async def _split_head(pieces: AsyncIterator[bytes]) -> tuple[bytes, AsyncIterator[bytes]]:
    """Return enough of the beginning to tell the type, and the iterator that gives the rest."""
    head = b""
    async for piece in pieces:
        head = head + piece if head else piece
        if len(head) >= HEAD_BYTES:
            break
    return head, pieces


def _check_not_longer(total: int, size: int | None) -> None:
    if size is not None and total > size:
        raise InvalidError(
            f"The upload was declared with {size} bytes, but more arrived. "
            "Nothing was kept; send it again.",
            field="size",
        )
