"""Reading server-sent events the way a browser does."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.service import Service


@dataclass(frozen=True)
class Sent:
    """One block of a stream: an event, a starting point (only an id), or a comment."""

    id: str | None = None
    event: str | None = None
    data: Any = None
    comment: str | None = None


class EventStream:
    """An open stream; ``headers`` are the answer's."""

    def __init__(self, response: httpx.Response) -> None:
        self.headers = response.headers
        self._lines = response.iter_lines()

    def next(self) -> Sent:
        """Return the next block. Raises StopIteration at the end of the stream."""
        fields: dict[str, Any] = {}
        while line := next(self._lines):
            name, _, text = line.partition(": ")
            assert name not in fields, f"{name} is sent twice in a block"
            fields[name or "comment"] = json.loads(text) if name == "data" else text
        return Sent(**fields)

    def take(self, count: int) -> list[Sent]:
        """Return the next blocks."""
        return [self.next() for _ in range(count)]


@contextmanager
def event_stream(
    service: Service,
    *parameters: tuple[str, str],
    last_event_id: str | None = None,
    timeout: float = 20,
    path: str = "/events",
) -> Iterator[EventStream]:
    """Open a stream of events; waiting longer than ``timeout`` seconds for a line is an error."""
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    with (
        httpx.Client(base_url=service.url, timeout=timeout, trust_env=False) as client,
        client.stream("GET", path, params=[*parameters], headers=headers) as response,
    ):
        assert response.status_code == 200, response.read()
        yield EventStream(response)
