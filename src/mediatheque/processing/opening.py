"""Opening films and sound that nobody vouches for.

Without a list of formats libav reads playlists too, and with them any file that they name; without
a list of protocols it connects to any address. So both are always given, and the path is one of
ours, never a name that a client chose.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from mediatheque.domain.processing import Kind
from mediatheque.processing.fragments import MendedFile, mend
from mediatheque.processing.tasks import RejectedError

_DEMUXERS = "matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mpegts,mpeg,avi,flv,asf,ogg,mp3,flac,wav,aac"
_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": _DEMUXERS,
    "probesize": "5000000",
    "analyzeduration": "5000000",
    "max_streams": "16",
    "fflags": "+genpts",
}
_COVERS = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
_COVER_CODECS = {"mjpeg", "png", "bmp", "gif", "webp"}

UNREADABLE = (
    "This is no video and no sound that can be read: the file is damaged, its beginning is "
    "missing, or its format is unknown."
)


class StepError(Exception):
    """One step cannot be done with this film; the text says why, for people."""


@dataclass(frozen=True, slots=True)
class Film:
    """An open container and the streams of it that are used: the first picture, the first sound.

    ``messages`` are what libav has to say of it: level, name of the part that says it, text.
    ``mended`` tells at how many places it is damaged of which libav does not hear.
    """

    container: InputContainer
    video: VideoStream | None
    audio: AudioStream | None
    messages: list[tuple[int, str, str]]
    mended: int = 0

    @property
    def streams(self) -> list[VideoStream | AudioStream]:
        """The streams that are used, the picture first."""
        return [stream for stream in (self.video, self.audio) if stream is not None]


@contextmanager
def open_film(path: Path, *, max_pixels: int, kind: Kind = "video") -> Iterator[Film]:
    """Open a film, or sound alone; of ``kind`` audio, pictures that are covers are ignored.

    Raises RejectedError for what cannot be read, has no stream to play, or has larger pictures.
    """
    if path.stat().st_size == 0:
        raise RejectedError("The file is empty.")
    mended = mend(path)
    with (
        nullcontext() if mended is None else closing(mended),
        av.logging.Capture() as messages,
        _open(mended or f"file:{path.absolute()}") as container,
    ):
        film = Film(
            container,
            _first_video(container, kind),
            _first_audio(container),
            messages,
            mended=0 if mended is None else mended.places,
        )
        if not film.streams:
            raise RejectedError("There is neither a picture nor sound in the file to play.")
        if film.video is not None:
            check_pixels(film.video.width, film.video.height, max_pixels)
            _limit_decoder(film.video, max_pixels)
        if film.audio is not None:
            film.audio.codec_context.thread_count = 1
        yield film


def _open(file: MendedFile | str) -> InputContainer:
    try:
        return av.open(file, "r", metadata_errors="replace", options=dict(_OPTIONS))
    except (av.FFmpegError, ValueError) as error:
        raise RejectedError(UNREADABLE) from error


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    """Raise RejectedError when a picture is larger than the setting allows."""
    if width * height > max_pixels:
        raise RejectedError(
            f"The picture is too large: {width} x {height} are more than the allowed "
            f"{max_pixels / 1e6:g} million pixels."
        )


def codec_name(stream: Stream) -> str:
    """Return the short name of a stream's codec, whichever library decodes it: ``av1``."""
    return stream.codec_context.codec.canonical_name


def seconds(ticks: int | None, stream: Stream) -> float | None:
    """Return a time that is given in a stream's own unit."""
    return float(ticks * (stream.time_base or Fraction(1))) if ticks is not None else None


def _limit_decoder(stream: VideoStream, max_pixels: int) -> None:
    context = stream.codec_context
    context.thread_count = 1
    context.thread_type = "SLICE"
    # A frame may be larger than the header says; the decoder refuses it before it is allocated.
    context.options = {"max_pixels": str(max_pixels)}


def _first_video(container: InputContainer, kind: str) -> VideoStream | None:
    for stream in container.streams.video:
        if not _is_decodable(stream) or _is_cover(stream, kind):
            continue
        if stream.width > 0 and stream.height > 0:
            return stream
    return None


def _first_audio(container: InputContainer) -> AudioStream | None:
    """Return the first stream of sound; an announced one that never came has no rate."""
    for stream in container.streams.audio:
        if _is_decodable(stream) and stream.codec_context.sample_rate > 0:
            return stream
    return None


def _is_decodable(stream: Stream) -> bool:
    # PyAV has no context for a codec without a decoder, whatever the stubs say.
    context: object = stream.codec_context
    return context is not None


def _is_cover(stream: VideoStream, kind: str) -> bool:
    return bool(stream.disposition & _COVERS) or (
        kind == "audio" and codec_name(stream) in _COVER_CODECS
    )
