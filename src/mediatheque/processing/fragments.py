"""MP4 in fragments that is damaged in the middle: how libav gets past that.

Browsers record MP4 as a chain of boxes (ISO/IEC 14496-12, 4.2), a ``moof`` and an ``mdat`` for some
seconds each. libav follows the chain, and ends where a box is damaged, or a piece of the file is
missing. What comes behind is as good as ever: it plays once the chain leads to it again. Nothing is
written for that; the file is read as if other lengths were in it.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_OUTERMOST = {
    *(b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"sidx", b"ssix", b"mfra", b"free", b"skip"),
    *(b"wide", b"uuid", b"emsg", b"prft", b"meta", b"pdin", b"udta"),
}
_HEADER = 8
_LONGEST = 0xFFFF_FFFF  # of a box whose length has 32 bits
_LARGEST_BOX = 1 << 20  # that is looked into
_SEARCHED_BYTES = 1 << 20
_MOST_TRIES = 10_000
"""Places looked at that may be the beginning of a fragment; a file can be made of nothing else."""


class MendedFile:
    """A file to be read with other headers at some places. See PyAV's ``open`` for its methods."""

    def __init__(self, file: BinaryIO, headers: dict[int, bytes]) -> None:
        self.places = len(headers)
        self._file = file
        self._headers = sorted(headers.items())

    def read(self, size: int) -> bytes:
        """Return up to so many bytes."""
        start = self._file.tell()
        data = bytearray(self._file.read(size))
        for at, header in self._headers:
            first, last = max(at, start), min(at + len(header), start + len(data))
            if first < last:
                data[first - start : last - start] = header[first - at : last - at]
        return bytes(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place; return it."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the place at which is read next."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def mend(path: Path) -> MendedFile | None:
    """Return a file with its chain of fragments mended; None when it has none, or needs nothing.

    Raises OSError.
    """
    file = path.open("rb")
    headers = dict(_Chain(file, path.stat().st_size).mended())
    if headers:
        file.seek(0)
        return MendedFile(file, headers)
    file.close()
    return None


class _Chain:
    """The outermost boxes of a file."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self._tries = 0

    def mended(self) -> Iterator[tuple[int, bytes]]:
        """Yield where a header has to be read as another one, and as which."""
        at = last = 0
        in_fragments = False
        while at < self._size:
            end = self._end(at)
            if end is not None and end <= self._size:
                in_fragments = in_fragments or self._announces_fragments(at, end)
                at, last = end, at
                continue
            if not in_fragments:
                return
            # Of an ``mdat`` that misses a piece the next fragment begins before its end.
            begin = last if self._kind(last) == b"mdat" and end is None else at
            following = self._next_fragment(begin + _HEADER)
            if following is None or following - begin > _LONGEST:
                return  # it just breaks off
            kind = b"mdat" if self._kind(begin) == b"mdat" else b"free"
            yield begin, struct.pack(">I4s", following - begin, kind)
            at, last = following, begin

    def _announces_fragments(self, at: int, end: int) -> bool:
        size = min(end - at, _LARGEST_BOX)
        return self._kind(at) == b"moov" and b"mvex" in self._read(at, size)

    def _end(self, at: int) -> int | None:
        """Return where the box ends that begins here; None when none does."""
        header = self._read(at, 2 * _HEADER)
        if len(header) < _HEADER or header[4:8] not in _OUTERMOST:
            return None
        size = int.from_bytes(header[:4], "big")
        if size == 1 and len(header) == 2 * _HEADER:
            size = int.from_bytes(header[8:], "big")
        elif size == 0:
            size = self._size - at
        if size < _HEADER or (header[4:8] == b"moof" and not self._is_whole_moof(at, size)):
            return None
        return at + size

    def _is_whole_moof(self, at: int, size: int) -> bool:
        """Tell whether the boxes in a ``moof`` fill it: else libav ends here."""
        if size > _LARGEST_BOX:
            return False
        return _is_filled(self._read(at + _HEADER, size - _HEADER), within={b"traf"})

    def _next_fragment(self, at: int) -> int | None:
        """Return where the next ``moof`` begins that is whole."""
        while at < self._size and self._tries < _MOST_TRIES:
            found = self._read(at, _SEARCHED_BYTES).find(b"moof")
            if found < 0:
                at += _SEARCHED_BYTES - 3
                continue
            self._tries += 1
            begin = at + found - 4
            number = self._kind(begin + _HEADER)  # the box that comes first in each
            if number == b"mfhd" and self._end(begin) is not None:
                return begin
            at += found + 4
        return None

    def _kind(self, at: int) -> bytes:
        return self._read(at + 4, 4)

    def _read(self, at: int, size: int) -> bytes:
        self._file.seek(at)
        return self._file.read(size)


def _is_filled(content: bytes, *, within: set[bytes]) -> bool:
    """Tell whether boxes fill ``content`` to its last byte, and those ``within`` it, too."""
    at = 0
    while at + _HEADER <= len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        if size < _HEADER:
            return False
        inner = content[at + _HEADER : at + size]
        if kind in within and not _is_filled(inner, within=set()):
            return False
        at += size
    return at == len(content)
