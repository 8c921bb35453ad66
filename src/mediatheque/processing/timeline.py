"""The times of a film's packets: measured, made to go forward only, and their holes found.

What a header says of times is often wrong or missing, so everything here is measured. A piece of
a recording that came twice, or too late, shows in times that go back; a lost one in a hole that
picture and sound have at the same time.
"""

from typing import Any

from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.stream import VideoStream

JITTER = 0.25
"""Seconds by which a time may go back without anything being out of order."""
NEW_START = 5.0
"""Seconds after which a return to the very beginning is a second recording behind the first."""
SOUND_HOLE, PICTURE_HOLE = 0.5, 1.0
"""Seconds without packets that are a hole; pictures of a still screen come seldom."""
MOST_HOLES = 1000

Span = tuple[float, float]


class Track:
    """What has been seen of one stream; all times are in its own unit, ``unit`` seconds."""

    def __init__(self, stream: VideoStream | AudioStream, *, start: float, strict: bool) -> None:
        self.stream = stream
        self.unit = float(stream.time_base or 1)
        self.shift = -round(start / self.unit)
        self.first: int | None = None
        self.end = 0
        self.packets = 0
        self.size = 0
        self.late = 0
        self.restarts = 0
        self.holes: list[tuple[int, int]] = []
        self._origin: int | None = None
        self._last: int | None = None
        self._due = 0
        self._behind = False
        self._strict = strict
        self._jitter = round(JITTER / self.unit)
        self._hole = round(SOUND_HOLE / self.unit)
        self._new_start = round(NEW_START / self.unit)

    def place(self, packet: "Packet[Any]") -> bool:
        """Put a packet behind the one before it; False when it has no place and is left out.

        A packet that is a little early is moved; one that goes far back is a piece that came
        twice or too late, and so are those behind it until the times have caught up.
        """
        pts, dts, last, shift = packet.pts, packet.dts, self._last, self.shift
        if dts is None:
            if pts is None:
                return False
            dts = pts + shift if last is None else min(pts + shift, last + 1)
        else:
            dts += shift
        pts = dts if pts is None else pts + shift
        if last is None:
            if self._origin is None:
                self._origin = dts - shift
        elif dts > last:
            self._behind = False
            if dts - self._due > self._hole and len(self.holes) < MOST_HOLES:
                self.holes.append((self._due, dts))
        elif self._behind or last - dts > self._jitter:
            self._behind = True
            return False
        elif dts < last or self._strict:
            dts = last + 1
        pts = max(pts, dts)
        duration = packet.duration or 0
        packet.dts, packet.pts = dts, pts
        self._last, self._due = dts, dts + duration
        self.end = max(self.end, pts + duration)
        if self.first is None or pts < self.first:
            self.first = pts
        self.packets += 1
        self.size += packet.size
        return True

    def starts_anew(self, packet: "Packet[Any]") -> bool:
        """Tell whether a packet without a place is where a second recording begins.

        It does at the first one's beginning, but for a piece that came twice right there, and at
        a time that is before all that has been seen.
        """
        dts, last, origin = packet.dts, self._last, self._origin
        if dts is None or last is None or origin is None:
            return False
        if dts < origin - self._jitter:
            return True
        return dts - origin < self._hole and last - self.shift - origin > self._new_start

    def follow(self, packet: "Packet[Any]", end: float) -> None:
        """Let what comes from this packet on begin at ``end``, in seconds."""
        self.restarts += 1
        self._origin = packet.dts or 0
        self.shift = round(end / self.unit) - self._origin

    def forget(self) -> None:
        """Forget what came last: packets are left out on purpose, which is no hole."""
        self._last = None

    def spans(self, longer: float) -> list[Span]:
        """Return the holes that are longer than this many seconds, in seconds."""
        found = ((start * self.unit, end * self.unit) for start, end in self.holes)
        return [(start, end) for start, end in found if end - start > longer]


def shared(one: list[Span], other: list[Span]) -> list[Span]:
    """Return the times that lie in a span of both lists; each is in order of time."""
    found: list[Span] = []
    i = j = 0
    while i < len(one) and j < len(other):
        start, end = max(one[i][0], other[j][0]), min(one[i][1], other[j][1])
        if start < end:
            found.append((start, end))
        if one[i][1] < other[j][1]:
            i += 1
        else:
            j += 1
    return found


def merged(spans: list[Span]) -> list[Span]:
    """Return the spans in order of time, those that touch made one."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
