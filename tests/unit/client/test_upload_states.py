import os
import stat
import time
from pathlib import Path

import pytest

from mediatheque.client import ConflictError
from mediatheque.client.upload_states import (
    PartState,
    StateFile,
    Subject,
    UploadState,
    state_folder,
)


def subject(name: str = "film.mov", *, size: int = 10, modified_ns: int = 1) -> Subject:
    return Subject(
        server="http://127.0.0.1:5000",
        file=f"file:///films/{name}",
        size=size,
        modified_ns=modified_ns,
        metadata="filename ZmlsbS5tb3Y=",
    )


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def saved(about: Subject) -> UploadState:
    """Save a state as a run does that is then killed."""
    state = UploadState(about, [PartState(0, 10, "key of the part")], "key of the whole", ["id"])
    file = StateFile(about)
    file.save(state)
    file.close()
    return state


def loaded(about: Subject) -> UploadState | None:
    file = StateFile(about)
    try:
        return file.load()
    finally:
        file.close()


def test_what_was_saved_last_is_there_in_a_later_run() -> None:
    state = saved(subject())

    assert loaded(subject()) == state
    assert len(list(state_folder().iterdir())) == 1


@pytest.mark.parametrize(
    "other", [subject("other"), subject(size=11), subject(modified_ns=2)], ids=lambda s: s.file
)
def test_another_file_or_a_changed_one_has_no_state(other: Subject) -> None:
    saved(subject())

    assert loaded(other) is None


def test_nothing_is_left_when_an_upload_has_ended() -> None:
    saved(subject())
    ended = StateFile(subject())
    ended.remove()
    ended.close()
    StateFile(subject("never saved")).close()

    assert list(state_folder().iterdir()) == []


def test_only_its_owner_may_look_at_a_state(home: Path) -> None:
    saved(subject())
    (file,) = state_folder().iterdir()

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "mediatheque").stat().st_mode) == 0o700


def test_the_same_upload_runs_once_at_a_time() -> None:
    first = StateFile(subject())
    with pytest.raises(ConflictError, match=r"^/films/film\.mov is being uploaded already"):
        StateFile(subject())
    first.save(UploadState(subject(), [], ""))
    with pytest.raises(ConflictError):
        StateFile(subject())
    StateFile(subject("other")).close()
    first.close()

    StateFile(subject()).close()


@pytest.mark.parametrize("text", [b"{", b"\xff", b'{"parts": []}'])
def test_a_state_that_cannot_be_read_is_none(text: bytes) -> None:
    saved(subject())
    (file,) = state_folder().iterdir()
    file.write_bytes(text)

    assert loaded(subject()) is None


@pytest.mark.parametrize(
    ("about", "parts"),
    [
        (subject(), []),
        (subject(), [(0, 9)]),
        (subject(), [(0, 11)]),
        (subject(), [(1, 10)]),
        (subject(), [(0, 5), (5, 5), (5, 5)]),
        (subject(), [(0, 4), (6, 4)]),
        (subject(), [(0, 0), (0, 10)]),
        (subject("other"), [(0, 10)]),
        (subject(modified_ns=2), [(0, 10)]),
    ],
)
def test_a_state_that_does_not_fit_the_file_is_none(
    about: Subject, parts: list[tuple[int, int]]
) -> None:
    file = StateFile(subject())
    states = [PartState(start, size, "key") for start, size in parts]
    file.save(UploadState(about, states, "key of the whole"))
    file.close()

    assert loaded(subject()) is None


@pytest.mark.parametrize(("part", "whole"), [("", "key"), ("key", "")])
def test_a_state_without_a_key_is_none(part: str, whole: str) -> None:
    file = StateFile(subject())
    file.save(UploadState(subject(), [PartState(0, 10, part)], whole))
    file.close()

    assert loaded(subject()) is None


def test_what_else_lies_there_for_weeks_is_in_nobodys_way() -> None:
    (state_folder() / "folder").mkdir()
    os.utime(state_folder() / "folder", (1, 1))
    StateFile(subject()).close()


def test_what_nobody_has_gone_on_with_for_weeks_is_removed() -> None:
    for name in ("old", "old but under way", "recent"):
        saved(subject(name))
    running = StateFile(subject("old but under way"))
    recent = StateFile(subject("recent"))
    weeks_ago = time.time() - 29 * 86_400
    for file in state_folder().iterdir():
        os.utime(file, (weeks_ago, weeks_ago))
    recent.load()
    recent.close()
    StateFile(subject("another")).close()
    assert len(list(state_folder().iterdir())) == 2
    running.load()
    running.close()

    assert loaded(subject("old")) is None
    assert loaded(subject("recent")) is not None
    assert loaded(subject("old but under way")) is not None


def test_without_a_setting_states_are_below_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", "relative/paths/do/not/count")

    assert state_folder() == tmp_path / ".local" / "state" / "mediatheque" / "uploads"
