"""Headers of door 1: where a chunk belongs, and where its recording goes on."""

import re

from mediatheque.domain.errors import InvalidError
from mediatheque.domain.recordings import ChunkPlace
from mediatheque.doors.http.conditions import Headers, field_value

CHUNK_INDEX = "Chunk-Index"
UPLOAD_OFFSET = "Upload-Offset"

_MOST = 2**63 - 1
_DIGITS = re.compile(r"[0-9]{1,19}")


def parse_place(headers: Headers) -> ChunkPlace:
    """Return where a chunk says that it belongs. Raises InvalidError."""
    headers = list(headers)
    return ChunkPlace(
        number=_parse_number(headers, CHUNK_INDEX), offset=_parse_number(headers, UPLOAD_OFFSET)
    )


def position_headers(*, chunks: int, size: int) -> dict[str, str]:
    """Return what tells a client where to go on: after so many chunks, of ``size`` bytes."""
    return {CHUNK_INDEX: str(chunks), UPLOAD_OFFSET: str(size)}


def _parse_number(headers: Headers, name: str) -> int | None:
    text = field_value(headers, name.lower().encode())
    if text is None:
        return None
    if not _DIGITS.fullmatch(text) or int(text) > _MOST:
        raise InvalidError(
            f"{name} must be a whole number from 0 to {_MOST}, not {text[:40]!r}.", field=name
        )
    return int(text)
