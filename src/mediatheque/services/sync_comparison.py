"""Comparing a folder, its bucket and what is remembered of both, key by key."""

from collections import defaultdict
from collections.abc import AsyncIterator
from functools import partial
from typing import TypeVar

from mediatheque.catalog import sync_objects
from mediatheque.catalog.database import Database
from mediatheque.domain.sync_plan import (
    BucketEntry,
    Remembered,
    SourceEntry,
    Verdict,
    is_same_object,
    judge,
)
from mediatheque.domain.syncs import Plan, SyncBucket
from mediatheque.services.job_runs import patiently
from mediatheque.services.sync_draft import Draft
from mediatheque.services.sync_merge import Match, Stream, in_threads, next_window
from mediatheque.services.sync_readings import Answer, Doubt, Readings
from mediatheque.services.sync_source import SourceReader
from mediatheque.storage.mirrors import Mirror
from mediatheque.storage.threads import Threads

Keyed = TypeVar("Keyed", BucketEntry, Remembered)

_PAGE = 5000
_PATIENCE_SECONDS = 30.0


class Comparison:
    """Makes one draft of a plan. ``verify``: files that look unchanged are read all the same."""

    def __init__(
        self,
        database: Database,
        mirror: Mirror,
        source: SourceReader,
        readings: Readings,
        draft: Draft,
        *,
        threads: Threads,
        bucket: SyncBucket,
        verify: bool,
    ) -> None:
        self._database = database
        self._mirror = mirror
        self._bucket = bucket
        self._left_out = tuple(prefix.encode() for prefix in bucket.backup_prefixes)
        self._source = source
        self._readings = readings
        self._draft = draft
        self._threads = threads
        self._verify = verify
        self._objects = 0
        self._any_remembered = False
        self._recognised = False

    @property
    def is_another_bucket(self) -> bool:
        """Tell whether none of the objects that are remembered was found in the bucket."""
        return self._any_remembered and not self._recognised

    async def plan(self) -> Plan:
        """Compare everything and return the plan. Raises what reading the three places raises."""
        await self._draft.begin()
        self._any_remembered = await patiently(self._exist, seconds=_PATIENCE_SECONDS)
        async with (
            Stream(self._files()) as files,
            Stream(self._stored()) as stored,
            Stream(self._remembered()) as remembered,
        ):
            while window := await next_window(files, stored, remembered):
                await self._plan_window(window)
        self._conclude(await self._readings.rest())
        return await self._draft.end(
            objects=self._objects, ignored=self._source.ignored, empty=self._source.files == 0
        )

    async def _plan_window(self, window: list[Match]) -> None:
        new, doubts = self._judge(window)
        if new:
            doubts += await self._look_for_origins(new)
        if doubts:
            self._conclude(await self._readings.ask(doubts))
        await self._draft.flush()

    def _judge(self, window: list[Match]) -> tuple[list[SourceEntry], list[Doubt]]:
        """Plan what can be decided by looks; return the new files and those to be read."""
        new: list[SourceEntry] = []
        doubts: list[Doubt] = []
        skipped = skipped_bytes = 0
        for source, stored, known in window:
            if not self._recognised and stored is not None and known is not None:
                self._recognised = is_same_object(stored, known)
            if source is None:
                if stored is not None:
                    self._draft.delete(stored, known)
                elif known is not None:
                    self._draft.forget(known.key)
            elif stored is None:
                new.append(source)
            elif (verdict := judge(source, stored, known, verify=self._verify)) is Verdict.SKIP:
                skipped += 1
                skipped_bytes += source.size
            elif verdict is Verdict.UPDATE:
                self._draft.update(source, stored, known)
            else:
                believed = known if verdict is Verdict.REHASH else None
                doubts.append(Doubt(source, stored, believed))
        self._draft.skip(skipped, skipped_bytes)
        return new, doubts

    async def _look_for_origins(self, new: list[SourceEntry]) -> list[Doubt]:
        """Plan the uploads of new files; return those that may be files that were moved."""
        others: dict[tuple[int, int], list[Remembered]] = defaultdict(list)
        looks = {(file.size, file.mtime_ns) for file in new if file.size}
        if looks and self._any_remembered:
            alike = await patiently(partial(self._moved, looks), seconds=_PATIENCE_SECONDS)
            for known in alike:
                others[known.size, known.mtime_ns].append(known)
        doubts = []
        for file in new:
            found = others.get((file.size, file.mtime_ns), ())
            candidates = tuple(other for other in found if other.key != file.key)
            if candidates:
                doubts.append(Doubt(file, None, None, candidates))
            else:
                self._draft.upload(file)
        return doubts

    def _conclude(self, answers: list[Answer]) -> None:
        """Plan what is to be done of files that were read."""
        for (source, stored, known, _), same, origin, error in answers:
            if stored is None:
                if origin is not None and same is not None:
                    self._draft.copy(source, origin, same)
                else:
                    self._draft.upload(source)
            elif same is not None:
                self._draft.skip(1, source.size)
                if same != known:
                    self._draft.remember(same)
            else:
                self._draft.update(source, stored, known, error)

    async def _files(self) -> AsyncIterator[list[SourceEntry]]:
        refused = self._source.refused
        async for batch in in_threads(self._source.batches(), self._threads):
            while refused:
                self._draft.refuse(*refused.popleft())
            await self._draft.flush()
            yield batch
        while refused:  # when no file was left to make a batch of
            self._draft.refuse(*refused.popleft())

    async def _stored(self) -> AsyncIterator[list[BucketEntry]]:
        listed = self._mirror.entries(in_order=self._bucket.ordered)
        async for batch in in_threads(listed, self._threads):
            mirrored = self._without_backups(batch)
            self._objects += len(mirrored)
            yield mirrored

    async def _remembered(self) -> AsyncIterator[list[Remembered]]:
        after: bytes | None = None
        while page := await patiently(partial(self._page, after), seconds=_PATIENCE_SECONDS):
            yield self._without_backups(page)
            after = page[-1].key

    async def _page(self, after: bytes | None) -> list[Remembered]:
        async with self._database.read() as connection:
            return await sync_objects.page(connection, self._bucket.id, after, _PAGE)

    async def _exist(self) -> bool:
        async with self._database.read() as connection:
            return await sync_objects.exist(connection, self._bucket.id)

    async def _moved(self, looks: set[tuple[int, int]]) -> list[Remembered]:
        async with self._database.read() as connection:
            return await sync_objects.moved(connection, self._bucket.id, list(looks))

    def _without_backups(self, entries: list[Keyed]) -> list[Keyed]:
        if not self._left_out:
            return entries
        return [entry for entry in entries if not entry.key.startswith(self._left_out)]
