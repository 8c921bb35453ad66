"""Single pictures of a film: found by key frames, turned upright, in square pixels."""

from fractions import Fraction

import av
from av.video.frame import VideoFrame
from PIL import Image

from mediatheque.processing.opening import Film


def display_size(
    width: int, height: int, *, aspect: Fraction | None, rotation: int
) -> tuple[int, int]:
    """Return the size at which a picture is shown: in square pixels, turned by ``rotation``."""
    if aspect and aspect > 0:
        width = max(1, round(width * aspect))
    return (height, width) if rotation % 180 else (width, height)


def clockwise(frame: VideoFrame) -> int:
    """Return by how many degrees a frame must be turned clockwise to be upright."""
    return -frame.rotation % 360


def within(size: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """Return the largest size of the same shape that fits into a box, never a larger one."""
    ratio = min(1.0, box[0] / size[0], box[1] / size[1])
    return max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio))


def key_frame(film: Film, second: float, *, besides: int | None = None) -> VideoFrame | None:
    """Return the key frame at or before a time; None when it cannot be decoded.

    None too when its time stamp is ``besides``: the caller has it already.
    """
    video = film.video
    if video is None:
        return None
    unit = video.time_base or Fraction(1)
    try:
        film.container.seek(int(second / unit) + (video.start_time or 0), stream=video)
        for packet in film.container.demux(video):
            if not packet.is_keyframe and packet.size:
                continue
            if packet.pts is not None and packet.pts == besides:
                return None
            # The decoder may hold a frame back until it has been told that no more will come.
            frames = video.decode(packet) + (video.decode(None) if packet.size else [])
            video.codec_context.flush_buffers()
            return frames[0] if frames else None
    except (av.FFmpegError, ValueError):
        video.codec_context.flush_buffers()
    return None


def upright(frame: VideoFrame, box: tuple[int, int], aspect: Fraction | None) -> Image.Image:
    """Return a frame as it is to be shown, as large as fits into the box."""
    turn = clockwise(frame)
    shown = display_size(frame.width, frame.height, aspect=aspect, rotation=turn)
    width, height = within(shown, box)
    if turn % 180:
        width, height = height, width
    small = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
    image: Image.Image = small.to_image()  # type: ignore[no-untyped-call]  # in its stubs
    return image.rotate(frame.rotation, expand=True) if turn else image
