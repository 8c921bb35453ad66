"""The composition root: everything that a process needs, opened in order, closed in reverse."""

import asyncio
import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from mediatheque.catalog.database import Database
from mediatheque.catalog.embedded import EmbeddedPostgres
from mediatheque.config import SECRET_CHARACTERS, Settings
from mediatheque.domain.errors import InvalidError
from mediatheque.domain.sync_safety import SyncLimits
from mediatheque.processing.pool import ProcessingPool
from mediatheque.processing.workbench import Workbench
from mediatheque.services import Services
from mediatheque.services.admin import AdminService
from mediatheque.services.derivation import Deriver
from mediatheque.services.events import EventService
from mediatheque.services.files import FileLimits, FileService
from mediatheque.services.folders import FolderService
from mediatheque.services.identity import IdentityService
from mediatheque.services.intake import IntakeService
from mediatheque.services.janitor import Janitor
from mediatheque.services.jobs import JobService
from mediatheque.services.library import LibraryService
from mediatheque.services.library_changes import LibraryChanges
from mediatheque.services.medias import MediaService
from mediatheque.services.processing import ProcessingLimits, ProcessingService
from mediatheque.services.processing_runs import ProcessingRunner
from mediatheque.services.recording_runs import RecordingRunner
from mediatheque.services.recordings import RecordingService
from mediatheque.services.resumable_finish import ResumableFinisher
from mediatheque.services.resumable_uploads import ResumableUploadService
from mediatheque.services.sync_runs import SyncRunner
from mediatheque.services.sync_schedules import SyncScheduleService
from mediatheque.services.syncs import SyncService
from mediatheque.services.system import SystemService
from mediatheque.services.tags import TagService
from mediatheque.services.transfer_runs import TransferLimits, TransferRunner
from mediatheque.services.transfers import TransferService
from mediatheque.services.uploads import UploadService
from mediatheque.services.workers import WorkerService
from mediatheque.storage import durable as disk
from mediatheque.storage import keys
from mediatheque.storage.endpoints import Endpoints
from mediatheque.storage.mirror_opening import Mirrors
from mediatheque.storage.opening import open_store
from mediatheque.storage.part_files import PartFiles
from mediatheque.storage.part_memory import MOST_BYTES, PartMemory
from mediatheque.storage.sealing import Sealer
from mediatheque.storage.signing import Signer
from mediatheque.storage.sources import SourceRoots
from mediatheque.storage.stores import Store
from mediatheque.storage.threads import keep_word_by_default

