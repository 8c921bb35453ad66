"""The services as the composition root puts them together, without a process around them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from mediatheque.catalog.database import Database
from mediatheque.services.files import FileLimits, FileService
from mediatheque.services.janitor import Janitor
from mediatheque.services.medias import MediaService
from mediatheque.services.tags import TagService
from mediatheque.services.uploads import UploadService
from mediatheque.storage.local import LocalStore
from mediatheque.storage.signing import Signer

MAX_SIZE = 1 << 20


@dataclass(frozen=True)
class Parts:
    """The services of one process and what they stand on."""

    database: Database
    store: LocalStore
    files: FileService
    medias: MediaService
    tags: TagService
    janitor: Janitor


def open_parts(
    database: Database, store: LocalStore, *, expiry: int = 60, orphan_age: int = 3600
) -> Parts:
    """Put the services together. ``expiry`` and ``orphan_age`` in seconds."""
    uploads = UploadService(database, store, expiry=expiry)
    limits = FileLimits(max_size=MAX_SIZE, upload_url_expiry=60, download_url_expiry=60)
    return Parts(
        database=database,
        store=store,
        files=FileService(database, store, uploads, Signer(b"s" * 32), limits),
        medias=MediaService(database, store, uploads),
        tags=TagService(database),
        janitor=Janitor(
            database, store, orphan_age=orphan_age, unfinished_age=max(expiry, orphan_age)
        ),
    )


async def pieces(*several: bytes) -> AsyncIterator[bytes]:
    """Yield pieces as a request's body does."""
    for piece in several:
        yield piece
