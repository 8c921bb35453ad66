"""All steps of one media together."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from mediatheque.domain.processing import DERIVED, RECORDING_STEPS, Step
from mediatheque.processing import steps
from mediatheque.processing.frames import key_frame
from tests.support.films import Codec, make_recording
from tests.support.worked import work


@pytest.mark.parametrize(
    ("codec", "playable"),
    [("vp8", "processed.webm"), ("vp9", "processed.webm"), ("h264", "processed.mp4")],
)
def test_a_recording_gets_all_that_is_made_of_recordings(
    tmp_path: Path, codec: Codec, playable: str
) -> None:
    worked = work(make_recording(codec), tmp_path, *RECORDING_STEPS)
    assert worked.files == {
        playable,
        "thumbnail.jpg",
        "thumbnail.webp",
        "sprite.webp",
        "sprite.vtt",
        "waveform.json",
    }
    assert worked.processed.failures == {}


def test_recorded_sound_gets_a_waveform_and_no_pictures(tmp_path: Path) -> None:
    worked = work(make_recording("opus"), tmp_path, *RECORDING_STEPS, kind="audio")
    assert worked.files == {"processed.webm", "waveform.json"}
    assert worked.processed.failures == {}


def test_a_picture_has_nothing_to_be_remuxed(tmp_path: Path) -> None:
    source = work(make_recording(), tmp_path, Step.THUMBNAIL).path("thumbnail.webp")
    folder = tmp_path / "picture"
    folder.mkdir()
    worked = work(source.read_bytes(), folder, *Step, kind="image")
    assert worked.files == {"thumbnail.jpg", "thumbnail.webp"}
    assert worked.processed.failures == {}


def test_everything_that_is_made_has_a_known_name(tmp_path: Path) -> None:
    worked = work(make_recording("h264"), tmp_path, *Step)
    assert worked.files < set(DERIVED)
    assert len(worked.files) == 9


def test_progress_goes_from_nothing_to_one(tmp_path: Path) -> None:
    reports = work(make_recording("h264", 6.0), tmp_path, *Step).reports
    assert reports[-1] == 1.0
    assert len(reports) > 10
    assert all(0 <= one <= two <= 1 for one, two in pairwise(reports))


def test_what_is_known_can_be_written_as_json(tmp_path: Path) -> None:
    meta = work(make_recording(), tmp_path, *Step).meta
    assert json.loads(json.dumps(meta, allow_nan=False)) == meta


def test_a_step_that_fails_does_not_keep_the_others_from_being_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> tuple[str, ...]:
        raise ValueError("a decoder stumbled")

    monkeypatch.setattr(steps, "make_thumbnails", broken)
    worked = work(make_recording(), tmp_path, *RECORDING_STEPS)
    assert worked.processed.failures == {
        Step.THUMBNAIL: "It could not be made (a decoder stumbled)."
    }
    assert {"processed.webm", "sprite.webp", "waveform.json"} < worked.files


def test_pictures_that_cannot_be_decoded_fail_their_steps_and_are_told(tmp_path: Path) -> None:
    data = bytearray(make_recording("vp8"))
    # The three bytes that begin every key frame of VP8 (RFC 6386, 9.1).
    while (at := data.find(b"\x9d\x01\x2a")) != -1:
        data[at : at + 3] = b"\0\0\0"
    worked = work(bytes(data), tmp_path, *RECORDING_STEPS)
    assert "The picture cannot be shown." in worked.warnings
    assert set(worked.processed.failures) == {Step.THUMBNAIL, Step.SPRITE}
    assert worked.files == {"processed.webm", "waveform.json"}


def test_warming_up_touches_nothing_that_needs_a_file() -> None:
    steps.warm_up()
    steps.warm_up()
    assert key_frame.__name__ == "key_frame"
