"""The services as the composition root puts them together, without a process around them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from mediatheque.catalog.database import Database
from mediatheque.services.files import FileLimits, FileService
from mediatheque.services.identity import IdentityService
from mediatheque.services.janitor import Janitor
from mediatheque.services.medias import MediaService
from mediatheque.services.processing import ProcessingLimits, ProcessingService
from mediatheque.services.tags import TagService
from mediatheque.services.uploads import UploadService
from mediatheque.storage.keys import CATALOG_ID
from mediatheque.storage.local import LocalStore
from mediatheque.storage.signing import Signer

MAX_SIZE = 1 << 20
NO_PROCESSING = ProcessingLimits(probe=False, max_size=0, max_pixels=0, location=False)


@dataclass(frozen=True)
class Parts:
    """The services of one process and what they stand on."""

    database: Database
    store: LocalStore
    files: FileService
    medias: MediaService
    tags: TagService
    janitor: Janitor

    async def objects(self) -> set[str]:
        """Return the keys of everything stored, save the mark that says whose the store is."""
        return {info.key async for info in self.store.list("")} - {CATALOG_ID}


def open_parts(database: Database, store: LocalStore) -> Parts:
    """Put the services together."""
    uploads = UploadService(database, store, expiry=60)
    limits = FileLimits(max_size=MAX_SIZE, upload_url_expiry=60, download_url_expiry=60)
    processing = ProcessingService(database, NO_PROCESSING)
    return Parts(
        database=database,
        store=store,
        files=FileService(
            database, store, uploads, processing, signer=Signer(b"s" * 32), limits=limits
        ),
        medias=MediaService(database, store, uploads, processing),
        tags=TagService(database),
        janitor=Janitor(
            database,
            store,
            IdentityService(database, store),
            orphan_age=3600,
            unfinished_age=3600,
        ),
    )


async def pieces(*several: bytes) -> AsyncIterator[bytes]:
    """Yield pieces as a request's body does."""
    for piece in several:
        yield piece
