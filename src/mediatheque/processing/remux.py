"""Putting a film's packets into another container without touching picture or sound.

A browser records for a live viewer: with no duration and no index. The new file has both at its
front, so that a player can seek in it while it is still coming in.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

from mediatheque.processing.opening import Film, codec_name

_WEBM_VIDEO, _WEBM_AUDIO = {"vp8", "vp9", "av1"}, {"opus", "vorbis"}
_MP4_VIDEO = {"h264", "hevc", "av1", "vp9", "mpeg4"}
_MP4_AUDIO = {"aac", "mp3", "opus", "flac", "ac3", "eac3", "alac"}
_CUES_FIRST = {"cues_to_front": "1"}
_OPTIONS = {"webm": _CUES_FIRST, "matroska": _CUES_FIRST, "mp4": {"movflags": "+faststart"}}
_NAMES = {"webm": "processed.webm", "mp4": "processed.mp4", "matroska": "processed.mkv"}


class Remux:
    """A copy of a film in a container that suits it, written packet by packet.

    ``name`` is the file's name in the folder; ``failure`` says why there is none after all.
    """

    def __init__(self, film: Film, folder: Path) -> None:
        self.name: str | None = None
        self.failure: str | None = None
        self.strict = False
        self._folder = folder
        self._output: OutputContainer | None = None
        self._targets: dict[int, Stream] = {}
        for container in containers(film):
            if self._open(film, container):
                self.strict = container == "mp4"
                return
        codecs = " and ".join(codec_name(stream) for stream in film.streams)
        self.failure = (
            f"No container that players know takes {codecs} as it is; the file is kept as it was "
            "received."
        )

    def write(self, packet: "Packet[Any]") -> bool:
        """Write a packet; False when the copy has failed and takes no more."""
        if self._output is None:
            return False
        packet.stream = self._targets[packet.stream_index]
        try:
            self._output.mux_one(packet)
        except (av.FFmpegError, ValueError, OSError) as error:
            self._give_up(error)
            return False
        return True

    def close(self, *, keep: bool) -> None:
        """Finish the file, with its index at its front, or remove it."""
        if self._output is None:
            return
        try:
            self._output.close()
        except (av.FFmpegError, ValueError, OSError) as error:
            self._give_up(error)
        if not keep:
            self._remove()

    def _open(self, film: Film, container: str) -> bool:
        self.name = _NAMES[container]
        output = av.open(
            f"file:{self._folder / self.name}", "w", format=container, options=_OPTIONS[container]
        )
        try:
            for stream in film.streams:
                # Opaque: without a codec of one's own, which nothing here needs to have.
                copy = output.add_stream_from_template(stream, opaque=True)
                self._targets[stream.index] = copy
            output.start_encoding()
        except (av.FFmpegError, ValueError, OSError):
            with suppress(av.FFmpegError, ValueError, OSError):
                output.close()
            self._remove()
            return False
        self._output = output
        return True

    def _give_up(self, error: Exception) -> None:
        reason = getattr(error, "strerror", None) or str(error)
        self.failure = (
            f"A playable file could not be written ({reason}); the file is kept as it was received."
        )
        if self._output is not None:
            # Its end cannot be written either.
            with suppress(av.FFmpegError, ValueError, OSError):
                self._output.close()
        self._remove()

    def _remove(self) -> None:
        self._output = None
        self._targets = {}
        if self.name is not None:
            (self._folder / self.name).unlink(missing_ok=True)
        self.name = None


def containers(film: Film) -> list[str]:
    """Return the containers to try for a film's codecs, the best one first."""
    video = codec_name(film.video) if film.video is not None else None
    audio = codec_name(film.audio) if film.audio is not None else None
    fits_webm = video in {*_WEBM_VIDEO, None} and audio in {*_WEBM_AUDIO, None}
    fits_mp4 = video in {*_MP4_VIDEO, None} and audio in {*_MP4_AUDIO, None}
    is_mp4 = film.container.format.name.startswith("mov,")
    if fits_mp4 and (is_mp4 or not fits_webm):
        return ["mp4", "matroska"]
    return ["webm", "matroska"] if fits_webm else ["matroska"]
