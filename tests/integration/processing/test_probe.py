"""What is found out about films and sounds, and what is refused."""

import io
from fractions import Fraction
from pathlib import Path

import av
import pytest
from PIL import Image

from mediatheque.domain.processing import Kind, Step
from mediatheque.processing import inspection
from mediatheque.processing.tasks import RejectedError
from tests.support.films import FPS, Codec, Container, gradient, make_recording, tone
from tests.support.worked import work


@pytest.mark.parametrize("codec", ["vp8", "vp9", "h264"])
@pytest.mark.parametrize("live", [True, False])
def test_a_film_is_measured(tmp_path: Path, codec: Codec, *, live: bool) -> None:
    data = make_recording(codec, 2.0, live=live)
    meta = work(data, tmp_path, Step.PROBE).meta
    kind = "mp4" if codec == "h264" else "webm"
    assert (meta["kind"], meta["format"], meta["mime_type"]) == ("video", kind, f"video/{kind}")
    assert meta["duration"] == pytest.approx(2.0, abs=0.03)
    assert meta["bit_rate"] == pytest.approx(len(data) * 8 / meta["duration"], abs=50_000)
    video, audio = meta["video"], meta["audio"]
    assert (video["codec"], video["width"], video["height"]) == (codec, 160, 120)
    assert (video["frames"], video["rotation"], video["pixel_format"]) == (30, 0, "yuv420p")
    assert video["fps"] == pytest.approx(FPS, abs=0.1)
    assert video["bit_rate"] + audio["bit_rate"] < meta["bit_rate"] * 1.05
    assert (audio["codec"], audio["sample_rate"]) == ("opus", 48_000)
    assert (audio["channels"], audio["layout"]) == (1, "mono")
    assert "warnings" not in meta
    assert "gaps" not in meta


@pytest.mark.parametrize(
    ("codec", "live", "told"), [("vp8", True, True), ("h264", True, True), ("h264", False, False)]
)
def test_coverage_is_told_where_it_means_something(
    tmp_path: Path, codec: Codec, *, live: bool, told: bool
) -> None:
    meta = work(make_recording(codec, live=live), tmp_path, Step.PROBE).meta
    assert ("coverage" in meta) is told
    assert meta.get("coverage", 1.0) > 0.98


def test_sound_alone_is_audio(tmp_path: Path) -> None:
    meta = work(make_recording("opus"), tmp_path, Step.PROBE, kind="video").meta
    assert (meta["kind"], meta["mime_type"]) == ("audio", "audio/webm")
    assert "video" not in meta


def test_a_film_without_sound_has_no_audio(tmp_path: Path) -> None:
    meta = work(make_recording(audio=False), tmp_path, Step.PROBE).meta
    assert meta["kind"] == "video"
    assert "audio" not in meta


def test_av1_is_called_by_its_own_name(tmp_path: Path) -> None:
    meta = work(make_recording("av1", 0.5), tmp_path, Step.PROBE).meta
    assert meta["video"]["codec"] == "av1"


def test_h264_in_matroska_is_told_from_webm(tmp_path: Path) -> None:
    data = make_recording("h264", container="matroska")
    meta = work(data, tmp_path, Step.PROBE).meta
    assert (meta["format"], meta["mime_type"]) == ("matroska", "video/x-matroska")


def test_a_transport_stream_begins_at_zero(tmp_path: Path) -> None:
    data = make_recording("h264", container="mpegts")
    meta = work(data, tmp_path, Step.PROBE).meta
    assert meta["format"] == "mpegts"
    assert meta["duration"] == pytest.approx(2.0, abs=0.1)


