"""Amounts of bytes and time, as people write and read them."""

import re

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_AMOUNT = re.compile(r"(?P<number>\d{1,15}(?:\.\d{1,6})?)\s*(?P<unit>[kmgt]?i?)b?", re.IGNORECASE)


def parse_bytes(text: str) -> int:
    """Return the bytes of ``10MB``, ``1.5 GiB``, ``500k`` or ``4096``. Raises ValueError."""
    match = _AMOUNT.fullmatch(text.strip())
    unit = (_UNITS | _BINARY).get(match["unit"].lower()) if match else None
    if match is None or unit is None:
        raise ValueError(f"{text!r} is no amount of bytes such as 10MB, 1.5GiB or 500k")
    return int(float(match["number"]) * unit)


def shown_bytes(amount: float) -> str:
    """Return bytes with the decimal unit that leaves one to three digits before the point."""
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def shown_seconds(seconds: float) -> str:
    """Return a duration as ``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
