"""Processing: what is found out about medias, and what is derived from them."""

from enum import StrEnum
from typing import Literal

Kind = Literal["video", "audio", "image"]
"""What a media is to people."""


class Step(StrEnum):
    """One thing that can be done with a media; steps run in this order."""

    PROBE = "probe"
    REMUX = "remux"
    THUMBNAIL = "thumbnail"
    SPRITE = "sprite"
    WAVEFORM = "waveform"
    HLS = "hls"


RECORDING_STEPS = (Step.PROBE, Step.REMUX, Step.THUMBNAIL, Step.SPRITE, Step.WAVEFORM)
"""What is done with every finished recording."""

PLAYABLE = ("processed.webm", "processed.mp4", "processed.mkv")
"""Keys of the remuxed file; at most one of them is made."""

DERIVED = {
    "processed.webm": "video/webm",
    "processed.mp4": "video/mp4",
    "processed.mkv": "video/x-matroska",
    "thumbnail.jpg": "image/jpeg",
    "thumbnail.webp": "image/webp",
    "sprite.webp": "image/webp",
    "sprite.vtt": "text/vtt",
    "waveform.json": "application/json",
    "master.m3u8": "application/vnd.apple.mpegurl",
    "index.m3u8": "application/vnd.apple.mpegurl",
    "seg.m4s": "video/iso.segment",
}
"""Every key that is derived, and its media type; of audio alone ``audio/`` for ``video/``."""


def media_kind(mime_type: str) -> Kind | None:
    """Return what can be done with medias of a type, None when they are not processed."""
    match mime_type.partition("/")[0]:
        case "video":
            return "video"
        case "audio":
            return "audio"
        case "image" if mime_type != "image/svg+xml":
            return "image"
    return None
