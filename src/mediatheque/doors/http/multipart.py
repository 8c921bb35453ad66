"""Streaming multipart/form-data (RFC 7578): small fields are collected, one file passes through.

The file's bytes go from the request to their consumer piece by piece as they arrive; nothing is
spooled, and nothing but the small fields is kept.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic, TypeVar

from multipart import (
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)

from mediatheque.domain.errors import InvalidError
from mediatheque.doors.http.dispositions import sent_filename

MAX_PARTS = 32
MAX_FIELD_BYTES = 8 * 1024
MAX_BOUNDARY = 70  # RFC 2046 section 5.1.1

T = TypeVar("T")
Events = AsyncGenerator[MultipartSegment | bytes | None, None]


@dataclass(frozen=True, slots=True)
class Form(Generic[T]):
    """A form that was read to its end.

    ``file`` is what the consumer of the file part returned, or None when there was no file part.
    """

    fields: dict[str, str]
    file: T | None


class FilePart:
    """The file part of a form: iterate once to get its bytes in pieces, as they arrive.

    ``name`` is the field's. ``filename`` is the client's, without any folders; None or empty when
    it gave none. ``content_type`` is lower-case and without parameters, None when not given.
    """

    def __init__(self, segment: MultipartSegment, events: Events) -> None:
        self.name = segment.name or ""
        self.filename = sent_filename(
            segment.header("Content-Disposition") or "", plain=segment.filename
        )
        self.content_type = segment.content_type
        self._pieces = _part_pieces(events)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces


async def read_form(
    content_type: str | None,
    pieces: AsyncIterator[bytes],
    *,
    file_fields: frozenset[str],
    on_file: Callable[[FilePart], Awaitable[T]],
) -> Form[T]:
    """Read a form whose body arrives as non-empty ``pieces``, giving the file to ``on_file``.

    A part is the file when its name is one of ``file_fields``; fields may come before and after
    it. What ``on_file`` leaves unread is skipped. Raises InvalidError, naming the field, for a
    second file part, a file under another name, a field that comes twice, is longer than
    ``MAX_FIELD_BYTES`` or is not UTF-8, more than ``MAX_PARTS`` parts, and anything malformed or
    cut off: when that is found only after ``on_file`` returned, the caller has to undo what it
    did. Passes on whatever ``pieces`` and ``on_file`` raise.
    """
    fields: dict[str, str] = {}
    file: T | None = None
    file_field: str | None = None
    parts = 0
    async with aclosing(_events(_boundary(content_type), pieces)) as events:
        async for segment in events:
            if not isinstance(segment, MultipartSegment):
                continue  # what on_file left unread
            parts += 1
            if parts > MAX_PARTS:
                raise InvalidError(f"the form has more than {MAX_PARTS} parts")
            name = segment.name
            if not name:
                raise InvalidError(f"part {parts} of the form has no name")
            if name in file_fields:
                if file_field is not None:
                    raise _invalid(name, f"is a second file, after {_shown(file_field)}")
                file_field = name
                file = await on_file(FilePart(segment, events))
            elif segment.filename is not None:
                raise _invalid(name, f"holds a file; files go into {_alternatives(file_fields)}")
            elif name in fields:
                raise _invalid(name, "comes twice")
            else:
                fields[name] = await _field_text(name, events)
    return Form(fields, file)


async def read_file(
    content_type: str | None, pieces: AsyncIterator[bytes]
) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of the one file of a form, whatever the name of its field.

    Ends when the form has been read to its end: whoever got all bytes knows that it was whole.
    Small fields are ignored. Raises InvalidError for a form without a file or with two, and for
    what ``read_form`` refuses. Passes on whatever ``pieces`` raises.
    """
    parts = files = field_bytes = 0
    name, in_file = "", False
    async with aclosing(_events(_boundary(content_type), pieces)) as events:
        async for event in events:
            if isinstance(event, MultipartSegment):
                parts += 1
                name, in_file = event.name or "", event.filename is not None
                files += in_file
                field_bytes = 0
                if parts > MAX_PARTS:
                    raise InvalidError(f"the form has more than {MAX_PARTS} parts")
                if files > 1:
                    raise _invalid(name, "is a second file")
            elif event and in_file:
                yield event
            elif event:
                field_bytes += len(event)
                if field_bytes > MAX_FIELD_BYTES:
                    raise _invalid(name, f"is longer than {MAX_FIELD_BYTES} bytes")
            del event  # it would stay in memory for as long as the next one takes to come
    if not files:
        raise InvalidError("the form has no file: no part of it has a filename")


async def _events(boundary: str, pieces: AsyncIterator[bytes]) -> Events:
    """Turn body pieces into the parser's events: a segment, its pieces, None at its end."""
    parser = PushMultipartParser(boundary)
    try:
        async for piece in pieces:
            for event in parser.parse(piece):
                yield event
                del event
            del piece
        parser.close()
    except MultipartError as error:
        raise InvalidError(f"the multipart body cannot be read: {error}") from error


async def _part_pieces(events: Events) -> AsyncIterator[bytes]:
    """Yield the bytes of the part whose segment came last, and leave ``events`` at its end."""
    async for event in events:
        if not isinstance(event, bytes):
            return
        yield event
        del event


async def _field_text(name: str, events: Events) -> str:
    """Collect the value of one small field."""
    value = bytearray()
    async for piece in _part_pieces(events):
        value += piece
        if len(value) > MAX_FIELD_BYTES:
            raise _invalid(name, f"is longer than {MAX_FIELD_BYTES} bytes")
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise _invalid(name, "is not UTF-8") from error


def _boundary(content_type: str | None) -> str:
    """Return the boundary that the Content-Type header of a form names."""
    media_type, options = parse_options_header(content_type or "")
    if media_type != "multipart/form-data":
        raise InvalidError("the request body must be multipart/form-data", field="Content-Type")
    boundary: str = options.get("boundary", "")
    if not (boundary.isascii() and boundary.isprintable() and boundary):
        raise InvalidError(
            "the Content-Type names no valid multipart boundary", field="Content-Type"
        )
    if len(boundary) > MAX_BOUNDARY:
        raise InvalidError(
            f"the multipart boundary is longer than {MAX_BOUNDARY} characters",
            field="Content-Type",
        )
    return boundary


def _invalid(name: str, fault: str) -> InvalidError:
    """Build the error about one part of the form."""
    return InvalidError(f"the form field {_shown(name)} {fault}", field=name[:64])


def _shown(name: str) -> str:
    """Quote a client's field name for people, cut to a readable length."""
    return repr(name if len(name) <= 64 else f"{name[:64]}…")


def _alternatives(names: frozenset[str]) -> str:
    """List the accepted field names for people."""
    return " or ".join(_shown(name) for name in sorted(names)) or "no field"
