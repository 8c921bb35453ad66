"""Conditional requests (RFC 9110 section 13) as pure functions.

Headers are ASGI's: pairs of bytes with lower-case names, in the order in which they arrived.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import Enum, auto

Headers = Iterable[tuple[bytes, bytes]]

_ENTITY_TAG = re.compile(r'(?P<weak>W/)?"(?P<opaque>[\x21\x23-\x7e\x80-\xff]*)"')
_LIST_GAP = re.compile(r"[ \t]*(?:,[ \t,]*|\Z)")
_HTTP_DATES = (
    "%a, %d %b %Y %H:%M:%S GMT",
    "%A, %d-%b-%y %H:%M:%S GMT",
    "%a %b %d %H:%M:%S %Y",
)


class Verdict(Enum):
    """What the preconditions of a request say must happen with it."""

    PROCEED = auto()
    NOT_MODIFIED = auto()
    PRECONDITION_FAILED = auto()


def field_value(headers: Headers, name: bytes) -> str | None:
    """Return a header's value, its lines joined by commas (RFC 9110 section 5.3), or None."""
    lines = [value.decode("latin-1").strip(" \t") for key, value in headers if key == name]
    return ", ".join(lines) if lines else None


def is_strong_etag(value: str) -> bool:
    """Tell whether ``value`` is one strong entity tag as it goes on the wire, quotes included."""
    match = _ENTITY_TAG.fullmatch(value)
    return match is not None and match["weak"] is None


def parse_http_date(value: str) -> datetime | None:
    """Read a date in any of the three formats of RFC 9110 section 5.6.7; None when it is none."""
    for layout in _HTTP_DATES:
        try:
            return datetime.strptime(value, layout).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def evaluate(
    method: str, headers: Headers, *, etag: str | None, last_modified: datetime | None
) -> Verdict:
    """Evaluate the preconditions of a request on an existing representation.

    Follows the order of RFC 9110 section 13.2.2. ``etag`` is the current strong entity tag with
    its quotes; ``last_modified`` is aware and compared in whole seconds. A date that cannot be
    read is ignored; a list of entity tags that cannot be read matches nothing.
    """
    headers = list(headers)
    reading = method in ("GET", "HEAD")

    if_match = field_value(headers, b"if-match")
    if if_match is not None:
        if not _matches(if_match, etag, weakly=False):
            return Verdict.PRECONDITION_FAILED
    elif _changed_since(field_value(headers, b"if-unmodified-since"), last_modified) is True:
        return Verdict.PRECONDITION_FAILED

    if_none_match = field_value(headers, b"if-none-match")
    if if_none_match is not None:
        if _matches(if_none_match, etag, weakly=True):
            return Verdict.NOT_MODIFIED if reading else Verdict.PRECONDITION_FAILED
    elif (
        reading
        and _changed_since(field_value(headers, b"if-modified-since"), last_modified) is False
    ):
        return Verdict.NOT_MODIFIED
    return Verdict.PROCEED


def range_applies(headers: Headers, *, etag: str | None, last_modified: datetime | None) -> bool:
    """Tell whether ``If-Range`` (RFC 9110 section 13.1.5) lets the ``Range`` header count.

    True without an If-Range, with the current strong entity tag, or with exactly the current
    modification date. A weak tag never matches.
    """
    if_range = field_value(headers, b"if-range")
    if if_range is None:
        return True
    if is_strong_etag(if_range):
        return if_range == etag
    date = parse_http_date(if_range)
    return date is not None and last_modified is not None and date == _whole_second(last_modified)


def _matches(field: str, etag: str | None, *, weakly: bool) -> bool:
    """Compare the list in If-Match or If-None-Match with the current tag."""
    if field == "*":
        return True
    return any(
        opaque == etag and (weakly or not weak) for weak, opaque in _parse_entity_tags(field)
    )


def _parse_entity_tags(field: str) -> list[tuple[bool, str]]:
    """Read a list of entity tags as pairs (is weak, quoted opaque tag); empty when malformed."""
    tags = []
    position = len(field) - len(field.lstrip(" \t,"))
    while position < len(field):
        tag = _ENTITY_TAG.match(field, position)
        gap = _LIST_GAP.match(field, tag.end()) if tag else None
        if tag is None or gap is None:
            return []
        tags.append((tag["weak"] is not None, f'"{tag["opaque"]}"'))
        position = gap.end()
    return tags


def _changed_since(field: str | None, last_modified: datetime | None) -> bool | None:
    """Tell whether the representation changed after a date; None when that cannot be said."""
    date = None if field is None else parse_http_date(field)
    if date is None or last_modified is None:
        return None
    return _whole_second(last_modified) > date


def _whole_second(moment: datetime) -> datetime:
    """Cut a time to the resolution that HTTP dates have."""
    return moment.replace(microsecond=0)
