"""A recording that is sent in chunks, completed, processed, and played in part."""

import hashlib
import time
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import httpx

from demo.doors import Step, answered, expect, recorder
from demo.films import SECONDS, record_chunks
from demo.service import RunningService

_PROCESSING_SECONDS = 120
_JPEG = b"\xff\xd8\xff"


def through_recordings(service: RunningService) -> Iterator[Step]:
    """Send a film while it is made, one chunk twice; then play it, and look at what was found."""
    done = recorder("recording", "recordings")
    chunks = record_chunks()
    film = b"".join(chunks)
    known: dict[str, Any] = {}

    def create() -> str:
        known["id"] = answered(service.http.post("/create/"))["video_id"]
        known["original"] = f"/medias/files/{known['id']}"
        return ""

    def send() -> str:
        for number, chunk in enumerate(chunks):
            _add(service, known["id"], number, chunk)
        # As after a lost answer: it is acknowledged again, and there once.
        answer = _add(service, known["id"], 0, chunks[0])
        expect(answer.headers["upload-offset"] == str(len(film)), "a chunk is there twice")
        return f"{len(chunks)} chunks, {len(film)} bytes"

    def play_early() -> str:
        answer = service.http.get(f"/video/{known['id']}/now")
        expect(answer.content == film, "what has arrived plays differently")
        return ""

    def complete() -> str:
        answered(service.http.post(f"/complete_job/{known['id']}/"))
        deadline = time.monotonic() + _PROCESSING_SECONDS
        while (state := _status(service, known["id"]))["status"] == "processing":
            expect(time.monotonic() < deadline, "the recording is still being processed")
            time.sleep(0.05)
        expect(state == {"status": "complete"}, f"the recording is {state}")
        return "no warnings"

    def play() -> str:
        (name,) = answered(service.http.get(f"/video/{known['id']}/"))["completed_videos"]
        address = f"/video/{known['id']}/{name}"
        whole = service.http.get(address).content
        first, last = len(whole) // 3, len(whole) // 2
        part = service.http.get(address, headers={"Range": f"bytes={first}-{last}"})
        expect(part.status_code == httpx.codes.PARTIAL_CONTENT, f"no part: {part.text[:200]}")
        expect(part.content == whole[first : last + 1], "the part differs from the whole")
        expect(service.http.get(known["original"]).content == film, "the original is different")
        return f"{name}, {part.headers['content-range']}"

    def show() -> str:
        info = answered(service.http.get(f"/medias/info/{known['id']}"))
        meta = info["data"]["attributes"]["meta"]
        expect(abs(meta["duration"] - SECONDS) < 0.2, f"it lasts {meta['duration']} s")
        thumbnail = service.http.get(f"{known['original']}/thumbnail.jpg")
        expect(thumbnail.content.startswith(_JPEG), "there is no thumbnail")
        video = meta["video"]
        return (
            f"{meta['duration']:.1f} s, {video['codec']} {video['width']}x{video['height']}, "
            f"thumbnail of {len(thumbnail.content)} bytes"
        )

    yield done("create", create)
    yield done("send", send)
    yield done("play what is there", play_early)
    yield done("complete and wait", complete)
    yield done("range", play)
    yield done("show", show)


def _add(service: RunningService, recording: str, number: int, chunk: bytes) -> httpx.Response:
    digest = b64encode(hashlib.sha256(chunk).digest()).decode()
    headers = {"Chunk-Index": str(number), "Content-Digest": f"sha-256=:{digest}:"}
    answer = service.http.post(f"/add_data/{recording}/", content=chunk, headers=headers)
    answered(answer)
    return answer


def _status(service: RunningService, recording: str) -> Any:
    return answered(service.http.get(f"/check_status/{recording}/"))
