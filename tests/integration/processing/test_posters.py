"""The one picture that stands for a film."""

import io
from pathlib import Path

import av
import pytest
from PIL import Image

from mediatheque.domain.processing import Step
from tests.support.films import FPS, Codec, make_recording
from tests.support.worked import work

NAMES = ("thumbnail.jpg", "thumbnail.webp")


@pytest.mark.parametrize("codec", ["vp8", "vp9", "av1", "h264"])
def test_a_film_has_a_thumbnail_in_two_formats(tmp_path: Path, codec: Codec) -> None:
    worked = work(make_recording(codec), tmp_path, Step.THUMBNAIL)
    assert worked.files == set(NAMES)
    for name, form in zip(NAMES, ("JPEG", "WEBP"), strict=True):
        with Image.open(worked.path(name)) as image:
            assert (image.format, image.size) == (form, (160, 120))
            assert image.convert("L").getextrema() != (0, 0)


def test_a_large_film_has_a_small_thumbnail(tmp_path: Path) -> None:
    data = make_recording("vp8", 0.2, size=(1280, 720))
    with Image.open(work(data, tmp_path, Step.THUMBNAIL).path("thumbnail.webp")) as image:
        assert image.size == (640, 360)


def coloured(colours: list[str], *, rotation: int = 0) -> bytes:
    """Return an MP4 that shows a colour each second, its upper left corner always white."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"preset": "ultrafast"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.codec_context.gop_size = FPS
        stream.codec_context.thread_count = 1
        stream.set_display_rotation(rotation)
        for number in range(len(colours) * FPS):
            image = Image.new("RGB", (160, 120), colours[number // FPS])
            image.paste("white", (0, 0, 40, 40))
            frame = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call]  # in its stubs
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file.getvalue()


@pytest.mark.parametrize(
    ("rotation", "size", "corner"),
    [(0, (160, 120), (0.1, 0.1)), (-90, (120, 160), (0.9, 0.1)), (90, (120, 160), (0.1, 0.9))],
)
def test_the_thumbnail_of_a_turned_film_is_upright(
    tmp_path: Path, rotation: int, size: tuple[int, int], corner: tuple[float, float]
) -> None:
    worked = work(coloured(["red"], rotation=rotation), tmp_path, Step.THUMBNAIL)
    with Image.open(worked.path("thumbnail.jpg")) as image:
        assert image.size == size
        pixels = image.convert("RGB")
        white = pixels.getpixel((int(corner[0] * size[0]), int(corner[1] * size[1])))
        red = pixels.getpixel((int((1 - corner[0]) * size[0]), int((1 - corner[1]) * size[1])))
        assert isinstance(white, tuple)
        assert isinstance(red, tuple)
        assert min(white) > 200
        assert red[0] > 150
        assert red[1] < 100


def test_the_thumbnail_is_of_the_first_tenth(tmp_path: Path) -> None:
    data = coloured(["red", "blue", *["green"] * 9])
    with Image.open(work(data, tmp_path, Step.THUMBNAIL).path("thumbnail.jpg")) as image:
        pixel = image.convert("RGB").getpixel((100, 100))
    assert isinstance(pixel, tuple)
    assert pixel.index(max(pixel)) == 2


def test_sound_has_no_thumbnail(tmp_path: Path) -> None:
    worked = work(make_recording("opus"), tmp_path, Step.THUMBNAIL, Step.SPRITE)
    assert (worked.files, worked.processed.failures) == (set(), {})
