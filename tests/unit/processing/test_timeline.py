"""Where packets are placed in a film's time, and which holes they leave."""

import io
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import pytest
from av.packet import Packet

from mediatheque.processing.timeline import Span, Track, merged, shared
from tests.support.films import make_recording

STEP = 40
"""Milliseconds of one packet; WebM counts in milliseconds."""


@pytest.fixture
def track() -> Iterator[Track]:
    with av.open(io.BytesIO(make_recording("opus", 0.2))) as film:
        yield Track(film.streams.audio[0], start=0.0, strict=False)


def packet(time: int | None, *, pts: int | None = None, duration: int = STEP) -> "Packet[Any]":
    made: Packet[Any] = Packet(b"x")
    made.dts, made.pts = time, time if pts is None else pts
    made.duration, made.time_base = duration, Fraction(1, 1000)
    return made


def placed(track: Track, *times: int) -> list[int]:
    """Place a packet for each time; returns the times of those that were kept."""
    packets = [packet(time) for time in times]
    kept = [each.dts for each in packets if track.place(each)]
    return [time for time in kept if time is not None]


def test_times_that_go_forward_are_kept(track: Track) -> None:
    assert placed(track, 0, 40, 80) == [0, 40, 80]
    assert (track.packets, track.end, track.holes) == (3, 120, [])


def test_a_piece_that_comes_twice_is_left_out(track: Track) -> None:
    first = list(range(0, 2000, STEP))
    again = list(range(1000, 2000, STEP))
    assert placed(track, *first, *again, 2000) == [*first, 2000]


def test_a_little_jitter_is_moved_behind(track: Track) -> None:
    assert placed(track, 0, 40, 30, 80) == [0, 40, 41, 80]


def test_equal_times_stay_where_the_container_allows_them(track: Track) -> None:
    assert placed(track, 0, 40, 40) == [0, 40, 40]
    strict = Track(track.stream, start=0.0, strict=True)
    assert placed(strict, 0, 40, 40) == [0, 40, 41]


def test_a_hole_in_the_sound_is_seen(track: Track) -> None:
    placed(track, 0, 40, 1000)
    assert track.spans(0.5) == [(0.08, 1.0)]
    assert track.spans(1.0) == []


def test_packets_without_any_time_have_no_place(track: Track) -> None:
    lost = packet(None)
    assert not track.place(lost)
    assert not track.starts_anew(lost)


def test_a_packet_without_a_decoding_time_follows_the_one_before(track: Track) -> None:
    placed(track, 0)
    late = packet(None, pts=200)
    assert track.place(late)
    assert (late.dts, late.pts) == (1, 200)


def test_nothing_is_shown_before_it_is_decoded(track: Track) -> None:
    wrong = packet(80, pts=40)
    assert track.place(wrong)
    assert (wrong.dts, wrong.pts) == (80, 80)


def test_the_film_begins_where_its_first_packet_does(track: Track) -> None:
    late = Track(track.stream, start=10.0, strict=False)
    assert placed(late, 10_000, 10_040) == [0, 40]


@pytest.mark.parametrize(
    ("seen", "back_to", "anew"),
    [
        (range(0, 8000, STEP), 0, True),
        (range(0, 1000, STEP), 0, False),
        (range(0, 8000, STEP), 7000, False),
        (range(3000, 4000, STEP), 0, True),
    ],
    ids=["after-a-while", "first-piece-twice", "piece-twice", "before-all-seen"],
)
def test_a_second_recording_is_told_from_a_piece_that_comes_twice(
    track: Track, seen: range, back_to: int, *, anew: bool
) -> None:
    placed(track, *seen)
    back = packet(back_to)
    assert not track.place(back)
    assert track.starts_anew(back) is anew


def test_a_second_recording_is_put_behind_the_first(track: Track) -> None:
    placed(track, *range(0, 8000, STEP))
    back = packet(0)
    assert not track.place(back)
    track.follow(back, 8.0)
    assert placed(track, 0, 40) == [8000, 8040]
    assert track.end == 8080


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ([(0, 2)], [(1, 3)], [(1, 2)]),
        ([(0, 1)], [(2, 3)], []),
        ([(0, 10)], [(1, 2), (3, 4)], [(1, 2), (3, 4)]),
        ([], [(1, 2)], []),
    ],
)
def test_shared_times_lie_in_both(one: list[Span], other: list[Span], both: list[Span]) -> None:
    assert shared(one, other) == both
    assert shared(other, one) == both


def test_merged_times_do_not_overlap() -> None:
    assert merged([(5, 6), (0, 2), (1, 3), (3, 4)]) == [(0, 4), (5, 6)]
