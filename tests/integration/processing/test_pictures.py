"""What is known of pictures that stand still, and their thumbnails."""

import io
from pathlib import Path
from typing import Any

import pillow_heif
import pytest
from PIL import ExifTags, Image, TiffImagePlugin

from mediatheque.domain.processing import Step
from mediatheque.processing.tasks import RejectedError
from tests.support.worked import Worked, work


def photo(*, orientation: int = 1, gps: dict[int, Any] | None = None, form: str = "JPEG") -> bytes:
    """Return a photo, red on its left and blue on its right, with what a camera writes into it."""
    image = Image.new("RGB", (80, 40), "blue")
    image.paste("red", (0, 0, 40, 40))
    exif = image.getexif()
    exif[ExifTags.Base.Make] = "Camera maker\0\0"
    exif[ExifTags.Base.Model] = "Model 1"
    exif[ExifTags.Base.Orientation] = orientation
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.LensModel] = "A lens"
    details[ExifTags.Base.DateTimeOriginal] = "2024:02:29 12:30:00"
    details[ExifTags.Base.OffsetTimeOriginal] = "+01:00"
    details[ExifTags.Base.ExposureTime] = TiffImagePlugin.IFDRational(1, 250)
    details[ExifTags.Base.FNumber] = TiffImagePlugin.IFDRational(18, 10)
    details[ExifTags.Base.ISOSpeedRatings] = 100
    details[ExifTags.Base.FocalLength] = TiffImagePlugin.IFDRational(0, 0)
    if gps is not None:
        exif.get_ifd(ExifTags.IFD.GPSInfo).update(gps)
    file = io.BytesIO()
    image.save(file, form, exif=exif, quality=95)
    return file.getvalue()


GPS = {1: "S", 2: (48.0, 30.0, 36.0), 3: "W", 4: (9.0, 0.0, 0.0)}


def of(data: bytes, folder: Path, *, location: bool = False) -> Worked:
    steps = (Step.PROBE, Step.THUMBNAIL)
    return work(data, folder, *steps, kind="image", location=location)


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "PNG", "AVIF"])
def test_a_photo_tells_how_it_was_taken(tmp_path: Path, form: str) -> None:
    worked = of(photo(form=form), tmp_path)
    meta, image = worked.meta, worked.meta["image"]
    assert (meta["kind"], meta["format"]) == ("image", form.lower())
    assert meta["mime_type"] == f"image/{form.lower()}"
    assert (image["width"], image["height"], image["frames"]) == (80, 40, 1)
    assert image["has_alpha"] is False
    assert image["exif"] == {
        "make": "Camera maker",
        "model": "Model 1",
        "lens": "A lens",
        "taken_at": "2024-02-29T12:30:00+01:00",
        "exposure_time": 0.004,
        "f_number": 1.8,
        "iso": 100,
    }
    assert worked.files == {"thumbnail.jpg", "thumbnail.webp"}


def test_heic_is_read(tmp_path: Path) -> None:
    pillow_heif.register_heif_opener()
    worked = of(photo(form="HEIF"), tmp_path)
    assert worked.meta["mime_type"] == "image/heic"
    assert worked.meta["image"]["exif"]["model"] == "Model 1"
    assert worked.files == {"thumbnail.jpg", "thumbnail.webp"}


def test_where_a_photo_was_taken_is_told_only_when_asked(tmp_path: Path) -> None:
    (tmp_path / "asked").mkdir()
    data = photo(gps=GPS)
    assert "location" not in of(data, tmp_path).meta["image"]
    asked = of(data, tmp_path / "asked", location=True)
    assert asked.meta["image"]["location"] == {"latitude": -48.51, "longitude": -9.0}


@pytest.mark.parametrize(
    "gps",
    [
        {1: "N", 2: (91.0, 0.0, 0.0), 3: "E", 4: (9.0, 0.0, 0.0)},
        {1: "N", 2: (TiffImagePlugin.IFDRational(0, 0),) * 3, 3: "E", 4: (9.0, 0.0, 0.0)},
        {1: "N", 2: (48.0, 0.0, 0.0)},
        {},
    ],
    ids=["beyond-the-pole", "no-number", "half", "none"],
)
def test_a_place_that_is_none_is_absent(tmp_path: Path, gps: dict[int, Any]) -> None:
    assert "location" not in of(photo(gps=gps), tmp_path, location=True).meta["image"]


