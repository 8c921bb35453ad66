"""Headers of door 1: where a chunk belongs, and where its recording goes on."""

from mediatheque.domain.recordings import ChunkPlace
from mediatheque.doors.http.conditions import Headers, field_value
from mediatheque.doors.http.requests import parse_count

CHUNK_INDEX = "Chunk-Index"
UPLOAD_OFFSET = "Upload-Offset"


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
    return None if text is None else parse_count(text, field=name)
