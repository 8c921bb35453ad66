"""Films in segments for HTTP live streaming."""

import re
from pathlib import Path

import av
import pytest

from mediatheque.domain.processing import Step
from tests.support.films import FPS, Codec, make_recording
from tests.support.worked import boxes, play, work

FILES = {"master.m3u8", "index.m3u8", "seg.m4s"}


@pytest.mark.parametrize(
    ("codec", "codecs"),
    [("h264", r"avc1\.\w+,opus"), ("vp9", r"vp09\.[\d.]+,opus"), ("opus", "opus")],
)
def test_a_film_is_cut_into_segments_of_one_file(tmp_path: Path, codec: Codec, codecs: str) -> None:
    worked = work(make_recording(codec, 14.0), tmp_path, Step.HLS)
    assert worked.files == FILES
    master = worked.path("master.m3u8").read_text()
    assert re.search(f'CODECS="{codecs}"', master)
    assert master.rstrip().endswith("\nindex.m3u8")
    index = worked.path("index.m3u8").read_text()
    assert index.rstrip().endswith("#EXT-X-ENDLIST")
    assert set(re.findall(r"^[^#\n].*|(?<=URI=\").*?(?=\")", index, re.M)) == {"seg.m4s"}
    lengths = [float(length) for length in re.findall(r"#EXTINF:([\d.]+)", index)]
    assert sum(lengths) == pytest.approx(14.0, abs=0.1)
    assert len(lengths) == 3


def test_the_byte_ranges_hold_the_segments(tmp_path: Path) -> None:
    worked = work(make_recording("h264", 14.0), tmp_path, Step.HLS)
    data, index = worked.path("seg.m4s").read_bytes(), worked.path("index.m3u8").read_text()
    [(size, start)] = re.findall(r'BYTERANGE="(\d+)@(\d+)"', index)
    head = data[int(start) : int(start) + int(size)]
    assert boxes(head) == ["ftyp", "moov"]
    ranges = re.findall(r"#EXT-X-BYTERANGE:(\d+)@(\d+)", index)
    segments = [data[int(start) : int(start) + int(size)] for size, start in ranges]
    assert all("moof" in boxes(segment) for segment in segments)
    assert head + b"".join(segments) == data


def test_the_playlists_play(tmp_path: Path) -> None:
    worked = work(make_recording("h264", 8.0), tmp_path, Step.HLS)
    assert play(worked.path("seg.m4s")).frames == 8 * FPS
    with av.open(str(worked.path("index.m3u8"))) as film:
        assert sum(1 for _ in film.decode(video=0)) == 8 * FPS


def test_vp8_is_refused_with_a_sentence(tmp_path: Path) -> None:
    worked = work(make_recording("vp8"), tmp_path, Step.HLS, Step.THUMBNAIL)
    assert worked.files == {"thumbnail.jpg", "thumbnail.webp"}
    assert (
        "recorded as VP8, which players of HLS do not take" in worked.processed.failures[Step.HLS]
    )
