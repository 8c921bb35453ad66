"""Where objects are kept: every key is made by us, whatever a client calls its file."""

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediatheque.domain.ids import new_id
from mediatheque.storage import keys

ID = UUID("01a1fd33-f952-75d9-b62d-bbb913599ced")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("clip.mov", "clip.mov"),
        ("My Clip (1).mov", "My_Clip_1_.mov"),
        ("../../etc/passwd", "_.._etc_passwd"),
        (".hidden", "hidden"),
        ("..", "media"),
        ("", "media"),
        ("日本.mp4", "_.mp4"),
        ("a\0b", "a_b"),
        ("x" * 300 + ".mp4", "x" * 96 + ".mp4"),
        ("x" + "." * 100, "media"),
    ],
)
def test_a_name_is_reduced_to_what_every_store_takes(name: str, safe: str) -> None:
    assert keys.safe_name(name) == safe


@given(st.text(st.characters(), max_size=300))
def test_no_name_leads_out_of_its_folder(name: str) -> None:
    made = keys.original(media_id := new_id(), name)

    assert re.fullmatch(rf"originals/{media_id}/[A-Za-z0-9_-][A-Za-z0-9._-]{{0,99}}", made)
    assert keys.owner(made) == media_id


def test_attempts_of_one_upload_lie_beside_each_other() -> None:
    upload_id = new_id()

    assert keys.staging(upload_id, "a") == f"staging/{upload_id}/a"
    assert keys.staging(upload_id, "b").startswith(keys.staging(upload_id, ""))
    assert keys.owner(keys.staging(upload_id, "a")) == upload_id


@pytest.mark.parametrize(
    "key",
    [
        "",
        "backup.tar",
        "originals/backup.tar",
        "originals/not-an-id/clip.mov",
        f"originals/{ID}",
        f"originals/{ID}/a/b",
        f"photos/{ID}/clip.mov",
        f"staging/{ID.hex}/a",
    ],
)
def test_objects_of_other_people_have_no_owner_here(key: str) -> None:
    assert keys.owner(key) is None
