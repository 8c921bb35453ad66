"""The sheet of small pictures for the preview above a time line."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from mediatheque.domain.processing import Step
from mediatheque.processing import sprites
from tests.support.films import Codec, make_recording
from tests.support.worked import Worked, work

CUE = re.compile(r"(\S+) --> (\S+)\nsprite\.webp#xywh=(\d+),(\d+),(\d+),(\d+)\n")


def cues(worked: Worked) -> list[tuple[str, str, tuple[int, int, int, int]]]:
    text = worked.path("sprite.vtt").read_text()
    assert text.startswith("WEBVTT\n\n")
    return [
        (start, end, (int(x), int(y), int(width), int(height)))
        for start, end, x, y, width, height in CUE.findall(text)
    ]


@pytest.mark.parametrize("codec", ["vp8", "vp9", "h264"])
@pytest.mark.parametrize("remuxed", [True, False])
def test_each_second_has_its_tile(tmp_path: Path, codec: Codec, *, remuxed: bool) -> None:
    steps = (Step.REMUX, Step.SPRITE) if remuxed else (Step.SPRITE,)
    found = cues(work(make_recording(codec, 4.0), tmp_path, *steps))
    assert [cue[2] for cue in found] == [(160 * n, 0, 160, 120) for n in range(4)]
    assert [start[:8] for start, _, _ in found] == [f"00:00:0{n}" for n in range(4)]
    assert all(one[1] == two[0] for one, two in pairwise(found))


def test_the_tiles_show_different_moments(tmp_path: Path) -> None:
    worked = work(make_recording("vp8", 4.0), tmp_path, Step.SPRITE)
    with Image.open(worked.path("sprite.webp")) as sheet:
        assert sheet.size == (640, 120)
        boxes = [(x, y, x + w, y + h) for _, _, (x, y, w, h) in cues(worked)]
        assert len({sheet.crop(box).tobytes() for box in boxes}) == 4


def test_tiles_fill_rows_and_are_never_more_than_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sprites, "MOST_TILES", 3)
    monkeypatch.setattr(sprites, "COLUMNS", 2)
    worked = work(make_recording("vp8", 6.0), tmp_path, Step.SPRITE)
    assert [cue[2][:2] for cue in cues(worked)] == [(0, 0), (160, 0), (0, 120)]
    with Image.open(worked.path("sprite.webp")) as sheet:
        assert sheet.size == (320, 240)


def test_seconds_without_a_key_frame_of_their_own_share_a_tile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two tiles are due in each second, of which each has one key frame.
    monkeypatch.setattr(sprites, "_SECONDS_A_TILE", 0.5)
    places = [cue[2][0] for cue in cues(work(make_recording("vp8", 2.0), tmp_path, Step.SPRITE))]
    assert places == [0, 0, 160, 160]


def test_a_short_film_has_one_tile(tmp_path: Path) -> None:
    worked = work(make_recording("vp8", 0.4), tmp_path, Step.SPRITE)
    assert len(cues(worked)) == 1


def test_tiles_of_an_upright_film_are_not_too_high(tmp_path: Path) -> None:
    data = make_recording("vp8", 0.2, size=(64, 480))
    [(_, _, box)] = cues(work(data, tmp_path, Step.SPRITE))
    assert box == (0, 0, 43, 320)
