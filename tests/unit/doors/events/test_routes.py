"""What a stream of events looks like on the wire."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import cast

from mediatheque.domain.ids import new_id
from mediatheque.domain.jobs import EventKind, JobEvent, JobGlimpse, JobStatus
from mediatheque.doors.events.routes import pieces
from mediatheque.services.events import News, Watch

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
JOB = new_id()


class Watched:
    """A watch that has this to say."""

    position = 41

    def __init__(self, *several: News | None) -> None:
        self.several = several
        self.silence = 0.0
        self.closed = False

    async def news(self, *, silence: float) -> AsyncGenerator[News | None, None]:
        self.silence = silence
        try:
            for news in self.several:
                yield news
        finally:
            self.closed = True


async def test_every_piece_is_a_whole_block() -> None:
    watched = Watched(
        JobGlimpse(kind="progress", job_id=JOB, at=AT, status=JobStatus.RUNNING, progress=1 / 3),
        None,
        JobEvent(
            id=42,
            job_id=JOB,
            at=AT,
            kind=EventKind.ERRORED,
            actor="worker a",
            detail={"reason": "two\nlines: é"},
            status=JobStatus.ERRORED,
            progress=0.5,
        ),
    )

    sent = [piece async for piece in pieces(cast("Watch", watched))]

    assert [piece.decode() for piece in sent] == [
        "id: 41\n\n",
        (
            f'event: progress\ndata: {{"job":"{JOB}","kind":"progress","at":"2026-01-31T12:00:00Z",'
            '"status":"running","progress":0.3333333333333333}\n\n'
        ),
        ": keep-alive\n\n",
        (
            f'id: 42\nevent: errored\ndata: {{"job":"{JOB}","kind":"errored",'
            '"at":"2026-01-31T12:00:00Z","actor":"worker a","detail":{"reason":"two\\nlines: é"},'
            '"status":"errored","progress":0.5}\n\n'
        ),
    ]
    assert watched.silence == 15.0


async def test_the_watch_is_closed_with_the_stream() -> None:
    watched = Watched(None, None)
    stream = pieces(cast("Watch", watched))
    await anext(stream)
    await anext(stream)

    await stream.aclose()

    assert watched.closed