def colour(image: Image.Image, x: float, y: float) -> str:
    pixel = image.convert("RGB").getpixel((int(x * image.width), int(y * image.height)))
    assert isinstance(pixel, tuple)
    return ("red", "green", "blue")[pixel.index(max(pixel))]


@pytest.mark.parametrize(
    ("orientation", "red"),
    [(1, (0.1, 0.5)), (3, (0.9, 0.5)), (6, (0.5, 0.1)), (8, (0.5, 0.9))],
)
def test_thumbnails_are_upright(tmp_path: Path, orientation: int, red: tuple[float, float]) -> None:
    worked = of(photo(orientation=orientation), tmp_path)
    size = (40, 80) if orientation in {6, 8} else (80, 40)
    image = worked.meta["image"]
    assert (image["width"], image["height"], image["orientation"]) == (*size, orientation)
    for name in ("thumbnail.jpg", "thumbnail.webp"):
        with Image.open(worked.path(name)) as thumbnail:
            assert thumbnail.size == size
            assert colour(thumbnail, *red) == "red"
            assert colour(thumbnail, 1 - red[0], 1 - red[1]) == "blue"


def test_thumbnails_tell_nothing_of_camera_and_place(tmp_path: Path) -> None:
    worked = of(photo(gps=GPS), tmp_path)
    for name in ("thumbnail.jpg", "thumbnail.webp"):
        with Image.open(worked.path(name)) as thumbnail:
            assert not thumbnail.getexif()


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def test_a_large_picture_becomes_a_small_one(tmp_path: Path) -> None:
    worked = of(saved(Image.new("RGB", (2000, 1000), "red"), "JPEG"), tmp_path)
    with Image.open(worked.path("thumbnail.jpg")) as thumbnail:
        assert thumbnail.size == (640, 320)


def test_what_is_transparent_stays_so_and_is_white_in_jpeg(tmp_path: Path) -> None:
    worked = of(saved(Image.new("RGBA", (20, 20), (255, 0, 0, 0)), "PNG"), tmp_path)
    assert worked.meta["image"]["has_alpha"] is True
    with Image.open(worked.path("thumbnail.webp")) as thumbnail:
        assert thumbnail.getpixel((5, 5))[3] == 0  # type: ignore[index]  # of RGBA
    with Image.open(worked.path("thumbnail.jpg")) as thumbnail:
        assert min(thumbnail.getpixel((5, 5))) > 250  # type: ignore[arg-type]  # of RGB


@pytest.mark.parametrize("mode", ["CMYK", "L", "I;16", "P", "LA", "1"])
def test_every_kind_of_pixels_has_a_thumbnail(tmp_path: Path, mode: str) -> None:
    form = "TIFF" if mode == "CMYK" else "PNG"
    worked = of(saved(Image.new(mode, (30, 20)), form), tmp_path)
    assert worked.files == {"thumbnail.jpg", "thumbnail.webp"}


def test_an_animation_counts_its_frames(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (16, 16), (50 * number, 0, 0)) for number in range(5)]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert of(data, tmp_path).meta["image"]["frames"] == 5


def test_a_picture_that_breaks_off_is_known_but_not_shown(tmp_path: Path) -> None:
    worked = of(saved(Image.effect_noise((200, 200), 90), "PNG")[:5000], tmp_path)
    assert worked.meta["image"]["width"] == 200
    assert worked.files == set()
    assert "damaged or incomplete" in worked.warnings
    assert "damaged or incomplete" in worked.processed.failures[Step.THUMBNAIL]


BOMB = b"GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\xff\xff\xff\xff\0\2\2D\1\0;"


@pytest.mark.parametrize("data", [BOMB, saved(Image.new("1", (9000, 6000)), "PNG")])
def test_a_bomb_is_refused_before_it_goes_off(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(RejectedError, match=r"picture is too large.* 50 million pixels"):
        of(data, tmp_path)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x" * 100,
        b"\x89PNG\r\n\x1a\n" + b"\0" * 50,
        b"%!PS-Adobe-3.0\n%%BoundingBox: 0 0 9 9\n",
    ],
    ids=["empty", "garbage", "png-of-zeros", "postscript"],
)
def test_what_is_no_picture_is_rejected(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(RejectedError, match=r"^(This is no picture|The file is empty)"):
        of(data, tmp_path)
