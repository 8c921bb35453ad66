"""What the store has of files that are no media yet."""

from collections.abc import Sequence
from uuid import UUID

from mediatheque.catalog import transfer_files, transfers
from mediatheque.catalog.database import Transaction
from mediatheque.domain.transfers import TransferFile, storable_name
from mediatheque.storage import keys
from mediatheque.storage.stores import Store
from mediatheque.telemetry.logs import get_logger

log = get_logger(__name__)


def object_key(file: TransferFile) -> str:
    """Return the key of the object that a file becomes."""
    assert file.media_id is not None  # every file that is sent has one
    return keys.original(file.media_id, storable_name(file.name))


async def forget_uploads(transaction: Transaction, transfer_id: UUID) -> list[TransferFile]:
    """Forget the multipart uploads of a transfer; return the files that had one."""
    files = await transfer_files.take_uploads(transaction, transfer_id)
    lost = sum(file.sent for file in files)
    await transfers.count(transaction, transfer_id, bytes_complete=-lost)
    return files


async def abandon_uploads(store: Store, files: Sequence[TransferFile]) -> None:
    """Remove uploads that were forgotten from the store. The janitor does what fails here."""
    for file in files:
        assert file.upload_id is not None
        try:
            await store.abandon(object_key(file), file.upload_id)
        except Exception as error:  # noqa: BLE001 - nothing refers to it any more, that is done
            log.warning("upload not abandoned", media=str(file.media_id), error=str(error))
