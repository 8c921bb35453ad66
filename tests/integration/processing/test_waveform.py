"""How loud a sound is over its time."""

import json
from pathlib import Path

import pytest

from mediatheque.domain.processing import Step
from mediatheque.processing import waveform
from tests.support.films import Codec, make_recording
from tests.support.worked import Worked, work


def read(worked: Worked) -> tuple[float, list[float]]:
    body = json.loads(worked.path("waveform.json").read_text())
    assert set(body) == {"duration", "peaks"}
    return body["duration"], body["peaks"]


def levels(peaks: list[float], seconds: float) -> list[float]:
    """Return the mean peak in the middle of each half second, in which the tone does not change."""
    step = len(peaks) / seconds / 2
    spans = [peaks[int((n + 0.2) * step) : int((n + 0.8) * step)] for n in range(int(seconds * 2))]
    return [sum(span) / len(span) for span in spans]


@pytest.mark.parametrize("codec", ["opus", "vp8", "h264"])
@pytest.mark.parametrize("remuxed", [True, False])
def test_the_loud_and_the_quiet_are_told_apart(
    tmp_path: Path, codec: Codec, *, remuxed: bool
) -> None:
    steps = (Step.REMUX, Step.WAVEFORM) if remuxed else (Step.WAVEFORM,)
    duration, peaks = read(work(make_recording(codec, 4.0), tmp_path, *steps))
    assert duration == pytest.approx(4.0, abs=0.03)
    assert 150 < len(peaks) <= 1000
    assert all(0 <= peak <= 1 for peak in peaks)
    # The tone is at 24,000 and 2,400 of 32,768.
    assert levels(peaks, 4.0) == pytest.approx([0.73, 0.073] * 4, rel=0.15)


def test_a_long_sound_is_decoded_in_portions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waveform, "WHOLE", 2.0)
    monkeypatch.setattr(waveform, "MOST_PEAKS", 40)
    _, peaks = read(work(make_recording("opus", 4.0), tmp_path, Step.WAVEFORM))
    assert len(peaks) == 40
    assert levels(peaks, 4.0) == pytest.approx([0.73, 0.073] * 4, rel=0.25)


def test_a_film_without_sound_has_no_waveform(tmp_path: Path) -> None:
    worked = work(make_recording(audio=False), tmp_path, Step.WAVEFORM)
    assert (worked.files, worked.processed.failures) == (set(), {})
