"""One picture that stands for a film."""

from pathlib import Path

from PIL import Image

from mediatheque.processing.frames import key_frame, upright
from mediatheque.processing.opening import Film

BOX = (640, 1280)
"""Largest width and height of a thumbnail."""
_AT, _LATEST = 0.1, 30.0


def make_thumbnails(film: Film, duration: float, folder: Path) -> tuple[str, ...]:
    """Write the thumbnails of a film: a key frame of its first tenth, of its first half minute.

    Returns the names of the files; none when there is no picture that can be decoded.
    """
    frame = key_frame(film, min(duration * _AT, _LATEST)) or key_frame(film, 0.0)
    if frame is None or film.video is None:
        return ()
    return save_thumbnails(upright(frame, BOX, film.video.sample_aspect_ratio), folder)


def save_thumbnails(image: Image.Image, folder: Path) -> tuple[str, ...]:
    """Write a picture as ``thumbnail.jpg`` and ``thumbnail.webp``, with nothing but its pixels."""
    profile = image.info.get("icc_profile")
    opaque = image
    if image.mode == "RGBA":
        opaque = Image.new("RGB", image.size, "white")
        opaque.paste(image, mask=image.getchannel("A"))
    opaque.save(folder / "thumbnail.jpg", quality=80, icc_profile=profile, exif=b"")
    image.save(folder / "thumbnail.webp", quality=75, method=2, icc_profile=profile, exif=b"")
    return "thumbnail.jpg", "thumbnail.webp"
