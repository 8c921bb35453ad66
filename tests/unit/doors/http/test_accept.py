"""What a client would rather have."""

import pytest

from mediatheque.doors.http.accept import prefers

KINDS = ("video/", "audio/", "application/octet-stream")
# What a Firefox sends for the source of a video.
FIREFOX = "video/webm,video/ogg,video/*;q=0.9,application/ogg;q=0.7,audio/*;q=0.6,*/*;q=0.5"
NAVIGATION = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    "accept",
    [
        "video/*",
        "video/webm",
        "VIDEO/WebM",
        "audio/*",
        "application/octet-stream",
        "video/*, application/json;q=0.5",
        "video/*;q=0.2, application/json;q=0.1",
        "application/json ; q=0 , audio/mp4;q=0.001",
        "video/*, */*",
        "video/webm;codecs=vp9, application/*",
        "*/*, application/json;q=0.1, video/*;q=0.2",
        "nonsense, video/*",
        FIREFOX,
    ],
)
def test_a_kind_that_is_named_and_wanted_more_is_preferred(accept: str) -> None:
    assert prefers(accept, KINDS, over="application/json")


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "",
        "*/*",
        "*/*;q=0.1",
        "application/json",
        "application/*",
        "image/png",
        "video/*;q=0",
        "video/webm, application/json",
        "video/*, application/json",
        "video/*;q=0.4, */*;q=0.5",
        "application/*;q=0.3, video/*;q=0.2, */*;q=0.1",
        "videos/*",
        "/, ;q=1, ,",
        NAVIGATION,
    ],
)
def test_anything_else_is_not(accept: str | None) -> None:
    assert not prefers(accept, KINDS, over="application/json")
