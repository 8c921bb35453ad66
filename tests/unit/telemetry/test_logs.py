"""Logs: for people on a terminal, one JSON object a line otherwise."""

import contextlib
import errno
import io
import json
import logging
import multiprocessing
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import structlog

from mediatheque.telemetry import logs
from mediatheque.telemetry.logs import configure_logs, get_logger

LIBRARIES = ("botocore", "boto3", "urllib3", "sqlalchemy", "asyncio")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    levels = {name: logging.getLogger(name).level for name in LIBRARIES}
    yield
    root.handlers = handlers
    root.setLevel(level)
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(levels[name])
    structlog.reset_defaults()


@contextlib.contextmanager
def during_request(request_id: str) -> Iterator[None]:
    before = logs.REQUEST_ID.set(request_id)
    yield
    logs.REQUEST_ID.reset(before)


def lines(capsys: pytest.CaptureFixture[str]) -> list[Any]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


@pytest.mark.parametrize("log_format", ["json", "auto"])
def test_lines_written_during_a_request_carry_its_id(
    capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    configure_logs(log_format, "info")

    with during_request("abc"):
        get_logger("ours").info("kept", size=5)
        logging.getLogger("theirs").warning("odd: %s", "x")
    get_logger("ours").info("later")

    ours, theirs, later = lines(capsys)
    assert (
        ours.items()
        >= {
            "event": "kept",
            "size": 5,
            "request_id": "abc",
            "level": "info",
            "logger": "ours",
        }.items()
    )
    assert ours["timestamp"].endswith("Z")
    assert theirs.items() >= {"event": "odd: x", "request_id": "abc", "level": "warning"}.items()
    assert "request_id" not in later


def test_a_line_is_a_line_whatever_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("json", "info")

    get_logger("ours").info("two\nlines", name='"\n\0🎬')

    (line,) = lines(capsys)
    assert (line["event"], line["name"]) == ("two\nlines", '"\n\0🎬')


def test_an_exception_is_one_line_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("json", "info")

    try:
        raise ValueError("wrong")
    except ValueError:
        get_logger("ours").exception("failed")

    (line,) = lines(capsys)
    assert line["level"] == "error"
    assert "ValueError: wrong" in line["exception"]


def test_people_get_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("console", "info")

    with during_request("abc"):
        get_logger("ours").info("kept")

    written = capsys.readouterr().err
    assert "kept" in written
    assert "abc" in written
    assert not written.startswith("{")


def test_a_traceback_for_people_shows_no_values_of_variables(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs("console", "info")

    given = {"secret_key": "canary"}
    try:
        raise ValueError("wrong")
    except ValueError:
        get_logger("ours").exception("failed", given=len(given))

    written = capsys.readouterr().err
    assert "ValueError" in written
    assert "wrong" in written
    assert written.count("canary") == 1, "in the line of code, and nowhere else"


def test_the_automatic_format_is_for_people_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    configure_logs("auto", "info")

    get_logger("ours").info("kept")

    assert not capsys.readouterr().err.startswith("{")


def test_the_level_is_the_least_that_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("json", "warning")

    get_logger("ours").info("little")
    get_logger("ours").warning("much")

    assert [line["event"] for line in lines(capsys)] == ["much"]


@pytest.mark.parametrize("name", LIBRARIES)
def test_libraries_never_show_requests_and_statements(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    configure_logs("json", "debug")

    logging.getLogger(name).debug("GET https://store/key?X-Amz-Signature=secret")
    logging.getLogger(f"{name}.inside").info("INSERT ... secret")

    assert lines(capsys) == []


def test_a_line_that_cannot_be_written_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk that logs are kept on may be full."""

    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sys.stderr", Full())
    configure_logs("json", "info")

    get_logger("ours").info("lost")


def test_what_is_no_json_is_written_as_it_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("json", "info")

    get_logger("ours").info("kept", path=Path("/x"), name="not \udc80 UTF-8")

    (line,) = lines(capsys)
    assert (line["path"], line["name"]) == (repr(Path("/x")), "not \udc80 UTF-8")


def test_what_cannot_be_rendered_at_all_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("json", "info")

    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    get_logger("ours").info("odd", value=Broken())
    get_logger("ours").info("odd too", value={(1, 2): 3})

    broken, no_key = lines(capsys)
    assert (broken["event"], broken["unreadable"]) == ("odd", "RuntimeError")
    assert (no_key["event"], no_key["unreadable"]) == ("odd too", "TypeError")


def test_long_lines_of_several_threads_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also to a pipe that takes a part of what is written, as one without a buffer does."""
    reading, writing = os.pipe()
    monkeypatch.setattr("sys.stderr", io.TextIOWrapper(io.FileIO(writing, "w"), write_through=True))
    configure_logs("json", "info")

    def write() -> None:
        for _ in range(20):
            get_logger("ours").info("x" * 9000)

    with os.fdopen(reading) as written, ThreadPoolExecutor(7) as threads:
        arriving = threads.submit(written.readlines)
        for ended in [threads.submit(write) for _ in range(6)]:
            ended.result()
        sys.stderr.close()
        arrived = arriving.result()
    assert {len(json.loads(line)["event"]) for line in arrived} == {9000}
    assert len(arrived) == 120


def test_a_process_that_is_forked_while_a_line_is_written_can_write(
    capfd: pytest.CaptureFixture[str],
) -> None:
    configure_logs("json", "info")
    with logs._Lines.lock:
        child = multiprocessing.get_context("fork").Process(
            target=lambda: get_logger("ours").info("written")
        )
        child.start()
        child.join(10)
        hangs = child.is_alive()
        child.kill()
    assert not hangs
