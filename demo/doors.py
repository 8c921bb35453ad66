"""One file through one door and back, compared byte by byte."""

import hashlib
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import httpx

from demo.service import DemoError, RunningService

_PIECE = 1 << 20
_TRANSFER_SECONDS = 120
_UNDER_WAY = {"pending", "running"}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done, with its result and how long it took, in seconds."""

    file: str
    door: str
    what: str
    result: str
    seconds: float


def through_medias(service: RunningService, source: Path) -> Iterator[Step]:
    """Upload as a form, look at it, download it whole and in part."""
    # Two files of one name are two resources.
    resource = f"{uuid.uuid4().hex[:8]}-{quote(source.name, safe='')}"
    address = f"/medias/files/{resource}"
    done = recorder(source.name, "medias")

    def upload() -> str:
        with source.open("rb") as file:
            answer = service.http.post(address, files={"media": (source.name, file)})
        attributes = answered(answer)["data"]["attributes"]
        expect(attributes["size"] == source.stat().st_size, f"{source.name}: wrong size recorded")
        return f"{attributes['size']} bytes, {attributes['mime_type']}"

    def show() -> str:
        answer = answered(service.http.get(f"/medias/info/{resource}"))
        return f"BLAKE3 {answer['data']['attributes']['checksum']['blake3'][:16]}…"

    def part() -> str:
        size = source.stat().st_size
        first, last = size // 3, size // 2
        answer = service.http.get(address, headers={"Range": f"bytes={first}-{last}"})
        with source.open("rb") as file:
            file.seek(first)
            expected = file.read(last - first + 1)
        expect(answer.status_code == httpx.codes.PARTIAL_CONTENT, f"no part: {answer.text[:200]}")
        expect(answer.content == expected, f"{source.name}: the part differs from the source")
        return str(answer.headers["content-range"])

    yield done("upload", upload)
    yield done("show", show)
    yield done("download", lambda: _compare(service, address, source))
    yield done("range", part)


def through_files(service: RunningService, source: Path) -> Iterator[Step]:
    """Announce, PUT to the signed URL, confirm, tag, find, download by the signed link, delete."""
    done = recorder(source.name, "files")
    known: dict[str, str] = {}

    def announce() -> str:
        size = source.stat().st_size
        answer = service.http.post("/api/file/upload", json={"name": source.name, "size": size})
        known.update(answered(answer))
        return ""

    def put() -> str:
        with source.open("rb") as file:
            answer = service.http.put(
                known["uploadUrl"], content=iter(lambda: file.read(_PIECE), b"")
            )
        expect(answer.is_success, f"the signed PUT was refused: {answer.text[:200]}")
        return "durable"

    def confirm() -> str:
        body = {"id": known["id"], "success": True}
        answered(service.http.post("/api/file/confirmUpload", json=body))
        answered(service.http.post(f"/api/file/{known['id']}/tags", json=["demo"]))
        return "listed"

    def find() -> str:
        answer = answered(
            service.http.get("/api/file", params={"tags": "demo", "name": source.stem})
        )
        found = {file["id"]: file for file in answer["page"]}
        expect(known["id"] in found, f"{source.name} is not in the list of files")
        known["url"] = found[known["id"]]["url"]
        return f"{answer['total']} found"

    def remove() -> str:
        answered(service.http.delete(f"/api/file/{known['id']}"))
        gone = service.http.get(known["url"]).status_code
        expect(gone == httpx.codes.NOT_FOUND, f"{source.name} was not deleted")
        return "gone"

    yield done("announce", announce)
    yield done("signed PUT", put)
    yield done("confirm and tag", confirm)
    yield done("find by tag", find)
    yield done("signed GET", lambda: _compare(service, known["url"], source))
    yield done("delete", remove)


def through_transfers(service: RunningService, folder: Path) -> Iterator[Step]:
    """Let the service fetch a folder as a job, look at both, and compare every file."""
    done = recorder(folder.name, "transfers")
    known: dict[str, Any] = {}

    def start() -> str:
        answer = service.http.post("/transfer_media", json={"media_files": [str(folder)]})
        expect(answer.status_code == httpx.codes.ACCEPTED, f"refused: {answer.text[:300]}")
        known["status"] = answer.headers["location"]
        newest = answered(service.http.get("/transfers", params={"limit": 1}))["transfers"][0]
        known["id"] = newest["id"]
        return ""

    def wait() -> str:
        deadline = time.monotonic() + _TRANSFER_SECONDS
        while (status := answered(service.http.get(known["status"]))["status"]) in _UNDER_WAY:
            expect(time.monotonic() < deadline, f"the transfer is still {status}")
            time.sleep(0.05)
        expect(status == "complete", f"the transfer is {status}")
        return str(status)

    def show_job() -> str:
        job = answered(service.http.get(f"/jobs/{known['id']}"))["data"]["attributes"]
        expect(job["status"] == "completed", f"its job is {job['status']}")
        return f"job {job['job_class']} {job['progress']:.0%}"

    def compare() -> str:
        transfer = answered(service.http.get(f"/transfers/{known['id']}"))
        files = transfer["file_list"]
        expect(len(files) == len(list(folder.iterdir())), "not every file was transferred")
        for file in files:
            name = Path(unquote(urlsplit(file["uri"]).path)).name
            _compare(service, f"/medias/files/{file['resource']}", folder / name)
        return f"{len(files)} files, same bytes"

    yield done("start", start)
    yield done("wait", wait)
    yield done("show its job", show_job)
    yield done("download all", compare)


def recorder(source: str, door: str) -> Callable[[str, Callable[[], str]], Step]:
    """Return what does a step and says how it went. Raises DemoError when it did not."""

    def done(what: str, work: Callable[[], str]) -> Step:
        started = time.perf_counter()
        try:
            result = work()
        except httpx.HTTPError as error:
            raise DemoError(f"{door}: {what}: {error}") from error
        return Step(source, door, what, result, time.perf_counter() - started)

    return done


def _compare(service: RunningService, address: str, source: Path) -> str:
    received = hashlib.sha256()
    with service.http.stream("GET", address) as answer:
        expect(answer.status_code == httpx.codes.OK, f"{address} answered {answer.status_code}")
        for piece in answer.iter_bytes(_PIECE):
            received.update(piece)
    with source.open("rb") as file:
        expected = hashlib.file_digest(file, "sha256")
    expect(received.digest() == expected.digest(), f"{source.name} came back different")
    return "same bytes"


def answered(answer: httpx.Response) -> Any:
    """Return the document of a good answer. Raises DemoError for any other."""
    expect(answer.is_success, f"{answer.request.method} {answer.url}: {answer.text[:300]}")
    return answer.json()


def expect(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Raise DemoError unless that ``holds``."""
    if not holds:
        raise DemoError(otherwise)
