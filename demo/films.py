"""A small recording in chunks, as a browser's MediaRecorder delivers one."""

import av
from av.container import OutputContainer

SECONDS = 3

_RATE = 15
_WIDTH, _HEIGHT = 160, 96
_FAST = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
# As a browser writes: front to back, without a duration or an index.
_LIVE = {"live": "1", "cluster_time_limit": "500"}


class _Chunks:
    """A file that is only appended to; what was written since the last chunk is the next one."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self._written = bytearray()

    def write(self, piece: bytes) -> int:
        """Take the next bytes of the film."""
        self._written += piece
        return len(piece)

    def cut(self) -> None:
        """End a chunk here."""
        self.chunks.append(bytes(self._written))
        self._written.clear()


def record_chunks() -> list[bytes]:
    """Return a film of SECONDS, WebM with VP8, in chunks of half a second."""
    target = _Chunks()
    with av.open(target, "w", format="webm", options=_LIVE) as out:
        _record(out, target)
    target.cut()
    return target.chunks


def _record(out: OutputContainer, target: _Chunks) -> None:
    stream = out.add_stream("libvpx", rate=_RATE, options=_FAST)
    stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
    stream.codec_context.gop_size = _RATE
    for number in range(SECONDS * _RATE):
        for packet in stream.encode(_picture(number)):
            out.mux(packet)
        if number % (_RATE // 2) == 0:
            target.cut()
    for packet in stream.encode(None):
        out.mux(packet)


def _picture(number: int) -> av.VideoFrame:
    """Return a frame of a bar that moves to the right."""
    frame = av.VideoFrame(_WIDTH, _HEIGHT, "yuv420p")
    for plane, grey in zip(frame.planes, (32, 128, 128), strict=True):
        plane.update(bytes([grey]) * plane.buffer_size)
    luma = frame.planes[0]
    bar = number * (_WIDTH - 8) // (SECONDS * _RATE)
    row = bytearray(b"\x20" * luma.line_size)
    row[bar : bar + 8] = b"\xd0" * 8
    luma.update(bytes(row) * luma.height)
    frame.pts = number
    return frame
