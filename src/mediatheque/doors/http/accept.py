"""What a client would rather have (RFC 9110, section 12.5.1)."""

import re

_QUALITY = re.compile(r"[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*")

Weight = tuple[float, int]
"""How much something is wanted: first by its quality, then by how exactly it is named."""

_NOT_WANTED: Weight = (0.0, 0)


def prefers(field: str | None, kinds: tuple[str, ...], *, over: str) -> bool:
    """Tell whether an Accept header wants one of ``kinds`` more than the media type ``over``.

    ``kinds`` are media types, or beginnings of them (``video/``). They count only where they are
    named: ``*/*`` alone wants none. Of what is wanted as much, the more exactly named is
    preferred: ``video/*, */*`` wants a video.
    """
    wanted = _NOT_WANTED
    others: list[tuple[int, Weight]] = []
    for media_range, quality in qualities(field or ""):
        exactness = _exactness(media_range)
        if media_range.startswith(kinds):
            wanted = max(wanted, (quality, exactness))
        if media_range in {over, f"{over.partition('/')[0]}/*", "*/*"}:
            others.append((exactness, (quality, exactness)))
    # The most exact range decides about a type, whatever its quality.
    other = max(others, default=(0, _NOT_WANTED))[1]
    return wanted[0] > 0 and wanted > other


def qualities(field: str) -> list[tuple[str, float]]:
    """Return what such a header names with the quality (0 to 1) of each, in lower case."""
    found = []
    for item in field.lower().split(","):
        media_range, *parameters = item.split(";")
        qualities = [match[1] for text in parameters if (match := _QUALITY.fullmatch(text))]
        found.append((media_range.strip(" \t"), float(qualities[0]) if qualities else 1.0))
    return found


def _exactness(media_range: str) -> int:
    if media_range == "*/*":
        return 0
    return 1 if media_range.endswith("/*") else 2
