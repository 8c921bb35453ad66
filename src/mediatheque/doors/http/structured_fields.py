"""Structured fields (RFC 9651): items that are a boolean or an integer."""

import re

KEY = r"[a-z*][a-z0-9_.*-]*"
BYTES = r":[A-Za-z0-9+/]*={0,2}:"
_BARE = rf'"(?:[^"\\]|\\["\\])*"|{BYTES}|\?[01]|-?[0-9][0-9.]*|[A-Za-z*][!-+.-:<-~-]*'
PARAMETERS = rf"(?:; *{KEY}(?:=(?:{_BARE}))?)*"
"""Patterns of a key, of a byte sequence, and of parameters, which mean nothing to us."""

_BOOLEAN = re.compile(rf" *\?([01]){PARAMETERS} *")
_INTEGER = re.compile(rf" *(-?[0-9]{{1,15}}){PARAMETERS} *")


def parse_boolean_item(field: str | None) -> bool | None:
    """Return the boolean that a field is (section 3.3.6); None when it is missing or none."""
    found = _BOOLEAN.fullmatch(field or "")
    return None if found is None else found[1] == "1"


def parse_integer_item(field: str | None) -> int | None:
    """Return the integer that a field is (section 3.3.1); None when it is missing or none."""
    found = _INTEGER.fullmatch(field or "")
    return None if found is None else int(found[1])
