"""Secrets stay out of logs, printed settings and error answers, also at the loudest log level."""

import json
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import psutil

from mediatheque.cli.exits import Exit
from tests.faults.clients import announce, confirm, content_of, listed_files, put, upload
from tests.faults.remains import rows, run_command
from tests.faults.victim import Victim, running
from tests.support import door_two
from tests.support.seaweedfs import SeaweedFS
from tests.support.service import COMMAND, environment, free_port, s3_settings

CONTENT = content_of("secrets", 100_000)
SECRET_KEY = "the-secret-that-signs-addresses-0123456789"
PASSWORD = "correct-horse-battery"


def signatures(*urls: str) -> set[str]:
    """Return what must not be seen of signed URLs: every longer value of their queries."""
    values = {value for url in urls for _, value in parse_qsl(urlsplit(url).query)}
    return {value for value in values if len(value) >= 20}


def use_and_abuse(service: Victim) -> tuple[set[str], str]:
    """Send a file and ask for wrong things; return the signatures used, and all error answers."""
    http = service.http
    ticket = announce(http, "secret", len(CONTENT))
    with httpx.Client(trust_env=False) as direct:
        assert put(direct, ticket, CONTENT).status_code == 200
    assert confirm(http, ticket).status_code == 200
    link = listed_files(http)[ticket.id]
    assert httpx.get(link, trust_env=False).content == CONTENT
    assert upload(http, "secret", CONTENT).status_code == 200
    wrong = [
        http.get("/medias/files/nothing"),
        http.get(f"/api/file/{ticket.id}/content?expires=99999999999&signature=forged"),
        http.put(f"/api/file/{ticket.id}/content?{urlsplit(ticket.url).query}", content=CONTENT),
        http.get(f"/medias/files/nothing?{urlsplit(link).query}"),
        http.post("/api/file/upload", content=b"{"),
        upload(http, "secret", CONTENT[::-1]),
    ]
    assert {answer.status_code >= 400 for answer in wrong} == {True}
    return signatures(ticket.url, link), "".join(answer.text for answer in wrong)


def test_signatures_and_keys_of_a_local_service_are_never_shown(tmp_path: Path) -> None:
    settings = {"MEDIATHEQUE_LOG_LEVEL": "debug", "MEDIATHEQUE_SECRET_KEY": SECRET_KEY}
    with running(tmp_path / "data", settings) as service:
        used, answers = use_and_abuse(service)
        printed = run_command(service.data_dir, "config", settings=service.settings)
        assert printed.returncode == 0
        assert "secret_key" in printed.stdout
        log = service.log.read_text()
        assert "/content" in log, "the requests are logged, without their queries"
        shown = log + answers + printed.stdout + printed.stderr
    assert len(used) == 2
    for secret in used | {SECRET_KEY}:
        assert secret not in shown


def test_signatures_and_keys_of_a_service_on_s3_are_never_shown(
    tmp_path: Path, seaweedfs: SeaweedFS
) -> None:
    settings = s3_settings(seaweedfs, "faults-secrets") | {"MEDIATHEQUE_LOG_LEVEL": "debug"}
    with running(tmp_path / "data", settings) as service:
        used, answers = use_and_abuse(service)
        printed = run_command(service.data_dir, "config", settings=service.settings)
        assert seaweedfs.bucket in printed.stdout
        shown = service.log.read_text() + answers + printed.stdout + printed.stderr
    assert any(len(value) == 64 for value in used), "the store's signatures are among them"
    for secret in (used - {"attachment"}) | {seaweedfs.secret_key}:
        assert secret not in shown


def test_passwords_in_addresses_are_masked_when_settings_are_printed(tmp_path: Path) -> None:
    printed = run_command(
        tmp_path / "data",
        "config",
        settings={
            "MEDIATHEQUE_DATABASE_URL": f"postgresql://media:{PASSWORD}@db.example.org/media",
            "MEDIATHEQUE_SECRET_KEY": SECRET_KEY,
            "AWS_SECRET_ACCESS_KEY": PASSWORD,
        },
    )
    assert printed.returncode == 0
    assert "db.example.org" in printed.stdout
    for secret in (PASSWORD, SECRET_KEY):
        assert secret not in printed.stdout + printed.stderr


def test_a_setting_that_is_refused_is_not_quoted(tmp_path: Path) -> None:
    wrong = {
        "MEDIATHEQUE_S3_ENDPOINT": f"https://key:{PASSWORD}@store.example.org",
        "MEDIATHEQUE_DATABASE_URL": f"mysql://media:{PASSWORD}@db.example.org/media",
        "MEDIATHEQUE_SECRET_KEY": PASSWORD,
    }
    for variable, value in wrong.items():
        refused = run_command(tmp_path / "data", "prepare", settings={variable: value})
        assert refused.returncode == Exit.SETTINGS
        assert variable in refused.stderr
        assert PASSWORD not in refused.stderr


