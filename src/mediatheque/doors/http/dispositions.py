"""The file name that Content-Disposition of a request or of a part of a form gives."""

import re
from urllib.parse import unquote

from multipart import parse_options_header

_QUOTED = re.compile(r'"[^"]*"')
_EXTENDED_FILENAME = re.compile(r";[ \t]*filename\*[ \t]*=[ \t]*([^;\s]+)", re.IGNORECASE)
_EXTENDED_VALUE = re.compile(r"(?P<charset>utf-8|iso-8859-1)'[^']*'(?P<text>.*)", re.IGNORECASE)


def sent_filename(disposition: str, *, plain: str | None) -> str | None:
    """Return the client's file name without folders; ``plain`` is its parameter ``filename``.

    ``filename*`` (RFC 5987) counts before that, as RFC 6266 has it: RFC 7578 forbids it in forms,
    but clients send it.
    """
    extended = _EXTENDED_FILENAME.search(_QUOTED.sub('""', disposition))
    value = _EXTENDED_VALUE.fullmatch(extended[1]) if extended else None
    name = unquote(value["text"], encoding=value["charset"], errors="replace") if value else plain
    return None if name is None else name.replace("\\", "/").rpartition("/")[2]


def header_filename(disposition: str | None) -> str | None:
    """Return the file name that Content-Disposition of a request gives; None or empty: none."""
    if disposition is None:
        return None
    _, options = parse_options_header(disposition)
    return sent_filename(disposition, plain=options.get("filename"))
