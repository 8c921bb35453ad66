"""The files that the build of ``console/`` has left in this package."""

from dataclasses import dataclass
from pathlib import Path

from mediatheque.doors.http.accept import qualities

BUILT = Path(__file__).with_name("built")
"""Where ``make console`` puts them, and a wheel has them."""

_PAGE = "index.html"
_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_ENCODINGS = {"br": ".br", "gzip": ".gz"}
"""By which names files are beside others in less room, the smallest first."""


@dataclass(frozen=True, slots=True)
class BuiltFile:
    """A file as it is sent. ``encoded``: its bytes in less room by the name of the coding."""

    content: bytes
    encoded: dict[str, bytes]
    media_type: str

    def smallest(self, accepted: str) -> tuple[bytes, str | None]:
        """Return the bytes for a client with this ``Accept-Encoding``, and their coding."""
        offered = {coding for coding, quality in qualities(accepted) if quality > 0}
        for coding, content in self.encoded.items():
            if coding in offered:
                return content, coding
        return self.content, None


class BuiltFiles:
    """Every file of the console, read once: together they are some megabytes."""

    def __init__(self, folder: Path = BUILT) -> None:
        self._files = {
            path.relative_to(folder).as_posix(): _read(path)
            for path in sorted(folder.rglob("*"))
            if path.suffix in _TYPES
        }

    def page(self) -> str | None:
        """Return the one page, None when the console was not built."""
        found = self._files.get(_PAGE)
        return None if found is None else found.content.decode()

    def find(self, name: str) -> BuiltFile | None:
        """Return a file by its path below the folder. Nothing outside of it has a name here."""
        return self._files.get(name)


def _read(path: Path) -> BuiltFile:
    beside = {coding: path.with_name(path.name + end) for coding, end in _ENCODINGS.items()}
    return BuiltFile(
        content=path.read_bytes(),
        encoded={coding: file.read_bytes() for coding, file in beside.items() if file.exists()},
        media_type=_TYPES[path.suffix],
    )
