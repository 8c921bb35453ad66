"""Server-sent events, from bytes (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event. ``id`` is None when the event has none of its own."""

    event: str
    data: str
    id: str | None


class EventDecoder:
    """Cuts a stream of bytes, in pieces of any length, into events.

    ``last_id`` is the id after which the stream can be gone on with: of the last event that had
    one, or of a block that is no event and says only that.
    """

    def __init__(self) -> None:
        self.last_id: str | None = None
        self._rest = b""
        self._fields: list[tuple[str, str]] = []

    def feed(self, piece: bytes) -> Iterator[ServerSentEvent]:
        """Yield the events that are complete once ``piece`` has arrived."""
        self._rest += piece
        position = 0
        for end in _LINE_END.finditer(self._rest):
            if end.group() == b"\r" and end.end() == len(self._rest):
                break  # the line feed that belongs to it may be in the next piece
            line = self._rest[position : end.start()].decode(errors="replace")
            position = end.end()
            if line:
                self._take(line)
            elif (event := self._finish()) is not None:
                yield event
        self._rest = self._rest[position:]

    def _take(self, line: str) -> None:
        name, _, value = line.partition(":")
        if name:  # without one it is a comment
            self._fields.append((name, value.removeprefix(" ")))

    def _finish(self) -> ServerSentEvent | None:
        fields, self._fields = self._fields, []
        last = dict(fields)
        self.last_id = last.get("id", self.last_id)
        data = [value for name, value in fields if name == "data"]
        if not data:
            return None
        return ServerSentEvent(last.get("event") or "message", "\n".join(data), last.get("id"))
