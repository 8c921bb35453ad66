"""Door 0, call by call: what one call moves, cursors old and new, the end."""

import os
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.door_zero import (
    check_error,
    contents,
    folder,
    move,
    move_to_end,
    random_files,
    show,
    signal,
    start,
    wait,
    wait_for_end,
)
from tests.support.service import Service

SEGMENT = 1_000_000
CURSOR = r"[0-9a-f-]{36}\.[0-9]+"


def id_of(cursor: str) -> str:
    return cursor.partition(".")[0]


def test_calls_move_a_segment_each_until_the_cursor_stops_changing(
    service: Service, source_root: Path
) -> None:
    files = random_files(7, 400_000)
    source = folder(source_root, files)

    cursors, answers = move_to_end(service, media_files=[source.as_uri()])

    for answer in answers:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == {"cursor": answer.json()["cursor"]}
        assert re.fullmatch(CURSOR, answer.json()["cursor"])
    statuses = [answer.headers["transfer-status"] for answer in answers]
    assert statuses == ["paused", "paused", "paused", "complete", "complete"]
    progress = [float(answer.headers["transfer-progress"]) for answer in answers]
    assert progress == pytest.approx([2 / 7, 4 / 7, 6 / 7, 1, 1], abs=1e-3)
    assert contents(service, id_of(cursors[0]), source) == files


def test_an_old_cursor_goes_on_from_what_is_recorded(service: Service, source_root: Path) -> None:
    files = random_files(7, 400_000)
    source = folder(source_root, files)
    first = move(service, media_files=[str(source)]).json()["cursor"]
    moved = []
    for _ in range(3):
        moved.append(show(service, id_of(first), limit=0)["bytes"]["complete"])
        last = move(service, first)
        assert last.status_code == 200

    assert moved == [800_000, 1_600_000, 2_400_000]
    assert last.headers["transfer-status"] == "complete"
    assert last.json()["cursor"] != first
    listed = [f for f in show(service, id_of(first))["file_list"] if f["state"] == "complete"]
    assert len({file["media_id"] for file in listed}) == 7


def test_a_finished_transfer_answers_with_one_cursor_for_ever(
    local_service: Service, source_root: Path
) -> None:
    source = folder(source_root, {"a.txt": b"1"})
    finished = move(local_service, media_files=[str(source)])

    assert finished.headers["transfer-status"] == "complete"
    cursor = finished.json()["cursor"]
    (source / "b.txt").write_bytes(b"2")
    for old in (cursor, f"{id_of(cursor)}.0", cursor):
        again = move(local_service, old)
        assert (again.status_code, again.json()) == (200, {"cursor": cursor})
        assert again.headers["transfer-status"] == "complete"
        assert again.headers["transfer-progress"] == "1.0000"
    assert show(local_service, id_of(cursor))["files"]["total"] == 1


def test_a_transfer_with_files_that_failed_ends_too(
    local_service: Service, source_root: Path
) -> None:
    source = folder(source_root, random_files(6, 400_000))
    (source / "out").symlink_to("/etc/passwd")

    cursors, answers = move_to_end(local_service, media_files=[str(source)])

    assert answers[-1].headers["transfer-status"] == "failed"
    assert answers[-1].headers["transfer-progress"] == "1.0000"
    assert show(local_service, id_of(cursors[0]))["files"]["complete"] == 6


def test_a_cancelled_transfer_keeps_its_cursor(local_service: Service, source_root: Path) -> None:
    source = folder(source_root, random_files(6, 400_000))
    cursor = move(local_service, media_files=[str(source)]).json()["cursor"]
    assert signal(local_service, id_of(cursor), "cancel").json()["status"] == "cancelled"

    again = move(local_service, cursor)

    assert again.json() == {"cursor": cursor}
    assert again.headers["transfer-status"] == "cancelled"


def test_the_list_may_be_given_again_but_no_other(
    local_service: Service, source_root: Path
) -> None:
    source = folder(source_root, random_files(8, 400_000))
    both = [str(source / "00000.bin"), str(source)]
    cursor = move(local_service, media_files=both).json()["cursor"]

    for other in ([str(source)], [both[1], both[0]], [*both, both[0]], [], [1]):
        answer = move(local_service, cursor, media_files=other)
        check_error(answer, 400, says="The cursor was made for other media_files")
    moved = show(local_service, id_of(cursor), limit=0)["bytes"]["complete"]
    same = move(local_service, cursor, media_files=both)
    assert same.status_code == 200
    assert show(local_service, id_of(cursor), limit=0)["bytes"]["complete"] > moved


@pytest.mark.parametrize(
    "cursor",
    [
        "nothing",
        "",
        "01a1fc87-9655-79af-939f-09e2b6784b59.1",
        "01a1fc87-9655-79af-939f-09e2b6784b59",
        "01A1FC87-9655-79AF-939F-09E2B6784B59.1",
        "x" * 5000,
        "\0",
    ],
)
def test_an_unknown_cursor_is_404(local_service: Service, cursor: str) -> None:
    check_error(move(local_service, cursor), 404, says="There is no transfer")


