"""An HTTP server that gives the answers it was told to, one after the other, and keeps requests."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from tests.support.proxy import answer

BROKEN = b""
"""Instead of an answer, the end of the connection."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived; header names in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Scripted:
    """Where it listens, the answers to come, the requests so far."""

    url: str = ""
    answers: list[bytes] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return method and target of every request so far."""
        return [request.line.removesuffix(" HTTP/1.1") for request in self.asked]


def json_answer(body: str, *, headers: str = "", status: str = "200 OK") -> bytes:
    """Write an answer with a JSON body."""
    return answer(status, body, headers=f"Content-Type: application/json\r\n{headers}")


@contextlib.asynccontextmanager
async def scripted(*answers: bytes) -> AsyncIterator[Scripted]:
    """Run the server in this event loop; every answer ends its connection."""
    script = Scripted(answers=list(answers))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            line, *rest = head.strip().split("\r\n")
            headers = {name.lower(): value for name, value in (h.split(": ", 1) for h in rest)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            script.asked.append(Asked(line, headers, body))
            writer.write(script.answers.pop(0))
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        script.url = f"http://{host}:{port}"
        yield script
