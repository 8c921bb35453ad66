"""From one media to what is known of it and what is made of it.

Order: bytes to where a sandboxed process can read them, its results into the store under keys that
reservations protect, then everything at once into the catalog: nobody sees half of what was made.
A crash before that leaves reservations and objects, which the janitor removes, and a folder, which
goes with the next one that is needed; the job does it again.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from mediatheque.catalog import medias, uploads
from mediatheque.catalog.database import Transaction
from mediatheque.domain.access import Principal
from mediatheque.domain.errors import ConflictError, NotFoundError, UnavailableError
from mediatheque.domain.media import Media
from mediatheque.domain.processing import DERIVED, Step, media_kind
from mediatheque.domain.uploads import UploadState
from mediatheque.processing.pool import ProcessingPool
from mediatheque.processing.tasks import Processed, RejectedError, Task
from mediatheque.processing.workbench import Bench, Workbench
from mediatheque.services.job_runs import JobRun
from mediatheque.services.processing import ProcessingLimits
from mediatheque.services.uploads import UploadService
from mediatheque.storage import keys
from mediatheque.storage.stores import Store
from mediatheque.storage.threads import Threads, in_thread, opened_in_thread

T = TypeVar("T")

_READ_BYTES = 1 << 20
_THREADS = 4
_TICK_SECONDS = 1.0
_COPIES = {Step.REMUX, Step.HLS}


@dataclass(frozen=True, slots=True)
class Derivation:
    """What came of one media; its ``medias`` are in the store, and in no catalog yet."""

    original: Media
    processed: Processed
    medias: tuple[Media, ...]

    def made(self, names: Sequence[str]) -> Media | None:
        """Return the first media that was made under one of these keys."""
        return next((media for media in self.medias if media.key in names), None)


class Share:
    """How far one part of a job is, as the progress of the whole: ratios of 0 to 1.

    The part begins at ``start`` of the whole and is ``width`` of it.
    """

    def __init__(self, start: float = 0.0, width: float = 1.0) -> None:
        self._start = start
        self._width = width
        self._done = 0.0

    @property
    def progress(self) -> float:
        """How far the whole is."""
        return self._start + self._width * self._done

    def tell(self, done: float) -> None:
        """Take how far the part is; it never goes back, and an untrusted process says it."""
        self._done = max(self._done, min(done, 1.0))


class Deriver:
    """Processes medias in sandboxed processes and keeps what they make."""

    def __init__(
        self,
        store: Store,
        uploads: UploadService,
        pool: ProcessingPool,
        workbench: Workbench,
        limits: ProcessingLimits,
    ) -> None:
        self._store = store
        self._uploads = uploads
        self._pool = pool
        self._workbench = workbench
        self._threads = Threads(_THREADS, thread_name_prefix="derivation")
        self._limits = limits

    async def derive(
        self, run: JobRun, original: Media, steps: Sequence[Step], *, share: Share
    ) -> Derivation:
        """Do ``steps`` with a media; ``share`` is told the ratio done.

        Raises RejectedError when it cannot be processed, JobStopped soon after the run was asked
        to end, and what the store raises.
        """
        kind = media_kind(original.mime_type)
        if kind is None or original.size > self._limits.max_size:
            raise RejectedError(_not_processed(original, self._limits))
        task = Task(
            kind=kind,
            steps=tuple(steps),
            max_pixels=self._limits.max_pixels,
            location=self._limits.location,
        )
        local = self._store.local_path(original.object_key)
        copies = 2 * len(_COPIES.intersection(steps)) + (local is None)
        async with self._workbench.bench(
            f"{run.id}-{original.id}", room=copies * original.size
        ) as bench:
            return await attend(run, self._derive(original, task, bench, share), share)

    async def record_in(self, transaction: Transaction, derivation: Derivation) -> list[str]:
        """Put everything that was made and found out into the catalog.

        Returns the keys of objects that nothing refers to any more once the transaction is
        committed; none when an earlier try, whose answer was lost, has written it all. Raises
        NotFoundError when the original was deleted meanwhile.
        """
        original, made = derivation.original, [media.id for media in derivation.medias]
        if made and await medias.hold(transaction, made) == set(made):
            return []
        if original.id not in await medias.hold(transaction, [original.id]):
            raise NotFoundError(f"{original.filename} was deleted while it was processed.")
        replaced = await medias.remove_keys(
            transaction, original.resource, [media.key for media in derivation.medias]
        )
        for media in derivation.medias:
            if not await uploads.remove(transaction, media.id):
                raise ConflictError("Processing took longer than uploads may take; do it again.")
            await medias.add(transaction, media)
        await medias.learn(
            transaction,
            original.id,
            meta=derivation.processed.meta,
            mime_type=_better_type(original, derivation.processed),
        )
        return replaced

    async def discard(self, derivation: Derivation) -> None:
        """Leave nothing of a derivation that was not recorded, as far as the database answers.

        What was recorded after all, by a commit that nobody heard of, stays: it took the place of
        its reservations. What stays without cause is the janitor's.
        """
        with suppress(UnavailableError):
            for media in derivation.medias:
                if await self._uploads.forget(media.id):
                    await self.delete_objects([media.object_key])

    async def delete_objects(self, object_keys: list[str]) -> None:
        """Remove objects that nothing refers to any more. The janitor does what fails here."""
        await self._uploads.delete_objects(object_keys)

    async def _derive(self, original: Media, task: Task, bench: Bench, share: Share) -> Derivation:
        source = self._store.local_path(original.object_key)
        if source is None:
            source = bench.source
            await _save(self._store.read(original.object_key), source, self._threads)
        processed = await self._pool.process(task, source, bench.folder, on_progress=share.tell)
        made: dict[str, Media] = {}

        async def keep(name: str) -> None:
            made[name] = await self._keep(original, bench.folder / name, processed)

        try:
            async with asyncio.TaskGroup() as group:
                for name in processed.files:
                    group.create_task(keep(name))
        except BaseException as error:
            await self.discard(Derivation(original, processed, tuple(made.values())))
            if isinstance(error, BaseExceptionGroup):
                raise error.exceptions[0] from None
            raise
        return Derivation(original, processed, tuple(made[name] for name in processed.files))

    async def _keep(self, original: Media, file: Path, processed: Processed) -> Media:
        """Store one file that was made; return it as the media that it can become."""
        name = file.name
        principal = Principal(original.created_by, original.created_role)
        upload_id = await self._uploads.reserve(principal, state=UploadState.RECEIVING, name=name)
        received = await self._uploads.receive(
            upload_id,
            keys.original(upload_id, name),
            filename=name,
            pieces=_read(file, self._threads),
        )
        now = datetime.now(UTC)
        return Media(
            id=upload_id,
            resource=original.resource,
            key=name,
            filename=name,
            size=received.stored.size,
            mime_type=_type_of(name, processed),
            created_by=original.created_by,
            created_role=original.created_role,
            public=original.public,
            project_id=original.project_id,
            created_at=now,
            updated_at=now,
            crc64nvme=received.stored.crc64nvme,
            blake3=received.stored.blake3,
            object_key=received.stored.key,
        )


async def attend(run: JobRun, work: Awaitable[T], share: Share) -> T:
    """Return what ``work`` does, while the run's progress is saved.

    Raises JobStopped, and ends the work first, when the run is asked to end.
    """
    working = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(run.stopping.wait())
    try:
        while not working.done():
            await asyncio.wait(
                {working, stopping}, timeout=_TICK_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if not working.done():
                await run.save(progress=share.progress)
        return working.result()
    finally:
        stopping.cancel()
        working.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await working


def _type_of(name: str, processed: Processed) -> str:
    """Return the media type of a file that was made; sound alone is no film."""
    mime_type = DERIVED[name]
    if processed.meta.get("kind") == "audio" and mime_type.startswith("video/"):
        return "audio/" + mime_type.partition("/")[2]
    return mime_type


def _better_type(original: Media, processed: Processed) -> str:
    """Return the media type that the original shall have: the one found out, when it differs.

    Only as far as its first bytes could not tell: whether there is a picture to the sound.
    """
    found: str = processed.meta.get("mime_type", original.mime_type)
    kinds = {media_kind(found), media_kind(original.mime_type)}
    return found if kinds == {"video", "audio"} else original.mime_type


def _not_processed(original: Media, limits: ProcessingLimits) -> str:
    if media_kind(original.mime_type) is None:
        return (
            f"What was received is neither film, sound nor picture ({original.mime_type}). "
            "It is kept as it is."
        )
    return (
        f"It has {original.size} bytes; medias of more than {limits.max_size} bytes are not "
        "processed (MEDIATHEQUE_PROCESSING_MAX_SIZE). It is kept as it is."
    )


async def _save(pieces: AsyncIterator[bytes], file: Path, threads: Threads) -> None:
    """Write pieces to a new file that only its owner can read."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    async with opened_in_thread(threads, file, flags) as descriptor:
        async for piece in pieces:
            await in_thread(threads, partial(_write, descriptor, piece))


def _write(descriptor: int, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(descriptor, view) :]


async def _read(file: Path, threads: Threads) -> AsyncIterator[bytes]:
    """Yield the bytes of a file that an untrusted process made: never through a link."""
    async with opened_in_thread(threads, file, os.O_RDONLY | os.O_NOFOLLOW) as descriptor:
        while piece := await in_thread(threads, partial(os.read, descriptor, _READ_BYTES)):
            yield piece