_PARENT_CHECK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a running process holds."""

    settings: Settings
    database: Database
    store: Store
    pool: ProcessingPool
    services: Services

    @property
    def local(self) -> bool:
        """Whether the store is a folder on this machine."""
        return _is_local(self.store)

    def begin(self) -> None:
        """Begin to work on the running event loop."""
        keep_word_by_default()

    async def close(self) -> None:
        """Close in reverse order of opening."""
        await self.pool.close()
        await self.store.close()
        await self.database.close()


def _is_local(store: Store) -> bool:
    return store.local_path(keys.CATALOG_ID) is not None


def database_url(settings: Settings) -> str:
    """Return the URL of the database in effect: the operator's, or the embedded one's."""
    return settings.database_url or EmbeddedPostgres(settings.data_dir).url


def secret_file(settings: Settings) -> Path:
    """Return where the generated signing secret is kept."""
    return settings.data_dir / "secret"


def ensure_secret(settings: Settings) -> None:
    """Make the signing secret unless there is one; readable by its owner only.

    Two first starts at the same time agree on one: the link succeeds once. Raises InvalidError when
    the one that there is was damaged.
    """
    file = secret_file(settings)
    if settings.secret_key is not None or file.exists():
        read_secret(settings)
        return
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    fresh.touch(mode=0o600)
    try:
        with fresh.open("w") as made:
            made.write(secrets.token_urlsafe(48))
            made.flush()
            disk.sync_file(made.fileno())
        with contextlib.suppress(FileExistsError):
            file.hardlink_to(fresh)
    finally:
        fresh.unlink()
    disk.sync_folder(file.parent)


def read_secret(settings: Settings) -> str:
    """Return the secret that signs URLs.

    Raises InvalidError when the file of it was damaged: what is short could be guessed.
    """
    if settings.secret_key is not None:
        return settings.secret_key
    file = secret_file(settings)
    secret = file.read_text(errors="replace")
    if len(secret) < SECRET_CHARACTERS:
        raise InvalidError(
            f"The secret in {file} is damaged: it has {len(secret)} characters. Restore the file "
            "from a backup, or remove it for a new one. With that, links signed before work no "
            "more, and keys that syncs were given must be given again."
        )
    return secret


def open_configured_store(settings: Settings) -> Store:
    """Return the store that the settings name; nothing is contacted yet."""
    folder = settings.data_dir.absolute() / "parts"
    files = PartFiles(folder, reserved_bytes=settings.reserved_space)
    return open_store(
        settings.store_url,
        s3_endpoint=settings.s3_endpoint,
        durable=settings.durable,
        reserved_bytes=settings.reserved_space,
        memory=PartMemory(MOST_BYTES // settings.workers, files),
    )


def open_workbench(settings: Settings) -> Workbench:
    """Return what gives out the folders in which medias are processed."""
    return Workbench(
        settings.data_dir.absolute() / "processing", reserved_bytes=settings.reserved_space
    )


def open_mirrors(settings: Settings) -> Mirrors:
    """Return what opens the buckets of syncs."""
    return Mirrors(
        settings.store_url,
        s3_endpoint=settings.s3_endpoint,
        durable=settings.durable,
        reserved_bytes=settings.reserved_space,
    )


def open_runtime(settings: Settings) -> Runtime:
    """Put the parts together. Connections are made when they are first needed."""
    secret = read_secret(settings)
    store = open_configured_store(settings)
    database = Database(
        database_url(settings),
        connections=settings.database_connections,
        # What other stores have is durable, and objects go once the rows say that others have them.
        durable=settings.durable or not _is_local(store),
    )
    uploads = UploadService(database, store, expiry=settings.upload_expiry)
    limits = FileLimits(
        max_size=settings.max_upload_size,
        upload_url_expiry=settings.upload_url_expiry,
        download_url_expiry=settings.download_url_expiry,
    )
    transfer_limits = TransferLimits(
        max_size=settings.max_upload_size,
        segment_bytes=settings.segment_bytes,
        segment_seconds=settings.segment_seconds,
        deduplicate=settings.deduplicate,
    )
    roots = SourceRoots(settings.source_roots)
    endpoints = Endpoints(settings.sync_endpoints, loopback=settings.on_loopback)
    sealer = Sealer(secret.encode())
    workers = WorkerService(database)
    admin = AdminService(database, store, workers, reserved_bytes=settings.reserved_space)
    processing_limits = ProcessingLimits(
        probe=settings.probe_medias,
        max_size=settings.processing_max_size,
        max_pixels=settings.processing_max_pixels,
        location=settings.meta_location,
    )
    processing = ProcessingService(database, processing_limits)
    intake = IntakeService(database, store)
    # Medias and recordings have a queue each.
    pool = ProcessingPool(
        at_once=2 * settings.processing_at_once, memory=settings.processing_memory
    )
    deriver = Deriver(store, uploads, pool, open_workbench(settings), processing_limits)
    return Runtime(
        settings=settings,
        database=database,
        store=store,
        pool=pool,
        services=Services(
            admin=admin,
            events=EventService(database),
            files=FileService(
                database,
                store,
                uploads,
                processing,
                signer=Signer(secret.encode()),
                limits=limits,
            ),
            intake=intake,
            janitor=Janitor(
                database,
                store,
                IdentityService(database, store),
                orphan_age=settings.orphan_age,
                unfinished_age=max(settings.orphan_age, settings.upload_expiry),
            ),
            jobs=JobService(database),
            library=LibraryService(database),
            library_changes=LibraryChanges(database),
            medias=MediaService(database, store, uploads, processing),
            processing=processing,
            processing_runs=ProcessingRunner(database, deriver),
            recording_runs=RecordingRunner(
                database,
                store,
                uploads,
                deriver,
                keep_original=settings.recordings_keep_original,
            ),
            recordings=RecordingService(
                database,
                store,
                intake,
                quiet_after=settings.recordings_quiet_after,
                expiry=settings.upload_expiry,
                most_bytes=settings.max_upload_size,
            ),
            resumable_uploads=ResumableUploadService(
                database,
                intake,
                ResumableFinisher(database, store, uploads, processing),
                lifetime=settings.upload_expiry,
                most_bytes=settings.max_upload_size,
            ),
            sync_folders=FolderService([settings.sync_root]),
            sync_runs=SyncRunner(
                database,
                open_mirrors(settings),
                endpoints=endpoints,
                sealer=sealer,
                roots=SourceRoots([settings.sync_root]),
                limits=SyncLimits(
                    count=settings.sync_delete_count,
                    percent=settings.sync_delete_percent,
                    unowned=settings.sync_delete_unowned,
                ),
            ),
            sync_schedules=SyncScheduleService(database, endpoints, sealer),
            syncs=SyncService(database, endpoints, sealer),
            system=SystemService(database, store, admin, workers),
            tags=TagService(database),
            transfer_folders=FolderService(settings.source_roots),
            transfer_runs=TransferRunner(
                database, store, roots, limits=transfer_limits, processing=processing
            ),
            transfers=TransferService(database, store, roots),
            workers=workers,
        ),
    )


async def end_with_parent(parent: int) -> None:
    """End this process at once when the one that started it, ``parent``, was killed.

    It would keep the port and serve without its database otherwise. Ending like a crash is safe:
    nothing is acknowledged before it is durable.
    """
    # Told rather than asked for: the parent may be gone before this runs.
    while os.getppid() == parent:  # noqa: ASYNC110 - the kernel tells nobody of it
        await asyncio.sleep(_PARENT_CHECK_SECONDS)
    os._exit(1)
