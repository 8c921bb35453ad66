"""Speaking ASGI to an application the way a server does, and keeping what it answers."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

PATHSEND: dict[str, Any] = {"http.response.pathsend": {}}


def http_scope(
    method: str = "GET",
    path: str = "/",
    headers: dict[str, str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (name.lower().encode(), value.encode("latin-1"))
            for name, value in (headers or {}).items()
        ],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 5000),
        "extensions": {},
        **more,
    }


@dataclass
class Exchange:
    """One request's body to be received, and the response that was sent.

    After ``body`` the client stays connected and silent, unless ``leaves`` is set.
    """

    body: list[bytes] = field(default_factory=list)
    leaves: bool = False
    complete: bool = True
    sent: list[dict[str, Any]] = field(default_factory=list)
    received: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self) -> dict[str, Any]:
        if self.received < len(self.body) or (self.complete and self.received == 0):
            piece = self.body[self.received] if self.body else b""
            self.received += 1
            more = self.received < len(self.body) or not self.complete
            return {"type": "http.request", "body": piece, "more_body": more}
        if not self.leaves:
            await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        self.sent.append(message)

    async def run(
        self, app: Callable[[Any, Any, Any], Awaitable[None]], scope: dict[str, Any]
    ) -> "Exchange":
        await app(scope, self.receive, self.send)
        return self

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        pairs = [
            (name.decode(), value.decode("latin-1")) for name, value in self.sent[0]["headers"]
        ]
        assert len(pairs) == len(dict(pairs)), f"a header was sent twice: {pairs}"
        return dict(pairs)

    @property
    def answer_body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])

    @property
    def finished(self) -> bool:
        last = self.sent[-1]
        return last["type"] == "http.response.pathsend" or last.get("more_body") is False
