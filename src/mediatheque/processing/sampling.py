"""Decoding a few packets of a stream on the way, to see whether they can be."""

import math
from typing import Any

import av
from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

_PICTURES = 4
_SOUNDS = 20


class PictureSampler:
    """Decodes about four key pictures that are spread over the file."""

    def __init__(self, stream: VideoStream, size: int) -> None:
        self.due: float = 0
        self.tried = 0
        self.failed = 0
        self.first: VideoFrame | None = None
        self.stream = stream
        self._every = size / _PICTURES

    def sample(self, packet: "Packet[Any]", reached: int) -> None:
        """Decode a key picture, keeping nothing for those that follow."""
        self.due = reached + self._every
        self.tried += 1
        try:
            frames = self.stream.decode(packet) + self.stream.decode(None)
        except (av.FFmpegError, ValueError):
            frames = []
        self.stream.codec_context.flush_buffers()
        if not frames:
            self.failed += 1
        elif self.first is None:
            self.first = frames[0]

    @property
    def works(self) -> bool:
        """Whether any picture could be decoded."""
        return self.tried > self.failed


class SoundSampler:
    """Decodes packets of sound until one of the first twenty has given some."""

    def __init__(self, stream: AudioStream) -> None:
        self.due: float = 0
        self.works = False
        self.stream = stream
        self._tried = 0

    def sample(self, packet: "Packet[Any]", _: int) -> None:
        """Decode a packet; a decoder may need a few before it gives a sound."""
        self._tried += 1
        try:
            self.works = bool(self.stream.decode(packet))
        except (av.FFmpegError, ValueError):
            self.works = False
        if self.works or self._tried == _SOUNDS:
            self.due = math.inf
