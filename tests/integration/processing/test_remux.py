"""Recordings are put into a container that can be sought in, and what was lost is told."""

import random
import re
import resource
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import av
import pytest

from mediatheque.domain.processing import Step
from mediatheque.processing.steps import process
from mediatheque.processing.tasks import Task
from tests.support.films import FPS, Codec, Container, chunks, make_recording
from tests.support.worked import boxes, elements, play, work

SECONDS = 6.0


@pytest.mark.parametrize("codec", ["vp8", "vp9", "av1", "opus"])
def test_what_webm_takes_becomes_webm_with_its_cues_in_front(tmp_path: Path, codec: Codec) -> None:
    worked = work(make_recording(codec), tmp_path, Step.REMUX)
    made = worked.path("processed.webm")
    order = elements(made.read_bytes())
    assert order.index("Cues") < order.index("Cluster")
    played = play(made)
    assert played.duration == pytest.approx(2.0, abs=0.03)
    assert played.middle <= 1.0
    assert played.frames == (101 if codec == "opus" else 2 * FPS)


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts"])
def test_h264_becomes_mp4_with_its_index_in_front(tmp_path: Path, container: Container) -> None:
    data = make_recording("h264", container=container)
    made = work(data, tmp_path, Step.REMUX).path("processed.mp4")
    order = boxes(made.read_bytes())
    assert order.index("moov") < order.index("mdat")
    assert "moof" not in order
    played = play(made)
    assert played.duration == pytest.approx(2.0, abs=0.1)
    assert played.frames == 2 * FPS


def test_vp9_stays_in_mp4(tmp_path: Path) -> None:
    worked = work(make_recording("vp9", container="mp4"), tmp_path, Step.REMUX)
    assert worked.files == {"processed.mp4"}


def test_the_packets_are_the_same(tmp_path: Path) -> None:
    data = make_recording("vp8")
    made = work(data, tmp_path, Step.REMUX).path("processed.webm")

    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as film:
            return [bytes(packet) for packet in film.demux(film.streams.video[0]) if packet.size]

    assert packets(made) == packets(tmp_path / "in.bin")


def test_other_codecs_become_matroska(tmp_path: Path) -> None:
    source = tmp_path / "source.avi"
    with av.open(str(source), "w") as out:
        stream = out.add_stream("ffv1", rate=FPS)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(10):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    made = work(source.read_bytes(), tmp_path, Step.REMUX).path("processed.mkv")
    order = elements(made.read_bytes())
    assert order.index("Cues") < order.index("Cluster")
    assert play(made).frames == 10


def test_what_no_container_takes_is_kept_and_said_so(tmp_path: Path) -> None:
    source = tmp_path / "source.mov"
    with av.open(str(source), "w") as out:
        stream = out.add_stream("qtrle", rate=FPS)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb24"
        frame = av.VideoFrame(64, 48, "rgb24")
        frame.pts = 0
        out.mux([*stream.encode(frame), *stream.encode(None)])
    worked = work(source.read_bytes(), tmp_path, Step.PROBE, Step.REMUX, Step.THUMBNAIL)
    assert worked.files == {"thumbnail.jpg", "thumbnail.webp"}
    assert "kept as it was received" in worked.processed.failures[Step.REMUX]


@pytest.fixture
def little_room() -> Iterator[None]:
    """Let no file become larger than 20 kB, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    source = tmp_path / "written.bin"
    source.write_bytes(make_recording())
    return source


def test_a_copy_that_cannot_be_written_does_not_end_the_measuring(
    tmp_path: Path, written: Path, little_room: None
) -> None:
    steps = (Step.PROBE, Step.REMUX, Step.THUMBNAIL)
    task = Task(kind="video", steps=steps, max_pixels=50_000_000)
    processed = process(str(written), str(tmp_path), task, lambda _: None)
    assert "could not be written (File too large)" in processed.failures[Step.REMUX]
    assert not (tmp_path / "processed.webm").exists()
    assert processed.files == ("thumbnail.jpg", "thumbnail.webp")
    assert processed.meta["duration"] == pytest.approx(2.0, abs=0.03)


def recording(codec: Codec) -> list[bytes]:
    """Return a recording's pieces: its header with the beginning, then clusters or fragments."""
    data = make_recording(codec, SECONDS)
    mark, before = (b"moof", 4) if codec == "h264" else (b"\x1f\x43\xb6\x75", 0)
    starts, at = [], data.find(mark)
    while at != -1:
        starts.append(at - before)
        at = data.find(mark, at + 1)
    cuts = [0, *starts[1:], len(data)]
    return [data[start:end] for start, end in pairwise(cuts)]


@pytest.mark.parametrize("codec", ["vp8", "vp9", "opus", "h264"])
def test_a_piece_that_came_twice_is_left_out(tmp_path: Path, codec: Codec) -> None:
    pieces = recording(codec)
    middle = len(pieces) // 2
    doubled = b"".join([*pieces[: middle + 1], *pieces[middle:]])
    worked = work(doubled, tmp_path, Step.REMUX)
    assert "out of order or doubled" in worked.warnings
    made = worked.path("processed.mp4" if codec == "h264" else "processed.webm")
    played = play(made)
    assert played.duration == pytest.approx(SECONDS, abs=0.03)
    assert played.frames == (301 if codec == "opus" else SECONDS * FPS)


