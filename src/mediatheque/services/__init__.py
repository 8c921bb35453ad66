"""Use cases: one module per noun, one public method per thing that can be asked."""

from dataclasses import dataclass

from mediatheque.services.admin import AdminService
from mediatheque.services.events import EventService
from mediatheque.services.files import FileService
from mediatheque.services.folders import FolderService
from mediatheque.services.intake import IntakeService
from mediatheque.services.janitor import Janitor
from mediatheque.services.jobs import JobService
from mediatheque.services.library import LibraryService
from mediatheque.services.library_changes import LibraryChanges
from mediatheque.services.medias import MediaService
from mediatheque.services.processing import ProcessingService
from mediatheque.services.processing_runs import ProcessingRunner
from mediatheque.services.recording_runs import RecordingRunner
from mediatheque.services.recordings import RecordingService
from mediatheque.services.resumable_uploads import ResumableUploadService
from mediatheque.services.sync_runs import SyncRunner
from mediatheque.services.sync_schedules import SyncScheduleService
from mediatheque.services.syncs import SyncService
from mediatheque.services.system import SystemService
from mediatheque.services.tags import TagService
from mediatheque.services.transfer_runs import TransferRunner
from mediatheque.services.transfers import TransferService
from mediatheque.services.workers import WorkerService


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a door can call."""

    admin: AdminService
    events: EventService
    files: FileService
    intake: IntakeService
    janitor: Janitor
    jobs: JobService
    library: LibraryService
    library_changes: LibraryChanges
    medias: MediaService
    processing: ProcessingService
    processing_runs: ProcessingRunner
    recording_runs: RecordingRunner
    recordings: RecordingService
    resumable_uploads: ResumableUploadService
    sync_folders: FolderService
    sync_runs: SyncRunner
    sync_schedules: SyncScheduleService
    syncs: SyncService
    system: SystemService
    tags: TagService
    transfer_folders: FolderService
    transfer_runs: TransferRunner
    transfers: TransferService
    workers: WorkerService
