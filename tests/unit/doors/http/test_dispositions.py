"""File names that requests give in Content-Disposition (RFC 6266)."""

import pytest

from mediatheque.doors.http.dispositions import header_filename


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('inline; filename="a b.jpg"', "a b.jpg"),
        ("attachment; filename=a.jpg", "a.jpg"),
        ("inline; filename=\"a.jpg\"; filename*=UTF-8''%C3%A9.jpg", "é.jpg"),
        ("inline; filename*=utf-8'de'%C3%A9.jpg; filename=\"a.jpg\"", "é.jpg"),
        ("inline; filename*=iso-8859-1''%E9.jpg", "é.jpg"),
        ("inline; filename*=utf-7''x; filename=a.jpg", "a.jpg"),
        ('inline; filename="../../etc/passwd"', "passwd"),
        ('inline; filename="C:\\\\folder\\\\a.jpg"', "a.jpg"),
        ("inline; title=\"; filename*=UTF-8''no.jpg\"", None),
        ("inline", None),
        ("", None),
        (";;;", None),
        (None, None),
    ],
)
def test_the_name_that_is_given(disposition: str | None, name: str | None) -> None:
    assert header_filename(disposition) == name
