"""MP4 in fragments, as browsers record it, that is damaged in the middle or misses a piece."""

import random
import re
from pathlib import Path

import pytest

from mediatheque.domain.processing import Step
from mediatheque.processing.fragments import mend
from tests.support.films import FPS, make_recording
from tests.support.worked import play, work

SECONDS = 6
FILM = make_recording("h264", float(SECONDS))
FRAGMENTS = [found.start() - 4 for found in re.finditer(b"moof", FILM)]
BEGIN, END = FRAGMENTS[2], FRAGMENTS[3]
MIDDLE = (BEGIN + END) // 2
NOISE = random.Random(1).randbytes(END - BEGIN)


@pytest.mark.parametrize(
    ("damaged", "lost"),
    [
        (FILM[:BEGIN] + NOISE + FILM[END:], 1),
        (FILM[:BEGIN] + bytes(END - BEGIN) + FILM[END:], 1),
        (FILM[:BEGIN] + NOISE[:64] + FILM[BEGIN + 64 :], 1),
        (FILM[:MIDDLE] + NOISE + FILM[MIDDLE + len(NOISE) :], 2),
        (FILM[:MIDDLE] + FILM[MIDDLE + len(NOISE) :], 2),
        (FILM[:MIDDLE] + FILM[MIDDLE + 1000 :], 1),
        (FILM[:BEGIN] + NOISE[:7] + FILM[BEGIN:], 0),
    ],
    ids=[
        "a fragment is noise",
        "a fragment is zeros",
        "its beginning is noise",
        "noise across two",
        "a piece across two is lost",
        "a piece within one is lost",
        "a few bytes too many",
    ],
)
def test_what_comes_behind_the_damage_is_kept(tmp_path: Path, damaged: bytes, lost: int) -> None:
    worked = work(damaged, tmp_path, Step.REMUX)
    assert "damaged in the middle" in worked.warnings
    assert worked.meta["duration"] == pytest.approx(SECONDS, abs=0.05)
    played = play(worked.path("processed.mp4"))
    assert played.duration == pytest.approx(SECONDS, abs=0.1)
    assert (SECONDS - lost) * FPS <= played.frames <= SECONDS * FPS


def test_several_places_are_mended(tmp_path: Path) -> None:
    data = bytearray(FILM)
    for begin in FRAGMENTS[1], FRAGMENTS[4]:
        data[begin : begin + 64] = NOISE[:64]
    worked = work(bytes(data), tmp_path, Step.REMUX)
    assert worked.meta["duration"] == pytest.approx(SECONDS, abs=0.05)
    assert len(worked.meta["gaps"]) == 2


@pytest.mark.parametrize(
    "data",
    [
        FILM,
        FILM[:MIDDLE],
        FILM[:BEGIN] + NOISE,
        make_recording("h264", 2.0, live=False),
        make_recording("h264", 2.0, live=False) + b"moofmoof" * 100,
        make_recording("vp8", 2.0),
        FILM[8:],
        b"ftyp" * 100,
        b"",
    ],
    ids=[
        "whole",
        "cut off",
        "noise to its end",
        "not in fragments",
        "not in fragments, and more behind it",
        "WebM",
        "without its beginning",
        "four letters",
        "empty",
    ],
)
def test_what_needs_nothing_or_cannot_be_helped_is_left_alone(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "film"
    path.write_bytes(data)
    assert mend(path) is None


def test_it_is_read_with_other_headers_wherever_reading_begins(tmp_path: Path) -> None:
    path = tmp_path / "film"
    path.write_bytes(FILM[:BEGIN] + NOISE + FILM[END:])
    mended = mend(path)
    assert mended is not None
    whole = mended.read(len(FILM))
    changed = [at for at in range(len(whole)) if whole[at] != path.read_bytes()[at]]
    assert len(changed) <= 8
    for start in range(changed[0] - 9, changed[-1] + 2):
        for size in (1, 3, 20):
            assert mended.seek(start) == mended.tell() == start
            assert mended.read(size) == whole[start : start + size]
    mended.close()


def test_no_damage_keeps_it_from_its_end(tmp_path: Path) -> None:
    path = tmp_path / "film"
    chance = random.Random(2)
    for _ in range(300):
        data = bytearray(FILM)
        for _ in range(chance.randrange(1, 6)):
            at = chance.choice([chance.randrange(len(data)), chance.choice(FRAGMENTS)])
            noise = chance.choice([chance.randbytes(chance.randrange(1, 40)), b"moof", b"\0" * 8])
            data[at : at + chance.choice([0, len(noise)])] = noise
        path.write_bytes(data)
        mended = mend(path)
        if mended is not None:
            assert len(mended.read(2 * len(data))) == len(data)
            mended.close()
