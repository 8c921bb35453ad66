"""Pictures that stand still: what is known of them, and their thumbnails."""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pillow_heif
from PIL import AvifImagePlugin, ExifTags, Image, ImageOps

from mediatheque.processing.opening import check_pixels
from mediatheque.processing.posters import BOX, save_thumbnails
from mediatheque.processing.tasks import RejectedError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "HEIF", "TIFF", "BMP")
_UNREADABLE = "This is no picture that can be read: the file is damaged or its format is unknown."
# Whatever a hostile picture makes a decoder stumble over; none of it is a defect of ours.
_BROKEN = (OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError, OverflowError)
_ALPHA = {"RGBA", "LA", "PA", "La", "RGBa"}
_LONGEST = 200
"""Characters of a text out of a picture that are shown."""


@cache
def prepare() -> None:
    """Load the formats, once, before anything is locked away or limited."""
    # Each thread takes eight megabytes of the memory that a child may have.
    pillow_heif.options.DECODE_THREADS = AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    pillow_heif.register_heif_opener()
    Image.init()


@contextmanager
def open_picture(path: Path, *, max_pixels: int) -> Iterator[Image.Image]:
    """Open a picture; its pixels are not decoded yet.

    Raises RejectedError for what is no picture or has more pixels than allowed.
    """
    prepare()
    if path.stat().st_size == 0:
        raise RejectedError("The file is empty.")
    # Pillow itself warns from here on, and refuses twice as many, before it decodes.
    Image.MAX_IMAGE_PIXELS = max_pixels
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(path, formats=FORMATS)
        except Image.DecompressionBombError as error:
            raise RejectedError(
                "The picture is too large: it has more than the allowed "
                f"{max_pixels / 1e6:g} million pixels."
            ) from error
        except _BROKEN as error:
            raise RejectedError(_UNREADABLE) from error
        with image:
            check_pixels(image.width, image.height, max_pixels)
            yield image


def describe_picture(image: Image.Image, *, location: bool) -> dict[str, Any]:
    """Return the ``meta`` of a picture; where it was taken only when ``location`` asks for it."""
    name = image.format or ""
    exif = _exif(image)
    orientation = image.info.get("original_orientation") or exif.get(ExifTags.Base.Orientation)
    if orientation not in range(1, 9):
        orientation = None
    # HEIF comes turned already.
    turned = orientation in {5, 6, 7, 8} and name != "HEIF"
    width, height = (image.height, image.width) if turned else image.size
    known: dict[str, Any] = {
        "width": width,
        "height": height,
        "frames": _frames(image),
        "orientation": orientation,
        "has_alpha": image.mode in _ALPHA or "transparency" in image.info,
        "exif": _shot(exif) or None,
        "location": _location(exif) if location else None,
    }
    return {
        "kind": "image",
        "format": name.lower(),
        "mime_type": _mime_type(image),
        "image": {key: value for key, value in known.items() if value is not None},
    }


def _mime_type(image: Image.Image) -> str:
    # What a plugin knows of this very picture: of HEIF it is HEIC or another codec.
    exact: str | None = getattr(image, "custom_mimetype", None)
    return exact or Image.MIME[image.format or ""]


def make_picture_thumbnails(image: Image.Image, folder: Path) -> tuple[str, ...]:
    """Write the thumbnails of a picture, turned upright and without what it says of its maker.

    Raises RejectedError when its pixels cannot be decoded, or not all of them.
    """
    try:
        image.draft("RGB", BOX)
        small = image.copy() if image.mode != "P" else image.convert("RGBA")
        small.thumbnail(BOX, reducing_gap=2.0)
        small = ImageOps.exif_transpose(small)
        small.thumbnail(BOX)
        return save_thumbnails(_with_plain_colours(small), folder)
    except _BROKEN as error:
        raise RejectedError("The picture is damaged or incomplete; it cannot be shown.") from error


def _with_plain_colours(image: Image.Image) -> Image.Image:
    """Return the picture in red, green and blue, transparent where it was."""
    if image.mode == "RGB":
        return image
    has_alpha = image.mode in _ALPHA or "transparency" in image.info
    plain = image.convert("RGBA" if has_alpha else "RGB")
    if image.mode != "RGBA":
        # A profile of other colours than these would be wrong for them.
        plain.info.pop("icc_profile", None)
    return plain


def _frames(image: Image.Image) -> int | None:
    try:
        frames: int = getattr(image, "n_frames", 1)
    except _BROKEN:
        return None
    return frames


def _exif(image: Image.Image) -> Image.Exif:
    try:
        return image.getexif()
    except _BROKEN:
        return Image.Exif()


def _part(exif: Image.Exif, part: ExifTags.IFD) -> dict[int, Any]:
    try:
        return exif.get_ifd(part)
    except _BROKEN:
        return {}


def _shot(exif: Image.Exif) -> dict[str, Any]:
    """Return how a photo was taken."""
    details = _part(exif, ExifTags.IFD.Exif)
    found = {
        "make": _text(exif.get(ExifTags.Base.Make)),
        "model": _text(exif.get(ExifTags.Base.Model)),
        "lens": _text(details.get(ExifTags.Base.LensModel)),
        "taken_at": _moment(details),
        "exposure_time": _number(details.get(ExifTags.Base.ExposureTime)),
        "f_number": _number(details.get(ExifTags.Base.FNumber)),
        "iso": _number(details.get(ExifTags.Base.ISOSpeedRatings)),
        "focal_length": _number(details.get(ExifTags.Base.FocalLength)),
    }
    return {name: value for name, value in found.items() if value is not None}


def _text(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    return "".join(c for c in value if c.isprintable()).strip()[:_LONGEST] or None


def _number(value: object) -> float | int | None:
    if isinstance(value, tuple) and value:
        value = value[0]
    try:
        number = round(float(value), 6)  # type: ignore[arg-type]  # Whatever a picture holds.
    except (TypeError, ValueError, ArithmeticError):
        return None
    if not math.isfinite(number) or number <= 0:
        return None
    return int(number) if number == int(number) else number


def _moment(details: dict[int, Any]) -> str | None:
    """Return when a photo was taken, in ISO 8601: local time, its offset where it is known."""
    taken = _text(details.get(ExifTags.Base.DateTimeOriginal))
    date, _, time = (taken or "").partition(" ")
    if len(date) != 10 or len(time) != 8 or not date.replace(":", "").strip("0"):
        return None
    offset = _text(details.get(ExifTags.Base.OffsetTimeOriginal)) or ""
    return f"{date.replace(':', '-')}T{time}{offset}"


def _location(exif: Image.Exif) -> dict[str, float] | None:
    """Return where a photo was taken, in degrees, north and east positive."""
    gps = _part(exif, ExifTags.IFD.GPSInfo)
    latitude = _degrees(gps.get(ExifTags.GPS.GPSLatitude), gps.get(ExifTags.GPS.GPSLatitudeRef))
    longitude = _degrees(gps.get(ExifTags.GPS.GPSLongitude), gps.get(ExifTags.GPS.GPSLongitudeRef))
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        return None
    return {"latitude": latitude, "longitude": longitude}


def _degrees(parts: object, side: object) -> float | None:
    if not isinstance(parts, tuple) or len(parts) != 3:
        return None
    try:
        degrees, minutes, seconds = (float(part) for part in parts)
    except (TypeError, ValueError, ArithmeticError):
        return None
    total = degrees + minutes / 60 + seconds / 3600
    if not math.isfinite(total):
        return None
    return round(-total if side in {"S", "W"} else total, 6)
