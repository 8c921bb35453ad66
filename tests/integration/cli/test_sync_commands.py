"""``mediatheque sync`` and ``schedules`` with a server that says what the test wants."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import answer_on_terminal, call, finish, refusal, run, start
from tests.support.scripted import Scripted, json_answer, scripted
from tests.support.syncs_said import operation, page, plan, running, says, sync, tally

KEYS = {"AWS_ACCESS_KEY_ID": "CANARY-access", "AWS_SECRET_ACCESS_KEY": "CANARY-secret"}
STORE = ("--storage-url", "http://127.0.0.1:9000")
UPLOADS = plan(upload=tally(2, 2500), skip=tally(3, 10))
DELETIONS = plan(delete=tally(30, 300), update=tally(1, 5), skip=tally(3), objects=34)
SCHEDULE = {
    "id": 3,
    "cron": "0 3 * * *",
    "next_at": "2026-02-01T03:00:00Z",
    "source": "",
    "dest": "mybucket",
    "storage_url": None,
    "verify": False,
    "force": False,
    "wait": 0,
    "backup_prefix": None,
    "created_at": "2026-01-31T12:00:00Z",
}


def bodies(server: Scripted) -> list[Any]:
    """Return the JSON bodies of the requests so far."""
    return [json.loads(request.body) for request in server.asked if request.body]


def deletions() -> list[bytes]:
    """Write the answers to a dry run that would delete 30 objects and overwrite one."""
    names = [operation("delete", f"old/{number}") for number in range(20)]
    return [
        says(sync(dry_run=True, plan=DELETIONS)),
        page(operation("update", "changed\n.txt")),
        page(*names),
    ]


async def test_a_sync_is_planned_started_and_followed_to_its_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with scripted(
        says(running(dry_run=True, phase="planning", plan=None)),
        says(sync(dry_run=True, plan=UPLOADS)),
        says(running(plan=UPLOADS)),
        says(sync(plan=UPLOADS, done=tally(2, 2500))),
    ) as server:
        done = await call(server.url, "sync", "a folder", "b", "--wait", "0.5", capture=capsys)

    assert (done.code, done.err) == (0, "")
    assert done.out == "2 uploaded, 3 unchanged, 2.5 kB in 0:02 (1.2 kB/s)\n"
    assert server.lines() == ["POST /sync", "GET /get?id=7", "POST /sync", "GET /get?id=7"]
    asked = {"source": "a folder", "dest": "b", "wait": 0.5}
    assert bodies(server) == [{**asked, "dry_run": True}, {**asked, "as_planned": 7}]


async def test_every_option_reaches_the_server(capsys: pytest.CaptureFixture[str]) -> None:
    options = (*STORE, "--region", "eu-west-3", "--verify", "--force", "--backup-prefix", "kept")
    async with scripted(says(running())) as server:
        done = await call(
            server.url, "sync", *options, "--yes", "--watch", "--detach", capture=capsys
        )

    assert (done.code, done.out, done.err) == (0, "job-of-7\n", "")
    assert bodies(server) == [
        {
            "storage_url": STORE[1],
            "region": "eu-west-3",
            "verify": True,
            "force": True,
            "backup_prefix": "kept",
            "watch": True,
        }
    ]


async def test_a_dry_run_shows_numbers_and_what_would_be_lost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with scripted(*deletions()) as server:
        done = await call(server.url, "sync", "--dry-run", capture=capsys)

    assert done.code == 0, done
    shown = done.out.splitlines()
    assert shown[:3] == ["update\t1\t5", "delete\t30\t300", "unchanged\t3\t0"]
    assert shown[3:] == ["update\tchanged\\n.txt", *(f"delete\told/{n}" for n in range(20))]
    assert done.err == "… and 10 more\n"
    assert server.lines()[1:] == [
        "GET /sync/operations?id=7&action=update&limit=20",
        "GET /sync/operations?id=7&action=delete&limit=20",
    ]


async def test_a_dry_run_is_one_json_object_with_every_operation(
    capsys: pytest.CaptureFixture[str],
) -> None:
    planned = sync(dry_run=True, plan=plan(upload=tally(3)))
    first = page(operation("upload", "a"), operation("upload", "b"), after="1.1")
    async with scripted(says(planned), first, page(operation("upload", "c"))) as server:
        done = await call(server.url, "sync", "--dry-run", "--json", capture=capsys)

    assert (done.code, done.err) == (0, "")
    told = done.json()
    assert told["sync"]["plan"] == planned["plan"]
    assert [each["key"] for each in told["operations"]] == ["a", "b", "c"]


async def test_what_is_no_file_or_not_of_the_service_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    strange = plan(delete=tally(1, 1), foreign=1, ignored=4, empty=True)
    planned = says(sync(dry_run=True, source="gone", plan=strange))
    async with scripted(planned, page(operation("delete", "x"))) as server:
        done = await call(server.url, "sync", "gone", "--dry-run", capture=capsys)

    assert "Left out, as they are links, pipes or devices: 4." in done.err
    assert "1 of the deletions are of objects that the service did not upload" in done.err
    assert (
        "There is no file in gone: the bucket mybucket itself goes away, unless it keeps backups."
        in done.err
    )


@pytest.mark.parametrize("more", [(), ("--json",)])
async def test_nothing_to_do_is_told_and_nothing_started(
    capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    async with scripted(says(sync(dry_run=True, plan=plan(skip=tally(9))))) as server:
        done = await call(server.url, "sync", *more, capture=capsys)

    assert (done.code, done.err) == (0, "")
    if more:
        assert done.json()["operations"] == []
    else:
        assert done.out == "nothing to do, 9 unchanged\n"


async def test_deletions_are_refused_where_nobody_can_be_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with scripted(*deletions()) as server:
        done = await call(server.url, "sync", capture=capsys)

    assert (done.code, done.out) == (9, "")
    assert "delete\told/0\n" in done.err
    assert done.err.endswith(
        "mediatheque: This would delete 30 objects (300 B) from the bucket mybucket. "
        "Nothing was done. If it may: --yes.\n"
    )
    assert [line for line in server.lines() if line.startswith("POST")] == ["POST /sync"]


async def test_deletions_go_on_with_yes_without_a_plan_before(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with scripted(says(running()), says(sync(plan=DELETIONS))) as server:
        done = await call(server.url, "sync", "--yes", capture=capsys)

    assert (done.code, done.err) == (0, "")
    assert done.out == "1 updated, 30 deleted, 3 unchanged\n"
    assert bodies(server) == [{}]


@pytest.mark.parametrize("answer", ["y\n", "YES\n"])
async def test_deletions_that_are_agreed_to_are_done(tmp_path: Path, answer: str) -> None:
    question = "Delete 30 objects (300 B) from the bucket mybucket? [y/N]"
    ends = [says(running()), says(sync(plan=DELETIONS))]
    async with scripted(*deletions(), *ends) as server:
        code, shown = await answer_on_terminal(
            server.url, "sync", folder=tmp_path, answers=[(question, answer)]
        )

    assert code == 0, shown
    assert "300 B" in shown
    assert "old/19" in shown
    assert "… and 10 more" in shown
    assert "1 updated, 30 deleted, 3 unchanged" in shown


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [("\n", 9, "Nothing was done."), ("n\n", 9, "Nothing was done."), ("\x03", 130, "Interrupted")],
)
async def test_deletions_that_are_not_agreed_to_are_not_done(
    tmp_path: Path, answer: str, code: int, said: str
) -> None:
    async with scripted(*deletions()) as server:
        ended, shown = await answer_on_terminal(
            server.url, "sync", folder=tmp_path, answers=[("[y/N]", answer)]
        )

    assert ended == code, shown
    assert said in shown
    assert "Traceback" not in shown
    assert len(server.asked) == 3


async def test_the_removal_of_the_bucket_alone_is_asked_about(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with scripted(says(sync(dry_run=True, plan=plan(empty=True)))) as server:
        done = await call(server.url, "sync", capture=capsys)

    assert done.code == 9
    assert "This would remove the bucket mybucket, if there is one." in done.err


async def test_failed_operations_are_named_and_end_the_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ended = sync(
        status="error (1 of 2 operations failed: gone)",
        plan=UPLOADS,
        done=tally(1, 5),
        failed=1,
        error="1 of 2 operations failed: gone.",
    )
    failed = page(operation("upload", "a\x1b.txt", state="failed", error="It is gone."))
    async with scripted(says(running()), says(ended), failed) as server:
        done = await call(server.url, "sync", "--yes", capture=capsys)

    assert done.code == 10
    assert done.out == "1 of 2 file operations were done.\n"
    assert done.err == (
        "upload a\\x1b.txt: It is gone.\nmediatheque: 1 of 2 operations failed: gone.\n"
    )
    assert server.lines()[-1] == "GET /sync/operations?id=7&state=failed&limit=20"


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        ("error (s3 storage connection)", 10, "error (s3 storage connection)"),
        ("cancelled", 9, "Sync 7 is cancelled."),
    ],
)
async def test_a_sync_that_does_not_end_well_ends_the_command_likewise(
    capsys: pytest.CaptureFixture[str], status: str, code: int, said: str
) -> None:
    async with scripted(says(running()), says(sync(status=status, plan=None))) as server:
        done = await call(server.url, "sync", "--yes", capture=capsys)

    assert (done.code, done.out) == (code, "Nothing was done.\n")
    assert done.err == f"mediatheque: {said}\n"


async def test_a_plan_that_cannot_be_made_starts_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    unreadable = sync(
        dry_run=True, status="error (x)", plan=None, error="The folder cannot be read."
    )
    async with scripted(says(unreadable)) as server:
        done = await call(server.url, "sync", capture=capsys)

    assert refusal(done, 10) == "The folder cannot be read."


async def test_a_source_without_files_leaves_none(capsys: pytest.CaptureFixture[str]) -> None:
    emptied = sync(plan=plan(delete=tally(2, 5), empty=True), done=tally(2))
    async with scripted(says(running()), says(emptied)) as server:
        done = await call(server.url, "sync", "--yes", capture=capsys)

    assert (done.code, done.out) == (0, "2 deleted, no file is left, 0 unchanged\n")


@pytest.mark.parametrize(("status", "code"), [("409 Conflict", 9), ("400 Bad Request", 2)])
async def test_what_the_server_refuses_is_told(
    capsys: pytest.CaptureFixture[str], status: str, code: int
) -> None:
    answer = json_answer('{"error": "It is being synchronised (id 6)."}', status=status)
    async with scripted(answer) as server:
        done = await call(server.url, "sync", "--yes", capture=capsys)

    assert refusal(done, code) == "It is being synchronised (id 6)."


async def test_ctrl_c_cancels_the_sync_and_says_so(tmp_path: Path) -> None:
    stays = [says(running(plan=UPLOADS))] * 40
    async with scripted(*stays) as server:
        process = await start(server.url, "sync", "--yes", folder=tmp_path)
        while len(server.asked) < 2:
            await asyncio.sleep(0.05)
        server.answers[:] = [says(sync(status="cancelled"))] * 2
        process.send_signal(signal.SIGINT)
        done = await finish(process)

    assert done.code == 130
    assert "POST /cancel?id=7" in server.lines()
    assert done.err.startswith(
        "Cancelled sync 7. What is done stays done; the same command does the rest.\n"
    )


async def test_ctrl_c_while_it_is_planned_cancels_that_as_well(tmp_path: Path) -> None:
    stays = [says(running(dry_run=True, phase="planning", plan=None))] * 40
    async with scripted(*stays) as server:
        process = await start(server.url, "sync", folder=tmp_path)
        while len(server.asked) < 2:
            await asyncio.sleep(0.05)
        process.send_signal(signal.SIGINT)
        done = await finish(process)

    assert (done.code, done.err) == (130, "mediatheque: Interrupted.\n")
    assert server.lines()[-1] == "POST /cancel?id=7"


async def test_watching_prints_a_line_for_each_round(capsys: pytest.CaptureFixture[str]) -> None:
    watching = {"phase": "watching", "watch": True}
    nothing = plan(skip=tally(5))
    async with scripted(
        says(sync(dry_run=True, plan=nothing)),
        says(running(watch=True)),
        says(running(**watching, rounds=1, plan=nothing)),
        says(running(**watching, rounds=1, plan=nothing)),
        says(running(**watching, rounds=2, plan=UPLOADS)),
        says(sync(status="cancelled", rounds=2, plan=UPLOADS)),
    ) as server:
        done = await call(server.url, "sync", "--watch", capture=capsys)

    assert done.code == 9
    rounds = [line.split("\t")[1] for line in done.out.splitlines()[:-1]]
    assert rounds == ["nothing to do, 5 unchanged", "2 uploaded, 3 unchanged"]


async def test_keys_of_the_environment_go_to_the_server_only_when_told(tmp_path: Path) -> None:
    async with scripted(says(running()), says(running())) as server:
        command = ("sync", *STORE, "--yes", "--detach")
        await run(server.url, *command, folder=tmp_path, settings=KEYS)
        await run(server.url, *command, "--keys-from-environment", folder=tmp_path, settings=KEYS)

    without, with_keys = bodies(server)
    assert without == {"storage_url": STORE[1]}
    assert with_keys == {
        "storage_url": STORE[1],
        "access_key": "CANARY-access",
        "secret_key": "CANARY-secret",
    }
    assert "CANARY" not in "".join(f"{each.line}{each.headers}" for each in server.asked)


async def test_keys_are_asked_for_and_the_secret_one_is_not_shown(tmp_path: Path) -> None:
    async with scripted(says(running())) as server:
        code, shown = await answer_on_terminal(
            server.url,
            "sync",
            *STORE,
            "--ask-keys",
            "--yes",
            "--detach",
            folder=tmp_path,
            answers=[("Access key: ", "AKIA\n"), ("Secret key", "CANARY-secret\n")],
        )

    assert code == 0, shown
    assert bodies(server)[0]["access_key"] == "AKIA"
    assert bodies(server)[0]["secret_key"] == "CANARY-secret"
    assert "CANARY" not in shown


@pytest.mark.parametrize(
    ("arguments", "settings", "says"),
    [
        (("--dry-run", "--watch"), {}, "exclude"),
        (("--schedule", "0 3 * * *", "--detach"), {}, "exclude"),
        (("--keys-from-environment",), KEYS, "--storage-url"),
        ((*STORE, "--keys-from-environment"), {"AWS_ACCESS_KEY_ID": "a"}, "not both set"),
        ((*STORE, "--keys-from-environment"), {**KEYS, "AWS_SESSION_TOKEN": "t"}, "temporary"),
        ((*STORE, "--ask-keys"), {}, "no terminal"),
        ((*STORE, "--ask-keys", "--keys-from-environment"), KEYS, "one of"),
    ],
)
async def test_options_that_make_no_sense_are_refused_before_anything_is_asked(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    settings: dict[str, str],
    says: str,
) -> None:
    for name in (*KEYS, "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, settings.get(name, ""))
    async with scripted() as server:
        done = await call(server.url, "sync", *arguments, capture=capsys)

    assert says in refusal(done, 2)
    assert "CANARY" not in done.err
    assert server.asked == []


async def test_a_schedule_is_made_after_a_look_at_what_it_would_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = json_answer(json.dumps(SCHEDULE), status="201 Created")
    async with scripted(says(sync(dry_run=True)), made) as server:
        done = await call(server.url, "sync", "--schedule", "0 3 * * *", capture=capsys)

    assert (done.code, done.err) == (0, "")
    assert done.out == "Schedule 3, for the first time at 2026-02-01T03:00:00+00:00.\n"
    assert server.lines() == ["POST /sync", "POST /sync/schedules"]
    assert bodies(server)[1] == {"cron": "0 3 * * *"}


async def test_schedules_are_listed_and_removed(capsys: pytest.CaptureFixture[str]) -> None:
    gone = json_answer("", status="204 No Content")
    unknown = json_answer('{"error": "There is no schedule 4."}', status="404 Not Found")
    async with scripted(says([SCHEDULE]), says([SCHEDULE]), gone, unknown) as server:
        plain = await call(server.url, "schedules", capture=capsys)
        exact = await call(server.url, "schedules", "--json", capture=capsys)
        removed = await call(server.url, "schedules", "rm", "3", "4", capture=capsys)

    assert plain.out == "3\t0 3 * * *\t2026-02-01T03:00:00+00:00\t-\tmybucket\t-\n"
    assert [each["id"] for each in exact.lines()] == [3]
    assert removed.code == 10
    assert removed.err == "mediatheque: There is no schedule 4.\n"