def seen_in(service: Victim, secrets: set[str]) -> set[str]:
    """Return the secrets that lie about: in the log, in files, in the database, in `ps`."""
    found = set()
    places = [service.log, *(path for path in service.data_dir.rglob("*") if path.is_file())]
    for path in places:
        with suppress(FileNotFoundError):  # the database comes and goes with its files
            content = path.read_bytes()
            found |= {secret for secret in secrets if secret.encode() in content}
    for process in psutil.process_iter(["cmdline"]):
        arguments = " ".join(process.info["cmdline"] or ())
        found |= {secret for secret in secrets if secret in arguments}
    return found


def wait_for_one(service: Victim) -> Any:
    """Return the sync that runs, as soon as there is one."""
    deadline = time.monotonic() + 30
    while not (found := service.http.get("/runnings").json()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found[0]


def interrupted_command(service: Victim, store: SeaweedFS, secrets: set[str]) -> str:
    """Let the command line sync with keys of its environment; return what it prints."""
    options = ["--wait=1", "--yes", "--keys-from-environment", f"--storage-url={store.endpoint}"]
    command = subprocess.Popen(
        [str(COMMAND), "sync", "", "canary-command", *options, f"--server={service.url}"],
        env={**environment(service.data_dir, {}), **store.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    found = wait_for_one(service)
    door_two.wait(service, found["id"], lambda sync: sync["done"]["files"] > 0)
    assert seen_in(service, secrets) == set(), "while the command runs"
    command.send_signal(signal.SIGINT)
    printed, _ = command.communicate(timeout=30)
    assert f"sync {found['id']}" in printed.lower()
    return printed


def test_keys_of_syncs_are_never_shown_however_they_end(
    tmp_path: Path, seaweedfs: SeaweedFS
) -> None:
    """The good keys are those of the store, the bad ones are refused by it; both are canaries."""
    bad = {"access_key": "CANARYACCESS00001", "secret_key": "canary-secret-0000000001"}
    secrets = {seaweedfs.access_key, seaweedfs.secret_key, *bad.values()}
    uploads = door_two.fill(tmp_path / "uploads", {f"{n}": b"content" for n in range(20)})
    settings = {
        "MEDIATHEQUE_UPLOADS_ROOT": str(uploads),
        "MEDIATHEQUE_LOG_LEVEL": "debug",
        "MEDIATHEQUE_JOB_LEASE": "2",
    }
    with running(tmp_path / "data", settings) as service:
        http = service.http

        def sync(bucket: str, **more: Any) -> Any:
            wanted = door_two.parameters(seaweedfs, "", bucket, **more)
            return door_two.sync(service, wanted)

        shown = [sync("canary"), sync("canary", dry_run=1), sync("canary-bad", **bad)]
        assert [one["status"][:5] for one in shown] == ["succe", "succe", "error"]
        shown.append(sync("canary-dead", storage_url=f"http://127.0.0.1:{free_port()}", **bad))

        slow = door_two.parameters(seaweedfs, "", "canary-slow", wait=1)
        by_query = http.get("/sync", params=slow).json()
        assert http.get("/sync", params=slow).status_code == 409
        door_two.wait(service, by_query["id"], lambda found: found["done"]["files"] > 0)
        assert seen_in(service, secrets) == set(), "while it runs"
        service.kill()
        service.start()
        door_two.wait(service, by_query["id"], lambda found: found["done"]["files"] > 2)
        shown.append(http.get("/cancel", params={"id": by_query["id"]}).json())
        assert shown[-1]["status"] == "cancelled"
        revived = http.post(f"/jobs/{by_query['job']}/signal", json={"signal": "retry"})
        assert revived.status_code == 200
        shown.append(door_two.wait_for_end(service, by_query["id"]))
        assert shown[-1]["status"] == "error (its keys were wiped)"

        for wrong in (
            {"wait": "canary"},
            {"storage_url": f"http://{bad['access_key']}:{bad['secret_key']}@127.0.0.1:1"},
            {"storage_url": "http://192.0.2.1:80"},
            {"unknown": "1"},
            {"secret_key": ""},
        ):
            parameters = {**door_two.parameters(seaweedfs, "", "canary"), **wrong}
            for answer in (
                http.get("/sync", params=parameters),
                http.post("/sync", json=parameters),
                http.post("/sync", content=json.dumps(parameters)[:-1].encode()),
            ):
                assert 400 <= answer.status_code < 500
                shown.append(answer.text)
        shown.append(interrupted_command(service, seaweedfs, secrets))

        schedule = http.post(
            "/sync/schedules",
            json={"cron": "0 3 * * *", **door_two.parameters(seaweedfs, "", "canary")},
        )
        assert schedule.status_code == 201, schedule.text
        shown += [schedule.json(), http.get("/sync/schedules").json()]
        assert seen_in(service, secrets) == set(), "while it is scheduled"
        assert http.delete(f"/sync/schedules/{schedule.json()['id']}").status_code == 204
        shown.append(http.get("/jobs", params={"page[size]": 1000}).text)
        shown.append(str(rows(service, "SELECT to_jsonb(syncs) FROM syncs")))
        shown.append(str(rows(service, "SELECT detail FROM job_events")))
        assert rows(service, "SELECT id FROM syncs WHERE credentials IS NOT NULL") == []
        text = json.dumps(shown)
        assert {secret for secret in secrets if secret in text} == set()
        service.stop()
        assert seen_in(service, secrets) == set(), "afterwards"
