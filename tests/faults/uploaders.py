"""Clients of tus that upload while the service is killed, and remember what it told them."""

import contextlib
import time
from collections.abc import Iterator, Sequence

import httpx

from tests.faults.clients import PIECE_BYTES
from tests.support.door_uploads import BYTES, TUS, create, path_of
from tests.support.service import Service

_PAUSE_SECONDS = 0.001


class Uploader:
    """Sends one upload, from where the service says that it goes on.

    ``most``: bytes of one PATCH, of which the length is told; None: all, without a length.
    """

    def __init__(
        self, service: Service, content: bytes, *, most: int | None = None, **headers: str
    ) -> None:
        self.path = create(service, len(content), **headers)
        self.content = content
        self.answered = 0  # what the service has said that it has
        self.sent = 0  # what was handed to the kernel, or more
        self.cut_off = 0
        self._service = service
        self._most = most

    @property
    def done(self) -> bool:
        """Whether the service has said that it has everything."""
        return self.answered == len(self.content)

    def upload(self) -> None:
        """Send what is left, until the service does not answer any more."""
        with httpx.Client(base_url=self._service.url, timeout=60, trust_env=False) as http:
            if not self.done:
                self.check_kept(http)
            while not self.done and self._send(http):
                pass

    def check_kept(self, http: httpx.Client) -> None:
        """Ask where it is: never behind what was said before, never before what was sent."""
        with contextlib.suppress(httpx.TransportError):
            answer = http.head(self.path, headers=TUS)
            if answer.status_code == 200:
                offset = int(answer.headers["upload-offset"])
                assert self.answered <= offset <= self.sent
                self.answered = offset
            else:
                _check_away(answer)

    def _send(self, http: httpx.Client) -> bool:
        start = self.answered
        end = len(self.content) if self._most is None else start + self._most
        body = self.content[start:end]
        headers = {**TUS, **BYTES, "Upload-Offset": str(start)}
        if self._most is not None:
            headers["Content-Length"] = str(len(body))
        answer = None
        with contextlib.suppress(httpx.TransportError):
            answer = http.patch(self.path, content=self._pieces(body), headers=headers)
        if answer is not None and answer.status_code == 204:
            assert int(answer.headers["upload-offset"]) == start + len(body)
            self.answered = start + len(body)
            return True
        if answer is not None:
            _check_away(answer)
        self.cut_off += 1
        return False

    def _pieces(self, body: bytes) -> Iterator[bytes]:
        start = self.answered
        for position in range(0, len(body), PIECE_BYTES):
            piece = body[position : position + PIECE_BYTES]
            self.sent = max(self.sent, start + position + len(piece))
            yield piece
            time.sleep(_PAUSE_SECONDS)


class PartsUploader:
    """Sends partial uploads, one after the other, and has them put together."""

    def __init__(self, service: Service, contents: Sequence[bytes]) -> None:
        self.path = ""
        self.content = b"".join(contents)
        self._service = service
        self._parts = [Uploader(service, content, Upload_Concat="partial") for content in contents]

    @property
    def done(self) -> bool:
        """Whether the service has said that it has put them together."""
        return bool(self.path)

    @property
    def sent(self) -> int:
        """How many bytes were handed to the kernel, or more."""
        return sum(part.sent for part in self._parts)

    @property
    def cut_off(self) -> int:
        """How many requests had no answer, or none that took the bytes."""
        return sum(part.cut_off for part in self._parts)

    def upload(self) -> None:
        """Send what is left, until the service does not answer any more."""
        for part in self._parts:
            part.upload()
        if not all(part.done for part in self._parts):
            return
        named = "final;" + " ".join(part.path for part in self._parts)
        headers = {**TUS, "Upload-Concat": named, "Idempotency-Key": self._parts[0].path}
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.post(
                f"{self._service.url}/uploads", headers=headers, timeout=60, trust_env=False
            )
            if answer.status_code == 201:
                self.path = path_of(answer)
            else:
                _check_away(answer)


def _check_away(answer: httpx.Response) -> None:
    """Check that a request was refused because the database ended an instant before the rest."""
    assert answer.status_code == 503, (answer.status_code, answer.text)
