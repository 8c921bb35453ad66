"""The one pass over a film's packets: everything is measured, and copied on the way when asked."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import av
from av.packet import Packet

from mediatheque.processing.opening import Film
from mediatheque.processing.sampling import PictureSampler, SoundSampler
from mediatheque.processing.timeline import Track

WHOLE = 256 << 20
"""Bytes up to which every packet is read just to measure; of more, the beginning and the end."""
ENOUGH = 0.98
"""Share of a file's bytes that packets must reach for nothing to be missing at its end."""
_HEAD_PACKETS = 5000
_EVERY = 256
_MOST_MISSING = 300
"""Packets in a row that may be missing: some seconds of sound."""


class Copy(Protocol):
    """Where packets go on the way."""

    strict: bool
    """No two packets may have the same time."""

    def write(self, packet: "Packet[Any]") -> bool:
        """Write a packet; False when this copy has failed and takes no more."""


class Inspection:
    """What one pass over the packets has shown.

    ``reached`` is the byte up to which packets reach; ``broken`` tells that reading ended in an
    error, ``ended_early`` that the container ends within one of its elements; ``faults`` counts
    the places at which it is damaged; ``restarts`` are the seconds at which a second recording
    begins behind the first; ``begins`` is what the container calls the time of its beginning, in
    seconds, which all others here are counted from. Not ``whole``: only the beginning and the end
    were read.
    """

    def __init__(self, film: Film, size: int, *, strict: bool, whole: bool) -> None:
        start = max(0.0, (film.container.start_time or 0) / av.time_base)
        self.tracks = {s.index: Track(s, start=start, strict=strict) for s in film.streams}
        self.video = PictureSampler(film.video, size) if film.video is not None else None
        self.audio = SoundSampler(film.audio) if film.audio is not None else None
        self.begins = start
        self.whole = whole
        self.size = size
        self.reached = 0
        self.broken = False
        self.ended_early = False
        self.faults = film.mended
        self.restarts: list[float] = []
        self._broken_off: int | None = None  # where the container seems to end early

    def samplers(self) -> dict[int, PictureSampler | SoundSampler]:
        """Return what looks into the packets of each stream."""
        found = (self.video, self.audio)
        return {sampler.stream.index: sampler for sampler in found if sampler is not None}

    def lose_packet(self, position: int | None) -> None:
        """Note that a packet was not whole: broken off where the file ends, or damaged."""
        if self.reached < self.size:
            self.faults += 1
        else:
            self.end_early(position)

    def end_early(self, position: int | None) -> None:
        """Note that the container seems to end at a byte, within one of its elements.

        Unless packets come from behind it: then it is damaged there.
        """
        if not self.ended_early:
            self.ended_early, self._broken_off = True, position

    def keep_packet(self, position: int | None) -> None:
        """Note that a packet is whole, which begins at a byte."""
        end = self._broken_off
        if end is not None and position is not None and position > end:
            self.ended_early, self._broken_off = False, None
            self.faults += 1

    @property
    def start(self) -> float:
        """Seconds at which the first packet plays."""
        return min(
            (t.first * t.unit for t in self.tracks.values() if t.first is not None), default=0
        )

    @property
    def end(self) -> float:
        """Seconds at which the last packet ends."""
        return max((t.end * t.unit for t in self.tracks.values() if t.packets), default=0)

    @property
    def is_playable(self) -> bool:
        """Whether anything can be seen or heard."""
        return any(sampler is not None and sampler.works for sampler in (self.video, self.audio))


def inspect(
    film: Film, source: Path, report: Callable[[float], None], *, copy: Copy | None = None
) -> Inspection:
    """Read a film's packets, measure them, and give those that have a place to ``copy``.

    Reads all of them when there is a copy, when the file is small, or when its header tells no
    duration; otherwise its beginning and its end.
    """
    size = source.stat().st_size
    whole = copy is not None or size <= WHOLE or not film.container.duration
    strict = copy is not None and copy.strict
    seen = Inspection(film, size, strict=strict, whole=whole)
    try:
        for reached in _read(film, seen, copy):
            report(min(1.0, reached / size))
    except (av.FFmpegError, OverflowError):
        # Overflow: of times that no clock will ever show.
        seen.broken = True
    _hear(film, seen)
    return seen


def _hear(film: Film, seen: Inspection) -> None:
    """Count what the demuxer, not a decoder, has complained of since."""
    demuxer = film.container.format.name
    for level, name, text in film.messages:
        if level > av.logging.ERROR or name not in {demuxer, ""} or "unknown-length" in text:
            continue
        if "ended prematurely" in text:
            seen.end_early(seen.reached)
        elif "partial file" in text:  # of which other streams may lie behind
            seen.end_early(None)
        else:
            seen.faults += 1
    film.messages.clear()


def _read(film: Film, seen: Inspection, copy: Copy | None) -> Iterator[int]:
    """Read the packets; yields the byte that was reached, now and then."""
    tracks, samplers = seen.tracks, seen.samplers()
    count = 0
    for packet in _packets(film, seen):
        if film.messages:
            _hear(film, seen)
        size = packet.size
        if not size:
            continue
        position = packet.pos
        if position is not None and position + size > seen.reached:
            seen.reached = position + size
        if packet.is_corrupt:
            seen.lose_packet(position)
            continue
        seen.keep_packet(position)
        index = packet.stream_index
        if not tracks[index].place(packet) and not _place_anew(tracks[index], packet, seen):
            continue
        if packet.is_keyframe and seen.reached >= samplers[index].due:
            samplers[index].sample(packet, seen.reached)
        if copy is not None and not copy.write(packet):
            copy = None
        count += 1
        if count % _EVERY == 0:
            yield seen.reached


def _packets(film: Film, seen: Inspection) -> "Iterator[Packet[Any]]":
    if seen.whole:
        yield from _all_packets(film, seen)
        return
    for number, packet in enumerate(film.container.demux(film.streams)):
        yield packet
        if number == _HEAD_PACKETS:
            break
    with suppress(av.FFmpegError):
        film.container.seek((film.container.start_time or 0) + (film.container.duration or 0))
    for track in seen.tracks.values():
        track.forget()
    yield from film.container.demux(film.streams)


def _all_packets(film: Film, seen: Inspection) -> "Iterator[Packet[Any]]":
    """Yield all packets that are there.

    In a file that breaks off, those of one stream may lie behind missing ones of the other. libav
    ends at each that is missing, and goes on behind it when it is asked again.
    """
    missing = ends = 0
    while missing < _MOST_MISSING:
        missing += 1
        for packet in film.container.demux(film.streams):
            if packet.size:
                missing = 0
                seen.ended_early = seen.ended_early or ends > 0
            yield packet
        ends += 1
        is_cut = seen.reached < ENOUGH * seen.size
        if not is_cut or not film.container.format.name.startswith("mov,"):
            return


def _place_anew(track: Track, packet: "Packet[Any]", seen: Inspection) -> bool:
    """Place a packet behind all before it when a second recording begins with it.

    Each stream gets there by itself, as the last packets of the first recording may still come.
    """
    if not track.starts_anew(packet):
        track.late += 1
        return False
    if track.restarts == len(seen.restarts):
        seen.restarts.append(seen.end)
    track.follow(packet, seen.restarts[track.restarts])
    return track.place(packet)
