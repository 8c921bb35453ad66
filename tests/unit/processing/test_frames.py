"""Sizes of pictures as they are shown."""

from fractions import Fraction

import pytest

from mediatheque.processing.frames import display_size, within


@pytest.mark.parametrize(
    ("aspect", "rotation", "shown"),
    [
        (None, 0, (720, 576)),
        (Fraction(1), 180, (720, 576)),
        (None, 90, (576, 720)),
        (Fraction(64, 45), 0, (1024, 576)),
        (Fraction(64, 45), 270, (576, 1024)),
        (Fraction(0), 0, (720, 576)),
    ],
)
def test_a_picture_is_shown_turned_and_in_square_pixels(
    aspect: Fraction | None, rotation: int, shown: tuple[int, int]
) -> None:
    assert display_size(720, 576, aspect=aspect, rotation=rotation) == shown


@pytest.mark.parametrize(
    ("size", "fitted"),
    [
        ((1280, 720), (640, 360)),
        ((320, 240), (320, 240)),
        ((720, 5120), (180, 1280)),
        ((100_000, 1), (640, 1)),
    ],
)
def test_a_picture_shrinks_into_a_box_and_never_grows(
    size: tuple[int, int], fitted: tuple[int, int]
) -> None:
    assert within(size, (640, 1280)) == fitted
