"""Use cases: one module per noun, one public method per thing that can be asked."""

from dataclasses import dataclass

from mediatheque.services.admin import AdminService
from mediatheque.services.files import FileService
from mediatheque.services.janitor import Janitor
from mediatheque.services.jobs import JobService
from mediatheque.services.medias import MediaService
from mediatheque.services.tags import TagService


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a door can call."""

    admin: AdminService
    files: FileService
    janitor: Janitor
    jobs: JobService
    medias: MediaService
    tags: TagService
