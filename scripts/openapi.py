"""Writes console/openapi.json, which the console's types come from: ``python -m scripts.openapi``.

It is what a service answers at ``/openapi.json``; neither a database nor a server is needed.
"""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from mediatheque.app import build_app
from mediatheque.config import Settings
from mediatheque.runtime import open_runtime

FILE = Path(__file__).parents[1] / "console" / "openapi.json"

_SCOPE: dict[str, Any] = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.3"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/openapi.json",
    "raw_path": b"/openapi.json",
    "query_string": b"",
    "root_path": "",
    "headers": [(b"host", b"127.0.0.1")],
    "client": ("127.0.0.1", 1),
    "server": ("127.0.0.1", 80),
    "extensions": {},
}


def render() -> str:
    """Return the description of all doors, always in the same order."""
    described = json.loads(asyncio.run(_ask()))
    for path in described["paths"].values():
        for operation in path.values():
            # The framework takes those of the path from a set.
            operation.get("parameters", []).sort(key=lambda each: (each["in"], each["name"]))
    return json.dumps(described, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


async def _ask() -> bytes:
    """Return what the application answers; its connections are made when they are needed."""
    body = bytearray()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        body.extend(message.get("body", b""))

    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), secret_key="-" * 32)
        await build_app(open_runtime(settings))(dict(_SCOPE), receive, send)
    return bytes(body)


if __name__ == "__main__":
    FILE.write_text(render())
