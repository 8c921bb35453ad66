"""Byte ranges (RFC 9110 section 14): what a ``Range`` header asks of a representation."""

import re
from dataclasses import dataclass

MAX_RANGES = 16
"""More ranges than this in one request are not worth a multipart answer: it gets the whole."""

# Positions of more digits than this are no byte of anything; reading them would only cost time.
_RANGE_SPEC = re.compile(r"([0-9]{0,32})-([0-9]{0,32})")


@dataclass(frozen=True, slots=True, order=True)
class ByteRange:
    """The bytes from ``start`` to before ``end``, at least one."""

    start: int
    end: int

    @property
    def size(self) -> int:
        """How many bytes the range has."""
        return self.end - self.start

    def content_range(self, total: int) -> str:
        """Write the ``Content-Range`` of this part of ``total`` bytes."""
        return f"bytes {self.start}-{self.end - 1}/{total}"


def select_ranges(field: str | None, size: int) -> tuple[ByteRange, ...] | None:
    """Return the ranges that a ``Range`` header selects from a representation of ``size`` bytes.

    None means that the header does not count and the whole is the answer: there is none, it is
    malformed or of another unit, it names more than ``MAX_RANGES`` ranges, or its ranges overlap
    so that together they are longer than the whole. The empty tuple means that no byte of it
    exists (416). Otherwise the ranges are sorted, and overlapping or adjacent ones are one.
    """
    if field is None:
        return None
    unit, equals, listed = field.partition("=")
    if not equals or unit.lower() != "bytes":
        return None
    specs = [spec for item in listed.split(",") if (spec := item.strip(" \t"))]
    if not 0 < len(specs) <= MAX_RANGES:
        return None

    selected = []
    for spec in specs:
        match = _RANGE_SPEC.fullmatch(spec)
        if match is None or not _is_valid(match[1], match[2]):
            return None
        resolved = _resolve(match[1], match[2], size)
        if resolved is not None:
            selected.append(resolved)
    if any(not part.size for part in selected) or sum(part.size for part in selected) > size:
        return None
    return _coalesce(selected)


def _is_valid(first: str, last: str) -> bool:
    """Tell whether one range is well formed: ``a-b`` with a <= b, ``a-`` or ``-n``."""
    if first and last:
        return int(first) <= int(last)
    return bool(first or last)


def _resolve(first: str, last: str, size: int) -> ByteRange | None:
    """Apply a valid range to ``size`` bytes, clipped at the end; None when it selects nothing.

    A suffix of an empty representation is satisfiable (section 14.1.2) and is the whole of it: an
    empty range, which no Content-Range can express.
    """
    if not first:
        length = int(last)
        return ByteRange(max(0, size - length), size) if length else None
    start = int(first)
    end = min(int(last) + 1, size) if last else size
    return ByteRange(start, end) if start < size else None


def _coalesce(ranges: list[ByteRange]) -> tuple[ByteRange, ...]:
    """Sort ranges and join those that overlap or touch."""
    joined: list[ByteRange] = []
    for part in sorted(ranges):
        if joined and part.start <= joined[-1].end:
            joined[-1] = ByteRange(joined[-1].start, max(joined[-1].end, part.end))
        else:
            joined.append(part)
    return tuple(joined)