def test_a_cursor_of_a_call_that_was_never_made_is_unknown(
    local_service: Service, source_root: Path
) -> None:
    source = folder(source_root, random_files(4, 400_000))
    cursor = move(local_service, media_files=[str(source)]).json()["cursor"]

    answer = move(local_service, f"{id_of(cursor)}.{int(cursor.rpartition('.')[2]) + 1}")

    check_error(answer, 404, says="There is no transfer")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "at least one file"),
        ({"media_files": []}, "at least one file"),
        ({"media_files": None}, "at least one file"),
        ({"media_files": "file:///a"}, "must be a list"),
        ({"cursor": 7}, "cursor must be a text"),
        ({"media_files": [], "curser": "a"}, "no member 'curser'"),
        ([], "must be a JSON object"),
    ],
)
def test_a_malformed_call_is_400(local_service: Service, body: Any, says: str) -> None:
    answer = local_service.http.post("/transfer_media_segment", json=body)
    check_error(answer, 400, says=says)


def test_two_calls_at_once_the_second_is_409(local_service: Service, source_root: Path) -> None:
    source = folder(source_root, random_files(12, 300_000))
    first = move(local_service, media_files=[str(source)]).json()["cursor"]
    local_service.http.patch(f"/transfers/{id_of(first)}", json={"bandwidth": 500_000})
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(move, local_service, first)
        wait(local_service, id_of(first), lambda found: found["status"] == "running")

        check_error(move(local_service, first), 409, says="Another call moves this transfer")
        assert slow.result().status_code == 200
    assert move(local_service, first).status_code == 200


def test_of_many_calls_with_one_cursor_none_is_lost_and_nothing_is_moved_twice(
    local_service: Service, source_root: Path
) -> None:
    files = random_files(10, 400_000)
    source = folder(source_root, files)
    first = move(local_service, media_files=[str(source)]).json()["cursor"]
    codes: list[int] = []
    together = threading.Barrier(5)

    def call() -> None:
        together.wait()
        codes.append(move(local_service, first).status_code)

    with ThreadPoolExecutor(5) as threads:
        for one in [threads.submit(call) for _ in range(5)]:
            one.result()
    assert set(codes) <= {200, 409}
    assert 200 in codes
    while move(local_service, first).headers["transfer-status"] == "paused":
        pass
    assert contents(local_service, id_of(first), source) == files


def test_a_call_answers_after_the_time_of_a_segment(
    local_service: Service, source_root: Path
) -> None:
    source = folder(source_root, random_files(90, 10_000))
    cursor = move(local_service, media_files=[str(folder(source_root, {}))]).json()["cursor"]
    assert cursor  # the worker is awake
    with ThreadPoolExecutor(1) as threads:
        began = time.monotonic()
        calling = threads.submit(move, local_service, media_files=[str(source)])
        while not (found := local_service.http.get("/transfers?limit=1").json()["transfers"])[0][
            "files"
        ]["total"]:
            time.sleep(0.01)
        local_service.http.patch(f"/transfers/{found[0]['id']}", json={"bandwidth": 100_000})
        answer = calling.result()
        took = time.monotonic() - began

    assert answer.headers["transfer-status"] in {"paused", "complete"}
    assert took < 8


def test_a_file_larger_than_a_segment_goes_on_from_its_parts(
    s3_service: Service, source_root: Path
) -> None:
    files = {"large.bin": os.urandom(90_000_000), "small.bin": os.urandom(500_000)}
    source = folder(source_root, files)

    cursors, answers = move_to_end(s3_service, media_files=[str(source)])

    progress = [float(answer.headers["transfer-progress"]) for answer in answers]
    assert progress == sorted(progress)
    assert len(set(progress)) == len(progress) - 1
    assert 0 < progress[0] < 1, "one call moved all of it"
    assert contents(s3_service, id_of(cursors[0]), source) == files


def test_a_file_larger_than_a_segment_is_finished_by_one_call_in_a_folder(
    local_service: Service, source_root: Path
) -> None:
    files = {"large.bin": os.urandom(5_000_000), "small.bin": b"1"}
    source = folder(source_root, files)

    cursors, answers = move_to_end(local_service, media_files=[str(source)])

    assert [answer.headers["transfer-status"] for answer in answers] == [
        "paused",
        "complete",
        "complete",
    ]
    assert contents(local_service, id_of(cursors[0]), source) == files


def test_a_transfer_that_runs_by_itself_is_not_moved_by_calls(
    local_service: Service, source_root: Path
) -> None:
    source = folder(source_root, random_files(1, 400_000))
    transfer = start(local_service, source, bandwidth=100_000)
    cursor = f"{transfer['id']}.0"

    check_error(move(local_service, cursor), 409, says="runs by itself")

    local_service.http.patch(f"/transfers/{transfer['id']}", json={"bandwidth": None})
    assert wait_for_end(local_service, transfer["id"])["status"] == "complete"
    assert move(local_service, cursor).json() == {"cursor": cursor}
