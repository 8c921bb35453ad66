"""Secrets stay out of logs, printed settings and error answers, also at the loudest log level."""

from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx

from mediatheque.cli.exits import Exit
from tests.faults.clients import announce, confirm, content_of, listed_files, put, upload
from tests.faults.remains import run_command
from tests.faults.victim import Victim, running
from tests.support.seaweedfs import SeaweedFS
from tests.support.service import s3_settings

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
