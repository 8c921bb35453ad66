"""Films as a browser's MediaRecorder delivers them: no duration, no index, front to back."""

import io
import random
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
from av.video.stream import VideoStream

from tests.bench.outcome import BenchError
from tests.support.films import SAMPLE_RATE, gradient, tone

_WIDTH, _HEIGHT, _RATE = 640, 480, 30
_BIT_RATE = 1_500_000
_KEY_SECONDS = 4
_PAUSE_SECONDS = 0.1
"""Between two turns of a film whose sound is a little longer than its picture."""
_NOISE_WIDTH, _NOISE_HEIGHT = 128, 96
_QUICK = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
_LIVE = {"live": "1", "cluster_time_limit": "500"}


@cache
def camera(seconds: int) -> bytes:
    """Return a WebM of 640x480 pixels with VP8 and Opus, of about 200 kB per second."""
    written = io.BytesIO()
    with av.open(written, "w", format="webm", options=_LIVE) as out:
        picture = out.add_stream("libvpx", rate=_RATE, options=_QUICK)
        assert isinstance(picture, VideoStream)
        picture.width, picture.height, picture.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        picture.bit_rate = _BIT_RATE
        picture.codec_context.gop_size = _KEY_SECONDS * _RATE
        sound = out.add_stream("libopus", rate=SAMPLE_RATE)
        sound.codec_context.layout = "mono"
        samples = SAMPLE_RATE // _RATE
        generator = random.Random(20240229)
        for number in range(seconds * _RATE):
            out.mux(picture.encode(_frame(number, generator)))
            out.mux(sound.encode(tone(number * samples, samples)))
        for stream in (picture, sound):
            out.mux(stream.encode(None))
    return written.getvalue()


def write_long(path: Path, film: bytes, seconds: int, size: int) -> None:
    """Write a film of about ``size`` bytes: the packets of one of ``seconds``, repeatedly."""
    with av.open(str(path), "w", format="webm", options=_LIVE) as out:
        targets = {}
        with av.open(io.BytesIO(film), "r") as source:
            for stream in source.streams:
                targets[stream.index] = out.add_stream_from_template(stream, opaque=True)
        for turn in range(-(-size // len(film))):
            with av.open(io.BytesIO(film), "r") as source:
                for packet in source.demux():
                    if packet.pts is None or packet.dts is None:
                        continue
                    shift = int(turn * (seconds + _PAUSE_SECONDS) / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = targets[packet.stream_index]
                    out.mux(packet)


def check_playable(path: Path, seconds: float) -> None:
    """Look at a film past the code that is measured.

    :raises BenchError: it has another duration, its index is not at its front, or no picture of
        its middle can be decoded.
    """
    if not _cues_first(path):
        raise BenchError(f"{path.name} has no cues before its first cluster")
    with av.open(str(path)) as film:
        found = (film.duration or 0) / av.time_base
        if abs(found - seconds) > 1:
            raise BenchError(f"{path.name} says that it takes {found} s instead of {seconds} s")
        film.seek(int(seconds / 2 * av.time_base))
        frame = next(film.decode(video=0))
        if not 0 <= seconds / 2 - frame.time <= _KEY_SECONDS + 1:
            raise BenchError(f"{path.name} plays from {frame.time} s when its middle is sought")


def duration(path: Path) -> float:
    """Return the seconds at which the last packet of a film ends, by reading all of them."""
    with av.open(str(path)) as film:
        return max(
            float((packet.pts + (packet.duration or 0)) * packet.time_base)
            for packet in film.demux()
            if packet.pts is not None
        )


def _frame(number: int, generator: random.Random) -> av.VideoFrame:
    """Return a frame of which a part is noise, so that it takes as many bytes as a real one."""
    frame = gradient(_WIDTH, _HEIGHT, number)
    luma = frame.planes[0]
    rows = bytearray(bytes(luma))
    for start in range(0, _NOISE_HEIGHT * luma.line_size, luma.line_size):
        rows[start : start + _NOISE_WIDTH] = generator.randbytes(_NOISE_WIDTH)
    luma.update(bytes(rows))
    frame.time_base = Fraction(1, _RATE)
    return frame


_SEGMENT, _CUES, _CLUSTER = 0x18538067, 0x1C53BB6B, 0x1F43B675


def _cues_first(path: Path) -> bool:
    """Tell whether the index of a WebM comes before its first cluster. RFC 8794, 9559."""
    with path.open("rb") as file:
        while first := file.read(1):
            element = _number(file, first[0], marked=True)
            size = _number(file, file.read(1)[0], marked=False)
            if element in {_CUES, _CLUSTER}:
                return element == _CUES
            if element != _SEGMENT:
                file.seek(size, io.SEEK_CUR)
    return False


def _number(file: io.BufferedReader, first: int, *, marked: bool) -> int:
    """Read a variable-size integer that begins with ``first``, with or without its marker."""
    more = 8 - first.bit_length()
    head = first if marked else first & ((1 << (7 - more)) - 1)
    return int.from_bytes(bytes([head]) + file.read(more), "big")
