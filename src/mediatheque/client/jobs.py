"""Jobs: list, find, signal, delete, watch."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Literal
from urllib.parse import quote

import msgspec
from msgspec import Struct

from mediatheque.client.answers import decode
from mediatheque.client.connection import Connection
from mediatheque.client.errors import ConnectionLostError, NotFoundError, NotUnderstoodError
from mediatheque.client.events import EventDecoder
from mediatheque.client.jsonapi import Filters, every, filter_parameters, one
from mediatheque.client.results import Job, JobEvent, Signalled
from mediatheque.client.retries import RETRYABLE

NEWEST_FIRST = "-created_at"

Signal = Literal["cancel", "pause", "resume", "retry"]


class _SignalledDocument(Struct, frozen=True):
    meta: Signalled


class Jobs:
    """What can be asked of jobs."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(
        self,
        *,
        filters: Filters | None = None,
        sort: str = NEWEST_FIRST,
        limit: int | None = None,
    ) -> AsyncIterator[Job]:
        """Yield jobs, page by page as they are needed.

        ``filters``: fields with values, as in ``{"status": ["pending", "running"]}``.
        """
        return every(self._connection, "/jobs", Job, filters=filters or {}, sort=sort, limit=limit)

    async def find(self, job_id: str) -> Job:
        """Return a job. Raises NotFoundError."""
        return one(await self._connection.request("GET", _path(job_id)), Job)

    async def signal(self, job_id: str, signal: Signal) -> Job:
        """Ask a job to cancel, pause, resume or retry; return it as it then stands.

        Raises NotFoundError, and ConflictError when its status does not allow it.
        """
        return one(
            await self._connection.request(
                "POST", f"{_path(job_id)}/signal", body={"signal": signal}
            ),
            Job,
        )

    async def signal_all(self, signal: Signal, filters: Filters) -> Signalled:
        """Signal every job that passes the filters, of which there must be one at least."""
        answer = await self._connection.request(
            "POST", "/jobs/signal", params=filter_parameters(filters), body={"signal": signal}
        )
        return decode(answer, _SignalledDocument).meta

    async def delete(self, job_id: str) -> None:
        """Delete a job, cancelling it first when it runs. An unknown one is no error."""
        await self._connection.request("DELETE", _path(job_id))

    async def watch(
        self, *job_ids: str, after: int | None = None
    ) -> AsyncGenerator[JobEvent, None]:
        """Yield what happens to these jobs, or to all of them, as it happens.

        Begins with a ``state`` event for each job named, or with the history after the event
        ``after``. A broken connection is made again and misses nothing of the history.
        """
        params = [("job", job_id) for job_id in job_ids]
        last = None if after is None else str(after)
        retries = self._connection.retries()
        while True:
            headers = {"Accept": "text/event-stream"}
            if last is not None:
                headers["Last-Event-ID"] = last
            decoder = EventDecoder()
            try:
                async with self._connection.stream(
                    "GET", "/events", params=params, headers=headers
                ) as response:
                    async for piece in response.aiter_bytes():
                        retries.progressed()
                        for event in decoder.feed(piece):
                            yield _job_event(event.data, event.id)
                        last = decoder.last_id or last
                raise ConnectionLostError("The server ended the stream of events.")
            except RETRYABLE as error:
                await self._connection.pause_after(error, retries)

    async def wait(self, job_id: str) -> Job:
        """Return a job once it has ended. Raises NotFoundError."""
        async with aclosing(self.watch(job_id)) as events:
            async for event in events:
                if not event.live:
                    break
        return await self.find(job_id)


def _path(job_id: str) -> str:
    if not job_id:  # the address of the list
        raise NotFoundError("There is no job ''.")
    return f"/jobs/{quote(job_id, safe='')}"


def _job_event(data: str, event_id: str | None) -> JobEvent:
    try:
        event = msgspec.json.decode(data, type=JobEvent)
    except msgspec.MsgspecError as error:
        raise NotUnderstoodError(f"The server sent an event that is none: {error}") from None
    number = int(event_id) if event_id and event_id.isdigit() else None
    return msgspec.structs.replace(event, id=number)
