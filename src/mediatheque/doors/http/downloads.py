"""Serving bytes: GET and HEAD of one representation with conditions and ranges (RFC 9110)."""

import asyncio
import re
import unicodedata
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from litestar.background_tasks import BackgroundTask, BackgroundTasks
from litestar.datastructures import Cookie
from litestar.response import Response
from litestar.response.base import ASGIResponse

from mediatheque.domain.errors import NotFoundError, UnavailableError
from mediatheque.doors.http.conditions import (
    Headers,
    Verdict,
    evaluate,
    field_value,
    is_strong_etag,
    range_applies,
)
from mediatheque.doors.http.connected import Receive, while_connected
from mediatheque.doors.http.ranges import ByteRange, select_ranges

DEFAULT_CACHE_CONTROL = "private, no-cache"

MAX_FILENAME_BYTES = 255
"""No common file system keeps a longer name, so no longer one is offered to a client."""

_MEDIA_TYPE = re.compile(
    r"(?P<essence>[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+)(?:[ \t]*;[ \t\x21-\x7e]*)?"
)
_SAFE_INLINE = re.compile(
    # No "+" in a subtype: browsers run anything that ends in "+xml" as a document.
    r"image/(?:png|jpeg|gif|webp|avif|heic|heif)|(?:video|audio)/[a-z0-9!#$&^_.-]+"
    r"|text/plain|text/vtt|application/vnd\.apple\.mpegurl"
)
_NOT_IN_FILENAMES = re.compile(
    # Separators of folders and lines, and the controls that turn the direction of text.
    r"[/\\\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_NOT_IN_ASCII_FILENAMES = re.compile(r'[^\x20-\x7e]|["%]')

Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Representation:
    """Bytes as they are offered to clients.

    ``size`` in bytes. ``content_type`` may be any text, a bad one is not sent. ``etag`` is a
    strong entity tag with its quotes. ``last_modified`` is aware; None for bytes that change too
    often for a date to tell (RFC 9110, section 8.8.2.2). ``filename`` may be any text.
    ``inline`` asks for display in the browser; it is granted to types known to be safe only.
    ``path`` is the file that holds exactly these bytes, when there is one on this machine.
    ``read`` yields the bytes from a start to before an end.
    """

    size: int
    content_type: str
    etag: str
    last_modified: datetime | None
    filename: str
    inline: bool
    path: Path | None
    read: Callable[[int, int], AsyncIterator[bytes]]

    def __post_init__(self) -> None:
        if not is_strong_etag(self.etag):
            raise ValueError(f"not a strong entity tag with its quotes: {self.etag!r}")


@dataclass(frozen=True, slots=True)
class Part:
    """One range of the representation within a body, after the bytes that introduce it."""

    preamble: bytes
    span: ByteRange


@dataclass(frozen=True, slots=True)
class Answer:
    """A response before it is sent: the body is ``parts``, one after the other, then ``end``."""

    status: int
    headers: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...] = ()
    end: bytes = b""


