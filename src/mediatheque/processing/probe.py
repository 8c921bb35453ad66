"""What is known of a film or a sound: the ``meta`` of its media."""

from fractions import Fraction
from pathlib import Path
from typing import Any

from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from mediatheque.processing.faults import find_faults, find_gaps
from mediatheque.processing.frames import clockwise, display_size
from mediatheque.processing.inspection import Inspection
from mediatheque.processing.opening import Film, codec_name
from mediatheque.processing.sniff import HEAD_BYTES, sniff
from mediatheque.processing.timeline import Track

_TYPES = {
    "mpegts": ("mpegts", "video/mp2t", "audio/mp2t"),
    "mpeg": ("mpeg", "video/mpeg", "audio/mpeg"),
    "avi": ("avi", "video/x-msvideo", "audio/x-msvideo"),
    "flv": ("flv", "video/x-flv", "audio/x-flv"),
    "asf": ("asf", "video/x-ms-wmv", "audio/x-ms-wma"),
    "ogg": ("ogg", "video/ogg", "audio/ogg"),
    "mp3": ("mp3", "audio/mpeg", "audio/mpeg"),
    "flac": ("flac", "audio/flac", "audio/flac"),
    "wav": ("wav", "audio/wav", "audio/wav"),
    "aac": ("aac", "audio/aac", "audio/aac"),
}
_SHORT = {
    "video/webm": "webm",
    "video/x-matroska": "matroska",
    "video/quicktime": "quicktime",
    "video/3gpp": "3gp",
}


def describe(film: Film, seen: Inspection, source: Path) -> dict[str, Any]:
    """Return the ``meta`` of a film or a sound; what is not known is absent."""
    size = source.stat().st_size
    name, mime_type = _format(film, source)
    duration = seen.end - max(seen.start, 0.0)
    meta: dict[str, Any] = {
        "kind": "video" if film.video is not None else "audio",
        "format": name,
        "mime_type": mime_type,
        "duration": round(duration, 3),
        "bit_rate": _rate(size, duration),
    }
    if film.video is not None:
        meta["video"] = _video(film.video, seen)
    if film.audio is not None:
        meta["audio"] = _audio(film.audio, seen)
    if name in {"webm", "matroska", "mpegts"} or _is_fragmented(source, name):
        meta["coverage"] = round(min(1.0, seen.reached / size), 4)
    gaps = find_gaps(film, seen)
    if gaps:
        meta["gaps"] = [[round(start, 3), round(end, 3)] for start, end in gaps]
    warnings = find_faults(film, seen, meta)
    if warnings:
        meta["warnings"] = warnings
    return _known(meta)


def _format(film: Film, source: Path) -> tuple[str, str]:
    """Return the short name of the container and its media type."""
    demuxer = film.container.format.name
    if demuxer in _TYPES:
        name, video, audio = _TYPES[demuxer]
        return name, video if film.video is not None else audio
    with source.open("rb") as file:
        found = sniff(file.read(HEAD_BYTES), "")
    plain = "video/x-matroska" if demuxer.startswith("matroska") else "video/mp4"
    video = found if found in _SHORT else plain
    mime_type = video if film.video is not None else video.replace("video/", "audio/")
    return _SHORT.get(video, "mp4"), mime_type


def _is_fragmented(source: Path, name: str) -> bool:
    """Tell whether an ISO base media file comes in fragments (ISO/IEC 14496-12, 8.8)."""
    if name not in {"mp4", "quicktime", "3gp"}:
        return False
    with source.open("rb") as file:
        while len(header := file.read(16)) >= 8:
            size, box = int.from_bytes(header[:4], "big"), header[4:8]
            if box == b"moof":
                return True
            if size == 1:
                size = int.from_bytes(header[8:], "big")
            if box == b"mdat" or size < 8:
                return False
            file.seek(size - len(header), 1)
    return False


def _video(video: VideoStream, seen: Inspection) -> dict[str, Any]:
    track = seen.tracks[video.index]
    first = seen.video.first if seen.video is not None else None
    rotation = clockwise(first) if first is not None else 0
    width, height = display_size(
        video.width, video.height, aspect=video.sample_aspect_ratio, rotation=rotation
    )
    return _known(
        {
            "codec": codec_name(video),
            "profile": video.profile,
            "width": width,
            "height": height,
            "fps": _fps(video, track, whole=seen.whole),
            "bit_rate": _track_rate(track) if seen.whole else None,
            "rotation": rotation,
            "pixel_format": video.pix_fmt,
            "frames": track.packets if seen.whole else None,
        }
    )


def _audio(audio: AudioStream, seen: Inspection) -> dict[str, Any]:
    context = audio.codec_context
    return _known(
        {
            "codec": codec_name(audio),
            "sample_rate": context.sample_rate,
            "channels": context.channels,
            "layout": context.layout.name,
            "bit_rate": _track_rate(seen.tracks[audio.index]) if seen.whole else None,
        }
    )


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _rate(size: int, duration: float) -> int | None:
    return round(size * 8 / duration) if duration > 0 else None


def _length(track: Track) -> float:
    return (track.end - (track.first or 0)) * track.unit


def _track_rate(track: Track) -> int | None:
    return _rate(track.size, _length(track))


def _fps(video: VideoStream, track: Track, *, whole: bool) -> float | None:
    """Return the measured pictures per second; what a header says may be a clock's rate."""
    length = _length(track)
    if whole and track.packets > 1 and length > 0:
        return round(track.packets / length, 3)
    rate: Fraction | None = video.average_rate
    return round(float(rate), 3) if rate else None
