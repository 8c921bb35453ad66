"""What a client of the service does to it, over HTTP: upload, look at, fetch, remove."""

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.bench.client import Connection, multipart_body, path_of, raw_body
from tests.bench.outcome import BenchError
from tests.bench.source import Slice

_TRANSFER_SECONDS = 600
_LOOK_SECONDS = 0.05


def post_media(client: Connection, content: Slice, name: str) -> str | None:
    """Upload through door 3 (multipart); return the BLAKE3 that the service reports, in hex."""
    body = multipart_body(content, "media", name)
    answer = json.loads(client.send("POST", media_path(name), body))
    attributes = answer["data"]["attributes"]
    if attributes["size"] != content.size:
        raise BenchError(f"{name}: {content.size} bytes were sent, {attributes['size']} reported")
    digest: str | None = attributes["checksum"]["blake3"]
    return digest


def put_signed(client: Connection, content: Slice, name: str) -> None:
    """Upload through door 4: ask for a URL, put the bytes there, confirm."""
    ticket = client.post_json("/api/file/upload", {"name": name, "size": content.size})
    client.send("PUT", path_of(ticket["uploadUrl"]), raw_body(content))
    client.post_json("/api/file/confirmUpload", {"id": ticket["id"], "success": True})


def verify(client: Connection, content: Slice, name: str) -> None:
    """Fetch the one file of this name back.

    :raises BenchError: it is not there, or its bytes are not those that were sent.
    """
    listed = _called(client, name)
    if len(listed) != 1:
        raise BenchError(f"{len(listed)} files are called {name}")
    if client.digest(path_of(listed[0]["url"])) != content.digest:
        raise BenchError(f"{name} came back with other bytes than were sent")


def remove(client: Connection, name: str) -> None:
    """Delete what has this name, if anything has."""
    for file in _called(client, name):
        client.delete(f"/api/file/{file['id']}")


def start_transfer(client: Connection, source: Path) -> str:
    """Start a transfer of a file, or of all files of a folder, through door 0; return its id."""
    transfer_id: str = client.post_json("/transfers", {"media_files": [source.as_uri()]})["id"]
    return transfer_id


def transfer(client: Connection, transfer_id: str) -> dict[str, Any]:
    """Return how a transfer stands.

    :raises BenchError: it ended in any other way than complete.
    """
    found: dict[str, Any] = client.get_json(f"/transfers/{transfer_id}?limit=0")
    if found["status"] in {"failed", "cancelled", "paused"}:
        raise BenchError(f"the transfer is {found['status']}: {found['error']}")
    return found


def wait_for_transfer(client: Connection, transfer_id: str) -> None:
    """Return once a transfer is complete; see ``transfer``."""
    deadline = time.monotonic() + _TRANSFER_SECONDS
    while transfer(client, transfer_id)["status"] != "complete":
        if time.monotonic() > deadline:
            raise BenchError(f"the transfer did not end within {_TRANSFER_SECONDS} s")
        time.sleep(_LOOK_SECONDS)


def media_path(name: str) -> str:
    """Return where door 3 keeps the bytes of a resource."""
    return f"/medias/files/{name}"


def _called(client: Connection, name: str) -> list[dict[str, Any]]:
    page: list[dict[str, Any]] = client.get_json(f"/api/file?{urlencode({'name': name})}")["page"]
    return page
