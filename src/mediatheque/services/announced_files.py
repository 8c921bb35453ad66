"""Files that were announced, and wait for their bytes: what all who bring those must know."""

from uuid import UUID

from mediatheque.catalog import medias, uploads
from mediatheque.catalog.database import Transaction
from mediatheque.domain.errors import ConflictError, NotFoundError
from mediatheque.domain.uploads import Upload, UploadState

NOT_FOUND = "file not found"


async def find_pending(connection: Transaction, file_id: UUID) -> Upload:
    """Return an announced file that takes bytes.

    Raises NotFoundError for an unknown or expired one, ConflictError for one that was confirmed.
    """
    upload = await uploads.find(connection, file_id, owner=None)
    confirmed = await medias.find(connection, file_id, owner=None)
    if confirmed is not None:
        raise ConflictError("The file was confirmed; its bytes can no longer be changed.")
    if upload is not None and upload.state is not UploadState.PENDING:
        raise ConflictError("The file is being confirmed; its bytes cannot be changed now.")
    if upload is None:
        raise NotFoundError(NOT_FOUND)
    return upload
