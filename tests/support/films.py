"""Small real films, made on the spot as a browser's MediaRecorder would deliver them."""

import io
import math
from array import array
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import cache
from typing import Any, Literal

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

Codec = Literal["vp8", "vp9", "av1", "h264", "opus"]
Container = Literal["webm", "matroska", "mp4", "mpegts"]

WIDTH, HEIGHT, FPS = 160, 120, 15
SAMPLE_RATE = 48_000
_ENCODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9", "av1": "libsvtav1", "h264": "libx264"}
_QUICK = {
    "vp8": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
    "vp9": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
    "av1": {"preset": "12", "svtav1-params": "lp=1"},
    "h264": {"preset": "ultrafast", "tune": "zerolatency"},
}
# Like a browser: of unknown length, written from front to back and never gone back to.
_LIVE: dict[str, dict[str, str]] = {
    "webm": {"live": "1", "cluster_time_limit": "500"},
    "matroska": {"live": "1", "cluster_time_limit": "500"},
    "mp4": {"movflags": "frag_keyframe+empty_moov+default_base_moof"},
    "mpegts": {},
}


class _Pipe:
    """A file that can only be written from front to back, so that nothing is patched later."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, piece: bytes) -> int:
        self.data += piece
        return len(piece)


@cache
def make_recording(
    codec: Codec = "vp8",
    seconds: float = 2.0,
    *,
    audio: bool = True,
    live: bool = True,
    container: Container | None = None,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> bytes:
    """Return a film of a moving gradient, with a tone, as a browser would have recorded it.

    VP8, VP9 and AV1 come as WebM, H.264 as MP4, unless ``container`` says otherwise; ``opus`` is
    a recording of sound alone. ``live``: as it is streamed, of unknown duration and with no cues
    (WebM) or in fragments of a second (MP4); otherwise finished by the muxer. Key frames are one
    second apart. Made once for all tests of a process.
    """
    # The encoder of AV1 makes its thread the most urgent of the whole machine (SCHED_FIFO), for
    # ever, if it may: not that of the tests, which everything they start would inherit it from.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(
            _make, codec, seconds, container, size, audio=audio, live=live
        ).result()


def _make(
    codec: Codec,
    seconds: float,
    container: Container | None,
    size: tuple[int, int],
    *,
    audio: bool,
    live: bool,
) -> bytes:
    name = container or ("mp4" if codec == "h264" else "webm")
    target: _Pipe | io.BytesIO = _Pipe() if live else io.BytesIO()
    with av.open(target, "w", format=name, options=_LIVE[name] if live else {}) as out:
        picture = _add_picture(out, codec, size) if codec != "opus" else None
        sound = out.add_stream("libopus", rate=SAMPLE_RATE) if audio or picture is None else None
        if sound is not None:
            sound.codec_context.layout = "mono"
        for packet in _interleaved(picture, sound, seconds):
            out.mux(packet)
    return bytes(target.data) if isinstance(target, _Pipe) else target.getvalue()


def chunks(data: bytes, n: int) -> list[bytes]:
    """Return ``data`` in ``n`` pieces of different sizes, cut at odd places within elements."""
    if n < 1 or len(data) < 4 * n:
        raise ValueError(f"{len(data)} bytes cannot be cut into {n} odd pieces")
    step = len(data) / n
    cuts = [int(step * i + step * (i % 3 - 1) / 4) for i in range(1, n)]
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def _add_picture(out: OutputContainer, codec: Codec, size: tuple[int, int]) -> VideoStream:
    stream = out.add_stream(_ENCODERS[codec], rate=FPS, options=_QUICK[codec])
    assert isinstance(stream, VideoStream)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    stream.bit_rate = 200_000
    stream.codec_context.gop_size = FPS
    stream.codec_context.thread_count = 1
    return stream


def _interleaved(
    picture: VideoStream | None, sound: AudioStream | None, seconds: float
) -> "Iterator[Packet[Any]]":
    """Yield the packets of both in the order of time, a frame of picture at a time."""
    frames = round(seconds * FPS)
    samples = SAMPLE_RATE // FPS
    for number in range(frames):
        if picture is not None:
            yield from picture.encode(gradient(picture.width, picture.height, number))
        if sound is not None:
            yield from sound.encode(tone(number * samples, samples))
    for stream in (picture, sound):
        if stream is not None:
            yield from stream.encode(None)


def gradient(width: int, height: int, number: int) -> av.VideoFrame:
    """Return frame ``number`` of a gradient that moves to the left."""
    frame = av.VideoFrame(width, height, "yuv420p")
    row = bytes((x + 4 * number) % 256 for x in range(max(frame.planes[0].line_size, width)))
    for plane in frame.planes:
        plane.update((row[: plane.line_size] * plane.height)[: plane.buffer_size])
    frame.pts, frame.time_base = number, Fraction(1, FPS)
    return frame


def tone(start: int, samples: int, *, hertz: float = 440.0) -> av.AudioFrame:
    """Return ``samples`` samples of a tone that is loud and quiet in turns, half a second each."""
    frame = av.AudioFrame(format="s16", layout="mono", samples=samples)
    turn = SAMPLE_RATE // 2
    wave = array(
        "h",
        (
            int((24_000 if i // turn % 2 == 0 else 2_400) * math.sin(i * math.tau * hertz / 48_000))
            for i in range(start, start + samples)
        ),
    )
    frame.planes[0].update(wave.tobytes().ljust(frame.planes[0].buffer_size, b"\0"))
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
    return frame
