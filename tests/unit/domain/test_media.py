"""What can be a name, a project and a size, and when two contents are the same."""

from datetime import UTC, datetime

import pytest

from mediatheque.domain.errors import InvalidError
from mediatheque.domain.ids import new_id
from mediatheque.domain.media import (
    LISTED_FIELDS,
    MAX_NAME_LENGTH,
    MAX_PROJECT_LENGTH,
    Media,
    check_name,
    check_project,
    check_size,
)


def media(*, crc64nvme: str | None = None, blake3: str | None = None) -> Media:
    now = datetime.now(UTC)
    return Media(
        id=new_id(),
        resource="clip.mov",
        key="",
        filename="clip.mov",
        size=3,
        mime_type="video/quicktime",
        created_by="local",
        created_role="operator",
        public=False,
        project_id=None,
        created_at=now,
        updated_at=now,
        crc64nvme=crc64nvme,
        blake3=blake3,
        object_key="originals/x/clip.mov",
    )


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "clip.mov",
        "..clip",
        "...",
        "-rf",
        "C:\\clip",
        "100% of _it_",
        "'; DROP TABLE medias; --",
        "日本語.mp4",
        "👩‍🚀.heic",
        "\u202egnp.exe",
        "é" * MAX_NAME_LENGTH,
    ],
)
def test_any_script_and_sign_can_be_in_a_name(name: str) -> None:
    assert check_name(name, field="name") == name


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "empty"),
        (" \u3000", "empty"),
        (".", "'.' or '..'"),
        ("..", "'.' or '..'"),
        ("a/b", "'/'"),
        ("../etc/passwd", "'/'"),
        ("a\0b", "control"),
        ("a\nb", "control"),
        ("a\x85b", "control"),
        ("a\ud83d", "control"),
        ("x" * (MAX_NAME_LENGTH + 1), "256 characters; at most 255"),
    ],
)
def test_what_cannot_be_a_name_is_refused_with_the_reason(name: str, says: str) -> None:
    with pytest.raises(InvalidError, match=says) as refused:
        check_name(name, field="resource")

    assert refused.value.field == "resource"
    assert "resource" in refused.value.detail


def test_no_project_and_the_empty_one_are_the_same() -> None:
    assert check_project(None) is None
    assert check_project("") is None
    assert check_project("p" * MAX_PROJECT_LENGTH) == "p" * MAX_PROJECT_LENGTH


@pytest.mark.parametrize("project", ["p" * (MAX_PROJECT_LENGTH + 1), "a\0", "\ud800"])
def test_what_cannot_be_a_project_is_refused(project: str) -> None:
    with pytest.raises(InvalidError) as refused:
        check_project(project)

    assert refused.value.field == "project_id"


def test_a_size_is_from_nothing_to_the_limit() -> None:
    assert check_size(0, limit=10) == 0
    assert check_size(10, limit=10) == 10
    for size in (-1, 11):
        with pytest.raises(InvalidError) as refused:
            check_size(size, limit=10)
        assert refused.value.field == "size"


@pytest.mark.parametrize(
    ("known", "other", "same"),
    [
        ({"blake3": "b"}, {"blake3": "b", "crc64nvme": None}, True),
        ({"blake3": "b"}, {"blake3": "c", "crc64nvme": None}, False),
        ({"crc64nvme": "c"}, {"blake3": "b", "crc64nvme": "c"}, True),
        ({"crc64nvme": "c"}, {"blake3": "b", "crc64nvme": "d"}, False),
        ({"crc64nvme": "c", "blake3": "b"}, {"blake3": "x", "crc64nvme": "c"}, False),
        ({"blake3": "b"}, {"blake3": None, "crc64nvme": "c"}, False),
        ({}, {"blake3": None, "crc64nvme": None}, False),
    ],
)
def test_bytes_are_the_same_by_the_best_checksum_that_both_have(
    known: dict[str, str], other: dict[str, str | None], same: bool
) -> None:
    assert media(**known).same_bytes(size=3, **other) is same
    assert not media(**known).same_bytes(size=4, **other)


def test_the_etag_is_strong_quoted_and_of_this_media_alone() -> None:
    first, second = media(), media()

    assert first.etag == f'"{first.id.hex}"'
    assert first.etag != second.etag


def test_every_listed_field_is_one_of_a_media() -> None:
    assert all(hasattr(media(), name) for name in LISTED_FIELDS)