@pytest.mark.parametrize("codec", ["vp8", "vp9", "opus", "h264"])
def test_swapped_pieces_are_told(tmp_path: Path, codec: Codec) -> None:
    pieces = recording(codec)
    pieces[2], pieces[3] = pieces[3], pieces[2]
    worked = work(b"".join(pieces), tmp_path, Step.REMUX)
    assert "out of order or doubled" in worked.warnings
    made = worked.path("processed.mp4" if codec == "h264" else "processed.webm")
    assert play(made).duration == pytest.approx(SECONDS, abs=0.03)


@pytest.mark.parametrize("codec", ["vp8", "opus"])
def test_a_lost_piece_leaves_a_gap(tmp_path: Path, codec: Codec) -> None:
    pieces = recording(codec)
    del pieces[4:6]
    worked = work(b"".join(pieces), tmp_path, Step.REMUX)
    [[start, end]] = worked.meta["gaps"]
    assert 0.7 < end - start < 1.5
    assert f"Nothing was recorded from {start:.1f} s to {end:.1f} s" in worked.warnings
    assert play(worked.path("processed.webm")).duration == pytest.approx(SECONDS, abs=0.03)


@pytest.mark.parametrize(
    ("codec", "piece", "before"), [("vp8", rb"\x1f\x43\xb6\x75", 0), ("h264", b"moof", 4)]
)
def test_a_lost_beginning_is_told(tmp_path: Path, codec: Codec, piece: bytes, before: int) -> None:
    data = make_recording(codec, SECONDS)
    begins = [found.start() - before for found in re.finditer(piece, data)]
    worked = work(data[: begins[0]] + data[begins[3] :], tmp_path, Step.REMUX)
    lost = SECONDS - worked.meta["duration"]
    assert f"It begins at {lost:.1f} s" in worked.warnings


def test_a_second_recording_behind_the_first_is_kept(tmp_path: Path) -> None:
    worked = work(make_recording("vp8", SECONDS) * 2, tmp_path, Step.REMUX)
    assert "The recording begins anew at 6.0 s" in worked.warnings
    played = play(worked.path("processed.webm"))
    assert played.duration == pytest.approx(2 * SECONDS, abs=0.05)
    assert played.frames == 2 * SECONDS * FPS


@pytest.mark.parametrize("codec", ["vp8", "vp9", "opus", "h264"])
def test_a_recording_that_breaks_off_plays_to_there(tmp_path: Path, codec: Codec) -> None:
    data = make_recording(codec, SECONDS)
    worked = work(data[: len(data) * 6 // 10 + 3], tmp_path, Step.REMUX)
    assert "is missing" in worked.warnings or "is lost" in worked.warnings
    made = worked.path("processed.mp4" if codec == "h264" else "processed.webm")
    played = play(made)
    assert 2.5 < played.duration < 4.2
    assert played.duration == pytest.approx(worked.meta["duration"], abs=0.03)


def test_of_a_fragment_that_breaks_off_everything_is_kept_that_arrived(tmp_path: Path) -> None:
    """Its sound lies behind its picture, so that libav ends at the first sound that is missing."""
    data = make_recording("h264", SECONDS)
    last = data.rindex(b"moof")
    cut = data[: last + (len(data) - last) // 2]
    worked = work(cut, tmp_path, Step.REMUX)
    with av.open(str(tmp_path / "in.bin")) as film:
        plain = sum(packet.size > 0 for packet in film.demux(film.streams.video[0]))
        together = sum(p.size > 0 for p in film.demux() if p.stream.type == "video")
    assert worked.meta["video"]["frames"] == plain > together
    assert "its end is missing" in worked.warnings


def test_a_damaged_place_is_told(tmp_path: Path) -> None:
    data = make_recording("vp8", SECONDS)
    middle = len(data) // 2
    noise = random.Random(1).randbytes(4096)
    worked = work(data[:middle] + noise + data[middle + 4096 :], tmp_path, Step.REMUX)
    assert "damaged" in worked.warnings
    assert play(worked.path("processed.webm")).duration == pytest.approx(SECONDS, abs=0.05)


def test_what_claims_to_be_longer_than_the_file_is_no_missing_end(tmp_path: Path) -> None:
    data = bytearray(make_recording("vp8", SECONDS))
    for cluster in re.finditer(rb"\x1f\x43\xb6\x75", bytes(data)):
        data[cluster.end() : cluster.end() + 2] = b"\x7f\xff"  # unknown, as browsers write it
    block = data.index(b"\xa3", len(data) // 2)
    data[block : block + 5] = b"\xa3\x1f\xff\xff\xf0"  # 268 MB
    worked = work(bytes(data), tmp_path, Step.REMUX)
    assert "damaged in the middle" in worked.warnings
    assert "its end is missing" not in worked.warnings
    assert play(worked.path("processed.webm")).duration == pytest.approx(SECONDS, abs=0.05)


def test_an_mp4_whose_end_is_cut_off_tells_how_much_is_there(tmp_path: Path) -> None:
    whole = work(make_recording("h264", SECONDS, live=False), tmp_path, Step.REMUX)
    data = whole.path("processed.mp4").read_bytes()
    cut = tmp_path / "cut"
    cut.mkdir()
    worked = work(data[: len(data) // 2], cut, Step.PROBE)
    assert "The end is missing: of 6 s only" in worked.warnings


def test_chunks_cut_anywhere_join_to_the_same_film(tmp_path: Path) -> None:
    data = make_recording("vp8", SECONDS)
    assert b"".join(chunks(data, 11)) == data
    assert "warnings" not in work(b"".join(chunks(data, 11)), tmp_path, Step.REMUX).meta
