"""Judging the answers and the deaths of children that may have been taken over."""

import os
import signal

import msgspec
import pytest

from mediatheque.domain.errors import UnavailableError
from mediatheque.domain.processing import Step
from mediatheque.processing.answers import Done, Progress, Rejected
from mediatheque.processing.rlimits import limits_for
from mediatheque.processing.tasks import Processed, RejectedError
from mediatheque.processing.verdicts import NONSENSE, death, read_answer, sentence

LIMITS = limits_for(10_000_000, 1 << 30)


def test_answers_are_read() -> None:
    done = Done(
        Processed(
            meta={"kind": "video", "note": r"\u0000 as text"},
            files=("thumbnail.jpg",),
            failures={Step.REMUX: "No room."},
        )
    )

    assert read_answer(msgspec.json.encode(done)) == done
    assert read_answer(b'{"type":"Progress","done":0.5}\n') == Progress(0.5)
    assert read_answer(b'{"type":"Rejected","reason":"Garbage."}') == Rejected("Garbage.")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"null",
        b"[]",
        b"\xff\xfe",
        b'{"type":"Progress"}',
        b'{"type":"Progress","done":1.5}',
        b'{"type":"Progress","done":-1}',
        b'{"type":"Progress","done":NaN}',
        b'{"type":"Progress","done":"1"}',
        b'{"type":"Unheard"}',
        b'{"type":"Done","processed":{}}',
        b'{"type":"Done","processed":{"meta":[]}}',
        b'{"type":"Done","processed":{"meta":{},"files":[1]}}',
        b'{"type":"Done","processed":{"meta":{},"failures":{"dig":"No."}}}',
        b'{"type":"Done","processed":{"meta":{},"more":1}}',
        b'{"type":"Done","processed":{"meta":{"make":"a\\u0000b"}}}',
        b'{"type":"Done","processed":{"meta":{"make":"\\\\\\u0000b"}}}',
        b'{"type":"Done","processed":{"meta":{"make":"\\ud800"}}}',
        b'{"type":"Done","processed":{"meta":{"duration":1e999}}}',
        b'{"type":"Done","processed":{"meta":{"a":' + b"[" * 200_000,
        b'{"type":"Done","processed":{"meta":{"a":' + b"[" * 5000 + b"]" * 5000 + b"}}}",
    ],
    ids=lambda line: line[:60].decode(errors="replace"),
)
def test_nonsense_is_no_answer(line: bytes) -> None:
    with pytest.raises(RejectedError) as caught:
        read_answer(line)

    assert caught.value.detail == NONSENSE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Not a film.", "Not a film."),
        ("two\nlines\x1b[31m and\x00 more", "two lines [31m and more"),
        ("right \u202e left", "right left"),
        ("x" * 10_000, "x" * 500),
    ],
)
def test_a_sentence_of_a_child_is_one_short_line_of_text(text: str, expected: str) -> None:
    assert sentence(text) == expected


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (signal.SIGXCPU, "more than the 31 seconds of computing"),
        (signal.SIGXFSZ, "than the 86000000 bytes"),
        (signal.SIGSEGV, "crash (Segmentation fault)"),
        (signal.SIGABRT, "crash (Aborted)"),
        (signal.SIGSYS, "crash (Bad system call)"),
        (signal.SIGRTMIN, "crash (Real-time signal 0)"),
        (0, "makes no sense"),
        (7 << 8, "makes no sense"),
    ],
)
def test_every_death_has_its_sentence(status: int, said: str) -> None:
    reason = death(status, LIMITS)

    assert isinstance(reason, RejectedError)
    assert said in reason.detail


def test_a_death_that_the_system_wants_is_no_fault_of_the_file() -> None:
    reason = death(signal.SIGKILL, LIMITS)

    assert isinstance(reason, UnavailableError)
    assert "ran out of memory" in reason.detail


def test_the_statuses_above_are_those_of_waitpid() -> None:
    assert os.waitstatus_to_exitcode(signal.SIGSEGV) == -signal.SIGSEGV
    assert os.waitstatus_to_exitcode(7 << 8) == 7
