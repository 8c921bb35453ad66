"""``/events``: what happens to jobs, as server-sent events."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from litestar import Router, get
from litestar.params import HeaderParameter

from mediatheque.auth.principals import resolve_principal
from mediatheque.domain.errors import InvalidError
from mediatheque.domain.jobs import JobEvent
from mediatheque.doors.dependencies import GivenServices
from mediatheque.doors.events.schemas import happening
from mediatheque.doors.http.event_stream import (
    MEDIA_TYPE,
    EventStream,
    comment,
    server_sent_event,
    starting_point,
)
from mediatheque.doors.http.openapi import with_parameters
from mediatheque.doors.http.requests import AnyRequest, Pairs, parse_pairs, parse_whole_number
from mediatheque.services.events import Watch

_KEEP_ALIVE_SECONDS = 15.0
_MOST_ID = 10**11 - 1

_PARAMETERS = {
    "job": "Id of a job; repeat it for several. Without one: all jobs.",
    "after": "Id of the event to go on after. The header `Last-Event-ID` comes first.",
}

LastEventId = Annotated[
    str | None,
    HeaderParameter(name="Last-Event-ID", description="What a browser sends when it comes back."),
]


@get(
    "/events",
    media_type=MEDIA_TYPE,
    operation_class=with_parameters(_PARAMETERS),
    summary="Watch jobs",
)
async def watch(
    request: AnyRequest, services: GivenServices, last_event_id: LastEventId = None
) -> EventStream:
    """Send what happens to jobs, as it happens, until the client leaves."""
    pairs = parse_pairs(request.scope["query_string"])
    watching = await services.events.watch(
        resolve_principal(),
        [text for name, text in pairs if name == "job"],
        after=_after(pairs, last_event_id),
    )
    return EventStream(pieces(watching))


def _after(pairs: Pairs, last_event_id: str | None) -> int | None:
    after: list[str] = []
    for name, text in pairs:
        if name not in {"job", "after"}:
            raise InvalidError(f"There is no parameter {name[:100]!r}.", field=name[:100])
        if name == "after":
            after.append(text)
    if len(after) > 1:
        raise InvalidError("after is given twice.", field="after")
    if last_event_id:
        return parse_whole_number(last_event_id, field="Last-Event-ID", least=0, most=_MOST_ID)
    return parse_whole_number(after[0], field="after", least=0, most=_MOST_ID) if after else None


async def pieces(watching: Watch) -> AsyncGenerator[bytes, None]:
    """Yield a stream block by block: its starting point, then news and signs of life."""
    yield starting_point(watching.position)
    async with aclosing(watching.news(silence=_KEEP_ALIVE_SECONDS)) as several:
        async for news in several:
            if news is None:
                yield comment("keep-alive")
            else:
                number = news.id if isinstance(news, JobEvent) else None
                yield server_sent_event(news.kind, happening(news), number)


router = Router("/", route_handlers=[watch])
