"""What commands print: JSON for programs, tables for people, plain columns for pipes."""

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TextIO
from urllib.parse import unquote_to_bytes

import msgspec

from mediatheque.cli.units import shown_bytes

_ROWS_AT_ONCE = 200
_WIDEST = 1000


def print_json(value: object) -> None:
    """Print one line of JSON."""
    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    sys.stdout.buffer.flush()


def printable(text: str) -> str:
    """Return text without what could break a line or steer a terminal: that is escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shown_uri(uri: str) -> str:
    """Return a ``file`` URI as a path that people can read, other URIs as they are."""
    if not uri.startswith("file://"):
        return printable(uri)
    path = unquote_to_bytes(uri.removeprefix("file://"))
    return printable(path.decode(errors="surrogateescape"))


def moment(time: datetime | None) -> str:
    """Return a time for the terminal, in local time, or for a program, in UTC."""
    if time is None:
        return "-"
    if sys.stdout.isatty():
        return f"{time.astimezone():%Y-%m-%d %H:%M:%S}"
    return time.isoformat()


def amount(size: int, file: TextIO | None = None) -> str:
    """Return bytes for the terminal, with a unit, or for a program, without."""
    return shown_bytes(size) if (file or sys.stdout).isatty() else str(size)


class Rows:
    """A list that is printed as it comes: a table on a terminal, else columns between tabs.

    On standard output, unless another ``file`` is given.
    """

    def __init__(
        self, *headings: str, right: Sequence[str] = (), file: TextIO | None = None
    ) -> None:
        self._headings = headings
        self._right = right
        self._file = file or sys.stdout
        self._pretty = self._file.isatty()
        self._waiting: list[tuple[str, ...]] = []

    def add(self, *cells: str) -> None:
        """Print a row, or keep it until there are enough to lay out together."""
        shown = tuple(map(printable, cells))
        if not self._pretty:
            print("\t".join(shown), file=self._file, flush=True)
            return
        self._waiting.append(shown)
        if len(self._waiting) >= _ROWS_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Print what is kept."""
        if not self._waiting:
            return
        # To import it takes longer than to list what a program asks for.
        from rich.console import Console  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in self._headings:
            right = heading in self._right
            table.add_column(heading, justify="right" if right else "left", no_wrap=True)
        for row in self._waiting:
            table.add_row(*map(Text, row))
        # Wider than the terminal: a line that wraps there can still be copied whole.
        Console(file=self._file, width=_WIDEST).print(table)
        self._waiting.clear()


def print_facts(facts: Mapping[str, object]) -> None:
    """Print what is known of one thing, a name and a value on each line."""
    width = max(map(len, facts))
    for name, value in facts.items():
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        gap = " " * (width - len(name) + 2) if sys.stdout.isatty() else "\t"
        print(f"{name}{gap}{printable(text)}")
