"""Speaking to door 0: folders to transfer, transfers, calls segment by segment."""

import os
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.support.service import Service

LIVE = {"pending", "running"}


def folder(root: Path, files: Mapping[str, bytes]) -> Path:
    """Make a folder of its own with these files."""
    made = root / uuid.uuid4().hex
    made.mkdir()
    for name, content in files.items():
        path = made / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return made


def random_files(count: int, size: int) -> dict[str, bytes]:
    """Return files with content that no other file has."""
    return {f"{number:05}.bin": os.urandom(size) for number in range(count)}


def start(service: Service, *sources: Path | str, **more: Any) -> Any:
    """Start a transfer and return it."""
    body = {"media_files": [str(source) for source in sources], **more}
    answer = service.http.post("/transfers", json=body)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/transfers/{answer.json()['id']}"
    return answer.json()


def show(service: Service, transfer_id: str, **parameters: Any) -> Any:
    """Return a transfer with its files."""
    answer = service.http.get(f"/transfers/{transfer_id}", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def wait(
    service: Service, transfer_id: str, condition: Callable[[Any], bool], *, seconds: float = 60
) -> Any:
    """Return a transfer as soon as it fulfils a condition."""
    deadline = time.monotonic() + seconds
    while not condition(found := show(service, transfer_id, limit=0)):
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def wait_for_end(service: Service, transfer_id: str, *, seconds: float = 60) -> Any:
    """Return a transfer with its files once it is neither pending nor running."""
    wait(service, transfer_id, lambda found: found["status"] not in LIVE, seconds=seconds)
    return show(service, transfer_id)


def signal(service: Service, transfer_id: str, word: str) -> httpx.Response:
    """Cancel, pause, resume or retry a transfer."""
    return service.http.post(f"/transfers/{transfer_id}/{word}")


def move(service: Service, cursor: str | None = None, **body: Any) -> httpx.Response:
    """Transfer one segment."""
    if cursor is not None:
        body["cursor"] = cursor
    return service.http.post("/transfer_media_segment", json=body)


def move_to_end(service: Service, **body: Any) -> tuple[list[str], list[httpx.Response]]:
    """Call until the cursor does not change any more; return the cursors and the answers."""
    answers = [move(service, **body)]
    cursors = [answers[0].json()["cursor"]]
    while len(cursors) < 2 or cursors[-1] != cursors[-2]:
        answers.append(move(service, cursors[-1]))
        assert answers[-1].status_code == 200, answers[-1].text
        cursors.append(answers[-1].json()["cursor"])
    return cursors, answers


def content(service: Service, resource: str) -> bytes:
    """Return the bytes of a media as door 3 serves them."""
    answer = service.http.get(f"/medias/files/{resource}")
    assert answer.status_code == 200
    return answer.content


def contents(service: Service, transfer_id: str, below: Path) -> dict[str, bytes]:
    """Return the bytes of every media of a transfer, by its file's path below a folder."""
    start_of_uri = below.as_uri() + "/"
    return {
        file["uri"].removeprefix(start_of_uri): content(service, file["resource"])
        for file in show(service, transfer_id)["file_list"]
        if file["state"] == "complete"
    }


def check_error(answer: httpx.Response, status: int, *, says: str) -> None:
    """Check that an answer is one error in the door's shape and nothing else."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    error = answer.json()["error"]
    assert answer.json() == {"error": error}
    assert says in error
    assert 5 < len(error) < 500
