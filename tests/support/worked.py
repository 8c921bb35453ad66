"""Processing one file in this very process, and looking into what came out."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av

from mediatheque.domain.processing import Kind, Step
from mediatheque.processing.steps import process
from mediatheque.processing.tasks import Processed, Task

CUES, CLUSTER, _SEGMENT = b"\x1c\x53\xbb\x6b", b"\x1f\x43\xb6\x75", b"\x18\x53\x80\x67"
_KNOWN = {
    b"\x11\x4d\x9b\x74": "SeekHead",
    b"\x15\x49\xa9\x66": "Info",
    b"\x16\x54\xae\x6b": "Tracks",
}
_KNOWN |= {CUES: "Cues", CLUSTER: "Cluster", b"\x12\x54\xc3\x67": "Tags"}


@dataclass
class Worked:
    """What processing a file gave, the folder with its files, and the progress that it told of."""

    processed: Processed
    folder: Path
    reports: list[float] = field(default_factory=list)

    @property
    def meta(self) -> dict[str, Any]:
        return self.processed.meta

    @property
    def files(self) -> set[str]:
        return set(self.processed.files)

    @property
    def warnings(self) -> str:
        return " ".join(self.meta.get("warnings", []))

    def path(self, name: str) -> Path:
        assert name in self.files
        return self.folder / name


def work(
    data: bytes,
    folder: Path,
    *steps: Step,
    kind: Kind = "video",
    max_pixels: int = 50_000_000,
    location: bool = False,
) -> Worked:
    """Process a file; its results are in a folder of their own below ``folder``."""
    source, results, reports = folder / "in.bin", folder / "results", list[float]()
    source.write_bytes(data)
    results.mkdir()
    task = Task(kind=kind, steps=steps, max_pixels=max_pixels, location=location)
    processed = process(str(source), str(results), task, reports.append)
    assert {path.name for path in results.iterdir()} == set(processed.files)
    return Worked(processed, results, reports)


@dataclass(frozen=True)
class Played:
    """What a player finds in a film: seconds, pictures (or pieces of sound), and its middle."""

    duration: float
    frames: int
    middle: float


def play(path: Path) -> Played:
    """Decode all of a film's first stream, then seek to its middle and decode from there."""
    with av.open(str(path)) as film:
        assert film.duration is not None
        duration = film.duration / av.time_base
        stream = film.streams[0]
        frames = 0
        for packet in film.demux(stream):
            try:
                frames += len(packet.decode())
            except av.InvalidDataError:  # Where the recording was damaged; a player goes on.
                continue
        film.seek(int(duration / 2 * av.time_base))
        middle = next(frame for packet in film.demux(stream) for frame in packet.decode())
        assert isinstance(middle, av.VideoFrame | av.AudioFrame)
        assert middle.time is not None
        return Played(duration, frames, middle.time)


def boxes(data: bytes) -> list[str]:
    """Return the names of an MP4's outermost boxes (ISO/IEC 14496-12, 4.2), in order."""
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        found.append(data[at + 4 : at + 8].decode())
        at += size if size > 1 else int.from_bytes(data[at + 8 : at + 16], "big")
    return found


def elements(data: bytes) -> list[str]:
    """Return the names of the elements in a WebM's segment (RFC 9559), in order."""
    at = data.index(_SEGMENT) + 4
    at += _vint(data, at)[1]
    found = []
    while at < len(data):
        name = data[at : at + (9 - data[at].bit_length())]
        size, width = _vint(data, at + len(name))
        found.append(_KNOWN.get(name, name.hex()))
        at += len(name) + width + size
    return found


def _vint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of variable size and how many bytes it takes (RFC 8794, 4)."""
    width = 9 - data[at].bit_length()
    return int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1), width
