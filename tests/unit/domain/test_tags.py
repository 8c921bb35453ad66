"""What can be a tag."""

import pytest

from mediatheque.domain.errors import InvalidError
from mediatheque.domain.tags import MAX_LENGTH, MAX_TAGS, check_tags


def test_tags_are_a_set_in_the_order_given() -> None:
    assert check_tags(["b", "a", "b", "A", "ünïcode 🎬"]) == ("b", "a", "A", "ünïcode 🎬")
    assert check_tags([]) == ()


def test_limits_are_inclusive() -> None:
    longest = "x" * MAX_LENGTH
    most = [str(number) for number in range(MAX_TAGS)]

    assert check_tags([longest]) == (longest,)
    assert len(check_tags([*most, *most])) == MAX_TAGS


@pytest.mark.parametrize(
    "tags",
    [
        [""],
        ["fine", " \t"],
        ["x" * (MAX_LENGTH + 1)],
        ["a,b"],
        ["a\nb"],
        ["a\0b"],
        ["\x7f"],
        ["\ud800"],
        [str(number) for number in range(MAX_TAGS + 1)],
    ],
)
def test_what_cannot_be_a_tag_is_refused_naming_the_field(tags: list[str]) -> None:
    with pytest.raises(InvalidError) as refused:
        check_tags(tags, field="labels")

    assert refused.value.field == "labels"