def film(*, rotation: int = 0, aspect: tuple[int, int] = (1, 1), cover: bool = False) -> bytes:
    """Return an MP4 that is to be shown turned or stretched, or sound with a cover."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska" if cover else "mp4") as out:
        video = out.add_stream("mjpeg" if cover else "libx264", rate=FPS)
        assert isinstance(video, av.VideoStream)
        video.width, video.height = 160, 120
        video.pix_fmt = "yuvj420p" if cover else "yuv420p"
        video.codec_context.sample_aspect_ratio = Fraction(*aspect)
        if rotation:
            video.set_display_rotation(rotation)
        sound = out.add_stream("libopus", rate=48_000)
        out.mux(video.encode(gradient(160, 120, 0)))
        out.mux(video.encode(None))
        assert isinstance(sound, av.AudioStream)
        out.mux([*sound.encode(tone(0, 4800)), *sound.encode(None)])
    return file.getvalue()


@pytest.mark.parametrize(("counter_clockwise", "rotation"), [(90, 270), (-90, 90), (180, 180)])
def test_a_turned_film_has_the_size_it_is_shown_in(
    tmp_path: Path, counter_clockwise: int, rotation: int
) -> None:
    video = work(film(rotation=counter_clockwise), tmp_path, Step.PROBE).meta["video"]
    assert video["rotation"] == rotation
    expected = (160, 120) if rotation == 180 else (120, 160)
    assert (video["width"], video["height"]) == expected


def test_a_film_of_wide_pixels_is_as_wide_as_it_is_shown(tmp_path: Path) -> None:
    video = work(film(aspect=(4, 3)), tmp_path, Step.PROBE).meta["video"]
    assert (video["width"], video["height"]) == (213, 120)


@pytest.mark.parametrize(("kind", "found"), [("audio", "audio"), ("video", "video")])
def test_the_cover_of_a_sound_is_no_film(tmp_path: Path, kind: Kind, found: str) -> None:
    assert work(film(cover=True), tmp_path, Step.PROBE, kind=kind).meta["kind"] == found


@pytest.mark.parametrize(
    ("codec", "container"), [("vp8", "webm"), ("h264", "mp4"), ("h264", "mpegts")]
)
def test_of_a_large_file_the_beginning_and_the_end_are_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec: Codec, container: Container
) -> None:
    monkeypatch.setattr(inspection, "WHOLE", 0)
    monkeypatch.setattr(inspection, "_HEAD_PACKETS", 20)
    meta = work(
        make_recording(codec, 4.0, live=False, container=container), tmp_path, Step.PROBE
    ).meta
    assert meta["duration"] == pytest.approx(4.0, abs=0.1)
    assert meta["video"]["fps"] == pytest.approx(FPS, abs=0.1)
    assert "frames" not in meta["video"]
    assert not {"gaps", "warnings"} & set(meta)


def picture(name: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(file, name)
    return file.getvalue()


SECRET = "tests/support/films.py"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"\0" * 10_000,
        b"Just a text.\n" * 100,
        picture("PNG"),
        picture("GIF"),
        f"#EXTM3U\n#EXTINF:1,\nfile:{SECRET}\n#EXT-X-ENDLIST\n".encode(),
        b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/a.ts\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile '{SECRET}'\n".encode(),
        make_recording("vp8")[2000:],
        make_recording("h264")[1500:],
        make_recording("h264", live=False)[:3000],
    ],
    ids=[
        "empty", "byte", "zeros", "text", "png", "gif", "playlist", "remote-playlist", "concat",
        "webm-without-beginning", "mp4-without-beginning", "mp4-without-index",
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["video", "audio"])
def test_what_is_no_film_is_rejected_in_plain_words(
    tmp_path: Path, data: bytes, kind: Kind
) -> None:
    with pytest.raises(RejectedError) as rejected:
        work(data, tmp_path, Step.PROBE, Step.REMUX, kind=kind)
    assert rejected.value.detail.startswith(("This is no video", "The file is", "There is no"))


def test_a_header_without_anything_behind_it_is_rejected(tmp_path: Path) -> None:
    data = make_recording("h264")
    with pytest.raises(RejectedError, match="no picture and no sound"):
        work(data[: data.index(b"moof") - 4], tmp_path, *Step)
    assert list((tmp_path / "results").iterdir()) == []


def test_pictures_larger_than_allowed_are_rejected_before_they_are_decoded(tmp_path: Path) -> None:
    with pytest.raises(RejectedError, match=r"160 x 120 are more than the allowed 0.01 million"):
        work(make_recording(), tmp_path, Step.PROBE, max_pixels=10_000)
