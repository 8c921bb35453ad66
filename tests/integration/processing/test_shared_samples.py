"""Real and hostile files, where a folder of them stands beside the checkout."""

import os
import random
from pathlib import Path

import pytest

from mediatheque.domain.processing import RECORDING_STEPS, Step, media_kind
from mediatheque.processing.sniff import HEAD_BYTES, sniff
from mediatheque.processing.tasks import RejectedError
from tests.support.worked import Played, Worked, boxes, elements, play, work

SAMPLES = Path(
    os.environ.get("MEDIATHEQUE_SAMPLES") or Path(__file__).parents[4] / "shared" / "samples"
)
SECONDS = {"vp8_480p": 12.01, "vp9_720p": 9.0, "audio_opus": 6.0, "h264_opus_mp4": 8.0}
REJECTED = {"bad_block.mkv", "decompression_bomb.gif", "malformed_sei.m4s", "truncated64.mp4"}
BROKEN = {"truncated.png"}
KEPT_AS_IT_IS = {"qtrle.mov"}

files = sorted(path for path in SAMPLES.glob("*.*") if path.is_file())


def processed(data: bytes, folder: Path) -> Worked:
    kind = media_kind(sniff(data[:HEAD_BYTES], "in.bin"))
    return work(data, folder, *Step, kind=kind or "video")


if files:

    @pytest.mark.parametrize(
        "file", [f for f in files if f.name in REJECTED], ids=lambda file: file.name
    )
    def test_hostile_and_hopeless_files_are_rejected(file: Path, tmp_path: Path) -> None:
        with pytest.raises(RejectedError):
            processed(file.read_bytes(), tmp_path)
        assert list((tmp_path / "results").iterdir()) == []

    @pytest.mark.parametrize(
        "file", [f for f in files if f.name not in REJECTED | BROKEN], ids=lambda file: file.name
    )
    def test_real_files_are_understood(file: Path, tmp_path: Path) -> None:
        worked = processed(file.read_bytes(), tmp_path)
        assert "warnings" not in worked.meta
        if worked.meta["kind"] != "audio":
            assert {"thumbnail.jpg", "thumbnail.webp"} <= worked.files
        if worked.meta["kind"] == "image":
            assert worked.meta["image"]["width"] > 100
        elif file.name in KEPT_AS_IT_IS:
            assert set(worked.processed.failures) == {Step.REMUX, Step.HLS}
        else:
            [playable] = (name for name in worked.files if name.startswith("processed"))
            played = play(worked.path(playable))
            assert played.duration == pytest.approx(worked.meta["duration"], abs=0.03)
            assert played.middle <= played.duration / 2 + 0.05

    @pytest.mark.parametrize(
        "file", [f for f in files if f.name in BROKEN], ids=lambda file: file.name
    )
    def test_broken_pictures_are_known_and_told(file: Path, tmp_path: Path) -> None:
        assert "damaged or incomplete" in processed(file.read_bytes(), tmp_path).warnings


recordings = sorted(SAMPLES.glob("recordings/*.chunks"))


def recorded(name: Path, folder: Path, pieces: list[bytes]) -> tuple[Worked, Played]:
    """Process a recording's pieces; its playable file must be complete and open to seeking."""
    worked = work(b"".join(pieces), folder, *RECORDING_STEPS)
    assert worked.processed.failures == {}
    if name.stem == "h264_opus_mp4":
        made = worked.path("processed.mp4")
        order = boxes(made.read_bytes())
        assert order.index("moov") < order.index("mdat")
    else:
        made = worked.path("processed.webm")
        order = elements(made.read_bytes())
        assert order.index("Cues") < order.index("Cluster")
    played = play(made)
    assert played.duration == pytest.approx(worked.meta["duration"], abs=0.03)
    assert played.middle <= played.duration / 2 + 0.05
    assert ("thumbnail.jpg" in worked.files) is (worked.meta["kind"] == "video")
    return worked, played


if recordings:
    each = pytest.mark.parametrize("name", recordings, ids=lambda path: path.stem)

    def pieces_of(name: Path) -> list[bytes]:
        return [path.read_bytes() for path in sorted(name.iterdir())]

    @each
    def test_a_recording_in_order_is_whole(name: Path, tmp_path: Path) -> None:
        worked, played = recorded(name, tmp_path, pieces_of(name))
        assert played.duration == pytest.approx(SECONDS[name.stem], abs=0.02)
        assert not {"warnings", "gaps"} & set(worked.meta)
        assert worked.meta["coverage"] > 0.99

    @each
    def test_a_piece_that_came_twice_is_left_out(name: Path, tmp_path: Path) -> None:
        pieces = pieces_of(name)
        # The last full one of the fragmented MP4 stands for the middle ones.
        at = 2 if name.stem == "h264_opus_mp4" else len(pieces) // 2
        worked, played = recorded(name, tmp_path, [*pieces[: at + 1], *pieces[at:]])
        assert "out of order or doubled" in worked.warnings
        assert played.duration == pytest.approx(SECONDS[name.stem], abs=0.02)
        frames = {"vp8_480p": 252, "vp9_720p": 263, "audio_opus": 100, "h264_opus_mp4": 240}
        assert played.frames == frames[name.stem]

    @each
    def test_swapped_pieces_are_told(name: Path, tmp_path: Path) -> None:
        pieces = pieces_of(name)
        at = 1 if name.stem == "h264_opus_mp4" else len(pieces) // 2
        pieces[at], pieces[at + 1] = pieces[at + 1], pieces[at]
        worked, played = recorded(name, tmp_path, pieces)
        assert "out of order" in worked.warnings or "begins anew" in worked.warnings
        assert played.duration == pytest.approx(SECONDS[name.stem], abs=0.02)

    @pytest.mark.parametrize(
        "name", [r for r in recordings if r.stem != "h264_opus_mp4"], ids=lambda path: path.stem
    )
    def test_a_lost_piece_leaves_a_gap(name: Path, tmp_path: Path) -> None:
        pieces = pieces_of(name)
        del pieces[len(pieces) // 2]
        worked, played = recorded(name, tmp_path, pieces)
        assert "a piece may have been lost" in worked.warnings
        [[start, end]] = worked.meta["gaps"]
        assert 0 < start < end < played.duration
        assert played.duration == pytest.approx(SECONDS[name.stem], abs=0.02)

    @each
    def test_a_recording_that_breaks_off_plays_to_there(name: Path, tmp_path: Path) -> None:
        data = b"".join(pieces_of(name))
        worked, played = recorded(name, tmp_path, [data[: len(data) * 6 // 10 + 3]])
        assert "is missing" in worked.warnings or "is lost" in worked.warnings
        assert 0.3 < played.duration / SECONDS[name.stem] < 0.8

    @each
    def test_without_its_first_piece_there_is_no_recording(name: Path, tmp_path: Path) -> None:
        with pytest.raises(RejectedError, match="its beginning is missing"):
            work(b"".join(pieces_of(name)[1:]), tmp_path, *RECORDING_STEPS)

    @each
    def test_damage_in_the_middle_is_survived(name: Path, tmp_path: Path) -> None:
        data = b"".join(pieces_of(name))
        middle, noise = len(data) // 2, random.Random(1).randbytes(4096)
        recorded(name, tmp_path, [data[:middle], noise, data[middle + 4096 :]])