class Download(Response[None]):
    """The Litestar response that ``serve`` sends; return it from a route for GET and HEAD."""

    def __init__(
        self,
        representation: Representation,
        *,
        cache_control: str = DEFAULT_CACHE_CONTROL,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(None, headers=headers)
        self.representation = representation
        self.cache_control = cache_control

    def to_asgi_response(
        self,
        *_args: Any,
        background: BackgroundTask | BackgroundTasks | None = None,
        cookies: Iterable[Cookie] | None = None,
        headers: dict[str, str] | None = None,
        **_kwargs: Any,
    ) -> ASGIResponse:
        """Return the ASGI application that sends this response.

        What Litestar also passes (see its ``Response``) is about bodies that it renders itself.
        """
        return _ASGIDownload(
            self.representation,
            self.cache_control,
            background=self.background or background,
            cookies=[*self.cookies, *(cookies or ())],
            headers={**(headers or {}), **self.headers},
        )


class _ASGIDownload(ASGIResponse):
    """What Litestar calls to send a ``Download``."""

    def __init__(self, representation: Representation, cache_control: str, **options: Any) -> None:
        # As for HEAD, so that Litestar adds no headers that describe a body of its own.
        super().__init__(is_head_response=True, **options)
        self.representation = representation
        self.cache_control = cache_control

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await serve(
            scope,
            receive,
            send,
            self.representation,
            cache_control=self.cache_control,
            extra_headers=self.encode_headers(),
        )
        await self.after_response()


async def serve(
    scope: dict[str, Any],
    receive: Receive,
    send: Send,
    representation: Representation,
    *,
    cache_control: str = DEFAULT_CACHE_CONTROL,
    extra_headers: Iterable[tuple[bytes, bytes]] = (),
) -> None:
    """Answer a GET or HEAD request with a representation: 200, 206, 304, 412 or 416.

    Raises NotFoundError or UnavailableError before anything is sent when the bytes turn out to be
    missing or of another size. Once the response has begun, such an error can only break the
    connection, which is what letting it escape to the server does. Returns when the client goes
    away, with the reader closed.
    """
    answer = plan(scope["method"], scope["headers"], representation, cache_control)
    start = {
        "type": "http.response.start",
        "status": answer.status,
        "headers": [
            *((name.encode(), value.encode("latin-1")) for name, value in answer.headers),
            *extra_headers,
        ],
    }
    if scope["method"] == "HEAD" or not answer.parts:
        await send(start)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    elif (
        answer.status == 200
        and representation.path is not None
        and "http.response.pathsend" in (scope.get("extensions") or {})
    ):
        await asyncio.to_thread(_check_file, representation.path, representation.size)
        await send(start)
        await send({"type": "http.response.pathsend", "path": str(representation.path.absolute())})
    else:
        await while_connected(receive, _send_stream(send, start, _body(answer, representation)))


def plan(
    method: str, headers: Headers, representation: Representation, cache_control: str
) -> Answer:
    """Decide how to answer a request for a representation."""
    headers = list(headers)
    etag, last_modified = representation.etag, representation.last_modified
    validators = (
        ("etag", etag),
        *_dated(last_modified),
        ("cache-control", cache_control),
    )
    match evaluate(method, headers, etag=etag, last_modified=last_modified):
        case Verdict.PRECONDITION_FAILED:
            return Answer(412, (("content-length", "0"),))
        case Verdict.NOT_MODIFIED:
            return Answer(304, validators)

    size = representation.size
    selected = None
    # Ranges are defined for GET only (section 14.2).
    if method == "GET" and range_applies(headers, etag=etag, last_modified=last_modified):
        selected = select_ranges(field_value(headers, b"range"), size)
    if selected == ():
        return Answer(
            416,
            (
                ("content-range", f"bytes */{size}"),
                ("accept-ranges", "bytes"),
                ("content-length", "0"),
            ),
        )
    return _answer_with_bytes(representation, selected, validators)


def _dated(last_modified: datetime | None) -> tuple[tuple[str, str], ...]:
    if last_modified is None:
        return ()
    return (("last-modified", format_datetime(last_modified.astimezone(UTC), usegmt=True)),)


def _answer_with_bytes(
    representation: Representation,
    selected: tuple[ByteRange, ...] | None,
    validators: tuple[tuple[str, str], ...],
) -> Answer:
    """Build the 200 of the whole, or the 206 of one range or of several."""
    size = representation.size
    content_type = _sendable_media_type(representation.content_type)
    inline = representation.inline and is_safe_inline(content_type)
    headers = [
        *validators,
        ("accept-ranges", "bytes"),
        ("content-disposition", content_disposition(representation.filename, inline=inline)),
        ("x-content-type-options", "nosniff"),
    ]
    if not is_safe_inline(content_type):
        headers.append(("content-security-policy", "sandbox; default-src 'none'"))

    parts: tuple[Part, ...]
    end = b""
    if selected is None:
        status = 200
        parts = (Part(b"", ByteRange(0, size)),) if size else ()
    elif len(selected) == 1:
        status = 206
        parts = (Part(b"", selected[0]),)
        headers.append(("content-range", selected[0].content_range(size)))
    else:
        status = 206
        boundary = uuid4().hex
        parts = tuple(
            Part(
                f"\r\n--{boundary}\r\nContent-Type: {content_type}\r\n"
                f"Content-Range: {span.content_range(size)}\r\n\r\n".encode(),
                span,
            )
            for span in selected
        )
        end = f"\r\n--{boundary}--\r\n".encode()
        content_type = f"multipart/byteranges; boundary={boundary}"
    length = sum(len(part.preamble) + part.span.size for part in parts) + len(end)
    headers += [("content-type", content_type), ("content-length", str(length))]
    return Answer(status, tuple(headers), parts, end)


def is_safe_inline(content_type: str) -> bool:
    """Tell whether browsers may show bytes of this type in our origin: they can run no script."""
    match = _MEDIA_TYPE.fullmatch(content_type)
    return match is not None and _SAFE_INLINE.fullmatch(match["essence"].lower()) is not None


def content_disposition(filename: str, *, inline: bool) -> str:
    """Write a Content-Disposition (RFC 6266) with the name both in ASCII and in UTF-8 (RFC 8187).

    The name may be any text: what could end the header, name a folder or mislead a reader is
    replaced, and it is cut to ``MAX_FILENAME_BYTES`` with its suffix kept.
    """
    name = _offered_filename(filename)
    fallback = _NOT_IN_ASCII_FILENAMES.sub("_", name)
    kind = "inline" if inline else "attachment"
    return f"{kind}; filename=\"{fallback}\"; filename*=UTF-8''{quote(name, safe='')}"


def _offered_filename(filename: str) -> str:
    """Return a name that is safe to offer: one line, no folders, of bounded length."""
    name = "".join(
        "_" if unicodedata.category(character) in ("Cc", "Cs") else character
        for character in _NOT_IN_FILENAMES.sub("_", filename)
    ).strip(" .")
    encoded = name.encode()
    if len(encoded) > MAX_FILENAME_BYTES:
        suffix = PurePosixPath(name).suffix.encode()
        suffix = suffix if len(suffix) <= 16 else b""
        stem = encoded[: MAX_FILENAME_BYTES - len(suffix)].decode(errors="ignore")
        name = stem + suffix.decode()
    return name or "download"


def _sendable_media_type(content_type: str) -> str:
    """Return a type that can stand in a header: the given one if it is well formed."""
    return content_type if _MEDIA_TYPE.fullmatch(content_type) else "application/octet-stream"


def _check_file(path: Path, size: int) -> None:
    """Make sure that a file is there whole: the server that sends it would not tell us."""
    try:
        actual = path.stat().st_size
    except FileNotFoundError as error:
        raise NotFoundError("the stored bytes are gone") from error
    if actual != size:
        raise UnavailableError(f"the stored bytes are {actual}, not {size} as recorded")


async def _body(answer: Answer, representation: Representation) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of a body. A part's preamble goes out together with its first bytes."""
    for part in answer.parts:
        preamble = part.preamble
        async with aclosing(_read_exactly(representation, part.span)) as pieces:
            async for piece in pieces:
                yield preamble + piece if preamble else piece
                preamble = b""
    if answer.end:
        yield answer.end


async def _read_exactly(
    representation: Representation, span: ByteRange
) -> AsyncGenerator[bytes, None]:
    """Yield a range of the representation; raise UnavailableError unless it is there whole."""
    pieces = representation.read(span.start, span.end)
    received = 0
    try:
        async for piece in pieces:
            received += len(piece)
            if received > span.size:
                break
            yield piece
    finally:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()
    if received != span.size:
        raise UnavailableError(f"the store gave {received} bytes or more instead of {span.size}")


async def _send_stream(
    send: Send, start: dict[str, Any], body: AsyncGenerator[bytes, None]
) -> None:
    """Send a response whose body has at least one piece, beginning once that piece is there."""
    started = False
    async with aclosing(body):
        async for piece in body:
            if not started:
                await send(start)
                started = True
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            # With a reader and a server that never wait, nobody would hear of a disconnect.
            await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b"", "more_body": False})
