"""Errors carry a kind and a sentence, and know nothing of HTTP."""

import pytest

from mediatheque.domain import errors
from mediatheque.domain.errors import Kind, MediathequeError

CLASSES = MediathequeError.__subclasses__()


def test_every_kind_has_exactly_one_error() -> None:
    assert sorted(one.kind for one in CLASSES) == sorted(Kind)


@pytest.mark.parametrize("one", CLASSES, ids=lambda one: one.kind)
def test_an_error_says_what_happened_and_where(one: type[MediathequeError]) -> None:
    error = one("The name is empty.", field="name")

    assert str(error) == error.detail == "The name is empty."
    assert error.field == "name"
    assert one("x").field is None
    assert one.__doc__
    assert one.__name__ in vars(errors)
