"""Watching jobs: their history from any point on, then what happens as it happens.

Notices of the database bring what happens; the history has everything that they may have missed.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from uuid import UUID
from weakref import WeakSet

from mediatheque.catalog import job_events
from mediatheque.catalog.database import Database
from mediatheque.catalog.job_events import Notice
from mediatheque.domain.access import Principal, owner_scope
from mediatheque.domain.errors import UnavailableError
from mediatheque.domain.ids import parse_id
from mediatheque.domain.jobs import JobEvent, JobGlimpse
from mediatheque.services.jobs import unknown_job

_MOST_WAITING = 200
_PAGE = 500
_PATIENCE_SECONDS = 1.0
_LONG_AGO = datetime.min.replace(tzinfo=UTC)

News = JobEvent | JobGlimpse


class Watch:
    """What one watcher sees of jobs. Made by ``EventService.watch``.

    ``position`` is the number of the newest event of the history that it has seen. Little is kept
    for a watcher that is slow: when it goes on, it reads the history.
    """

    def __init__(self, database: Database, owner: str | None, job_ids: frozenset[UUID]) -> None:
        self._database = database
        self._owner = owner
        self._job_ids = job_ids
        self._states: list[JobGlimpse] = []
        self._waiting: deque[News] = deque()
        self._wake = asyncio.Event()
        self._behind = False
        self._ended = False
        self._caught_up_at = _LONG_AGO
        self.position = 0

    async def begin(self, after: int | None) -> frozenset[UUID]:
        """Find out where to begin, and return which of its jobs are there.

        What is told meanwhile is kept.
        """
        async with self._database.read() as connection:
            newest, states = await job_events.standing(connection, self._job_ids, owner=self._owner)
        if after is None:
            self.position = newest
            self._states = states
            self._caught_up_at = max((state.at for state in states), default=_LONG_AGO)
        else:
            self.position = min(after, newest)
            self._behind = True
        return frozenset(state.job_id for state in states)

    async def news(self, *, silence: float) -> AsyncGenerator[News | None, None]:
        """Yield what happens until the service stops; None after each ``silence`` in seconds."""
        while self._states:
            yield self._states.pop(0)
        while not self._ended:
            if self._behind:
                async for event in self._missed():
                    yield event
            elif not self._waiting:
                self._wake.clear()
                try:
                    async with asyncio.timeout(silence):
                        await self._wake.wait()
                except TimeoutError:
                    yield None
            elif self._is_new(news := self._waiting.popleft()):
                yield news

    def hear(self, notice: Notice) -> None:
        """Keep what was told, if it is for this watcher."""
        if self._owner not in {None, notice.owner}:
            return
        if self._job_ids and notice.news.job_id not in self._job_ids:
            return
        if len(self._waiting) >= _MOST_WAITING:
            self.fall_behind()
        else:
            self._waiting.append(notice.news)
            self._wake.set()

    def fall_behind(self) -> None:
        """Let the watcher read the history next: something may have been missed."""
        self._waiting.clear()
        self._behind = True
        self._wake.set()

    def end(self) -> None:
        """Let ``news`` return."""
        self._ended = True
        self._wake.set()

    async def _missed(self) -> AsyncGenerator[JobEvent | None, None]:
        """Yield the next events of the history; None when the database does not answer now."""
        self._behind = False  # what is told from here on is kept
        try:
            async with self._database.read() as connection:
                page = await job_events.after(
                    connection,
                    self.position,
                    job_ids=self._job_ids or None,
                    owner=self._owner,
                    limit=_PAGE,
                )
        except UnavailableError:
            self._behind = True
            yield None
            await asyncio.sleep(_PATIENCE_SECONDS)
            return
        self._behind = self._behind or len(page) == _PAGE
        for event in page:
            self.position = event.id
            self._caught_up_at = event.at
            yield event

    def _is_new(self, news: News) -> bool:
        """Whether the history, as far as it was read, does not tell the same or more."""
        if isinstance(news, JobGlimpse):
            return news.at > self._caught_up_at
        if news.id <= self.position:
            return False
        self.position = news.id
        return True


class EventService:
    """Tells any number of watchers what happens to jobs, from one stream of notices."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # A watch that nobody reads any more goes by itself.
        self._watches: WeakSet[Watch] = WeakSet()
        self._stopping = False

    async def watch(
        self, principal: Principal, job_ids: Sequence[str], *, after: int | None
    ) -> Watch:
        """Return a watch of some jobs, or of all when none is named.

        It begins with the history after event number ``after``; without a number with the state
        of each job named. Raises NotFoundError when one is not there.
        """
        wanted = {text: parse_id(text) for text in job_ids}
        known = frozenset(job_id for job_id in wanted.values() if job_id is not None)
        watch = Watch(self._database, owner_scope(principal), known)
        self._watches.add(watch)
        found = await watch.begin(after)
        for text, job_id in wanted.items():
            if job_id not in found:
                raise unknown_job(text)
        if self._stopping:
            watch.end()
        return watch

    def hear(self, text: str) -> None:
        """Pass a notice on to those who watch its job."""
        if self._watches:
            notice = job_events.read_notice(text)
            for watch in self._watches:
                watch.hear(notice)

    def catch_up(self) -> None:
        """Let every watcher read the history: notices may have been lost."""
        for watch in self._watches:
            watch.fall_behind()

    def stop(self) -> None:
        """End every watch, and those to come."""
        self._stopping = True
        for watch in self._watches:
            watch.end()
