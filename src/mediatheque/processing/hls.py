"""HTTP live streaming (RFC 8216): playlists for players that ask for a film in segments."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
from av.container import OutputContainer
from av.packet import Packet

from mediatheque.processing.inspection import inspect
from mediatheque.processing.opening import Film, StepError, codec_name

SEGMENT = 6
"""Seconds of a segment, up to the next key frame."""
_VIDEO = {"h264", "hevc", "vp9", "av1"}
_AUDIO = {"aac", "mp3", "opus", "flac", "ac3", "eac3", "alac"}
_FAILED = "It could not be cut into segments: its times or its data are damaged."


def make_hls(
    film: Film, source: Path, folder: Path, report: Callable[[float], None]
) -> tuple[str, ...]:
    """Write ``master.m3u8``, ``index.m3u8`` and ``seg.m4s``, all segments in one file of CMAF.

    Nothing is encoded anew. Raises StepError for codecs that no fragmented MP4 takes.
    """
    for stream, taken in ((film.video, _VIDEO), (film.audio, _AUDIO)):
        if stream is not None and codec_name(stream) not in taken:
            raise StepError(
                f"It is recorded as {codec_name(stream).upper()}, which players of HLS do not "
                "take; record H.264, VP9 or AV1 to get segments."
            )
    options = {
        "hls_segment_type": "fmp4",
        "hls_time": str(SEGMENT),
        "hls_playlist_type": "vod",
        "hls_flags": "independent_segments+single_file",
        "hls_segment_filename": str(folder / "seg.m4s"),
        "master_pl_name": "master.m3u8",
    }
    try:
        with av.open(str(folder / "index.m3u8"), "w", format="hls", options=options) as output:
            segments = _Segments(film, output)
            inspect(film, source, report, copy=segments)
    except (av.FFmpegError, ValueError) as error:
        raise StepError(_FAILED) from error
    if segments.failed:
        raise StepError(_FAILED)
    return "master.m3u8", "index.m3u8", "seg.m4s"


class _Segments:
    """Takes a film's packets into segments."""

    strict = True

    def __init__(self, film: Film, output: OutputContainer) -> None:
        self.failed = False
        self._output = output
        self._targets = {
            stream.index: output.add_stream_from_template(stream, opaque=True)
            for stream in film.streams
        }

    def write(self, packet: "Packet[Any]") -> bool:
        """Write a packet; False when that has failed."""
        packet.stream = self._targets[packet.stream_index]
        try:
            self._output.mux_one(packet)
        except (av.FFmpegError, ValueError):
            self.failed = True
        return not self.failed
