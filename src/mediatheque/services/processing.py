"""What can be asked of processing: jobs that find out about medias and make others of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from mediatheque.catalog import medias
from mediatheque.catalog.database import Database, Transaction
from mediatheque.domain.access import Principal, owner_scope
from mediatheque.domain.errors import InvalidError, NotFoundError
from mediatheque.domain.jobs import Job
from mediatheque.domain.media import Media
from mediatheque.domain.processing import Step, media_kind
from mediatheque.services.jobs import enqueue_in

JOB_CLASS = "processing"
QUEUE = "processing"

_PROBE_PRIORITY = -10


@dataclass(frozen=True, slots=True)
class ProcessingLimits:
    """``max_size`` in bytes of a media that is looked into, ``max_pixels`` of a picture in it.

    ``probe``: look into every new media. ``location``: keep where photos were taken.
    """

    probe: bool
    max_size: int
    max_pixels: int
    location: bool


class ProcessingService:
    """Enqueues the processing of medias."""

    def __init__(self, database: Database, limits: ProcessingLimits) -> None:
        self._database = database
        self._limits = limits

    async def request(self, principal: Principal, resource: str, steps: Sequence[Step]) -> Job:
        """Let a job do ``steps`` with an original, and return it; a live one for the same is that.

        Raises NotFoundError, and InvalidError when the original cannot be processed.
        """
        if not steps:
            raise InvalidError(f"Name at least one step: {', '.join(Step)}.", field="steps")
        owner = owner_scope(principal)
        async with self._database.begin() as transaction:
            media = await medias.find_address(transaction, resource, "", owner=owner)
            if media is None:
                raise NotFoundError(f"There is no resource {resource!r}.")
            if media_kind(media.mime_type) is None:
                raise InvalidError(
                    f"{media.filename} is neither film, sound nor picture ({media.mime_type}): "
                    "there is nothing to process.",
                    field="resource",
                )
            self._check_size(media)
            wanted = [step for step in Step if step in steps]
            return await enqueue_in(
                transaction,
                principal,
                job_class=JOB_CLASS,
                queue=QUEUE,
                arguments={"medias": [str(media.id)], "steps": wanted},
                unicity=_unicity(media, wanted),
            )

    async def probe_in(
        self, transaction: Transaction, principal: Principal, added: Sequence[Media]
    ) -> None:
        """Let a job look into medias that the transaction adds, as far as that is wanted."""
        if not self._limits.probe:
            return
        wanted = [
            str(media.id)
            for media in added
            if media.size <= self._limits.max_size and media_kind(media.mime_type) is not None
        ]
        if wanted:
            await enqueue_in(
                transaction,
                principal,
                job_class=JOB_CLASS,
                queue=QUEUE,
                arguments={"medias": wanted, "steps": [Step.PROBE]},
                priority=_PROBE_PRIORITY,
            )

    def _check_size(self, media: Media) -> None:
        if media.size > self._limits.max_size:
            raise InvalidError(
                f"{media.filename} has {media.size} bytes; medias of more than "
                f"{self._limits.max_size} bytes are not processed "
                "(MEDIATHEQUE_PROCESSING_MAX_SIZE).",
                field="resource",
            )


def _unicity(media: Media, steps: Sequence[Step]) -> str:
    return "processing:" + sha256(f"{media.id} {' '.join(steps)}".encode()).hexdigest()
