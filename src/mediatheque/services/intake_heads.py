"""The first bytes of an intake, from its segments or from the object that they have become."""

from mediatheque.domain.errors import NotFoundError, UnavailableError
from mediatheque.domain.intakes import Intake
from mediatheque.processing.sniff import HEAD_BYTES
from mediatheque.storage import keys
from mediatheque.storage.stores import Store


async def read_head(store: Store, intake: Intake) -> bytes:
    """Return enough of an intake to tell its type. Raises UnavailableError when it is gone."""
    head = b""
    for segment in intake.segments:
        try:
            async for piece in store.read(
                segment.object_key, 0, min(segment.size, HEAD_BYTES - len(head))
            ):
                head += piece
        except NotFoundError:
            return await _joined_head(store, intake)
        if len(head) >= HEAD_BYTES:
            break
    return head


async def _joined_head(store: Store, intake: Intake) -> bytes:
    async for info in store.list(keys.original_folder(intake.id)):
        return b"".join([piece async for piece in store.read(info.key, 0, HEAD_BYTES)])
    raise UnavailableError(
        f"The store does not have the bytes of {intake.id} any more. Look for objects below "
        f"{keys.staging(intake.id, '')} in its backup, put them back and try again."
    )
