"""What an operator is told of a sandbox that is not whole."""

import pytest

from mediatheque.processing.sandbox import Protection


@pytest.mark.parametrize(
    ("protection", "missing"),
    [
        (Protection(landlock=0, seccomp=True), "no Landlock for"),
        (Protection(landlock=7, seccomp=False), "no filter of system calls for"),
        (Protection(landlock=0, seccomp=False), "neither Landlock nor a filter of"),
    ],
)
def test_what_is_missing_is_told(protection: Protection, missing: str) -> None:
    assert protection.warning is not None
    assert missing in protection.warning
    assert Protection(landlock=1, seccomp=True).warning is None
