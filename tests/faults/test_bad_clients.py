"""Clients that leave, fall silent or send too much: a clear answer, and nothing left behind."""

from collections.abc import Iterator

import httpx
import pytest

from tests.faults.clients import (
    FORM_HEADERS,
    RawUpload,
    announce,
    confirm,
    content_of,
    form_of,
    listed_files,
    listed_medias,
    pieces_of,
    put,
    upload,
)
from tests.faults.remains import is_clean, stored, upload_rows, wait_until
from tests.faults.victim import Victim, running

LIMIT = 8_000_000
WITHIN = content_of("bad clients", 5_000_000)
BEYOND = content_of("bad clients", 30_000_000)


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    """A service that waits one second for the next byte and takes 8 MB."""
    settings = {
        "MEDIATHEQUE_IDLE_TIMEOUT": "1",
        "MEDIATHEQUE_MAX_UPLOAD_SIZE": str(LIMIT),
    }
    with running(tmp_path_factory.mktemp("clients") / "data", settings) as started:
        yield started


def test_nothing_is_left_of_a_client_that_went_away(impatient: Victim) -> None:
    gone = RawUpload(impatient, "gone", WITHIN)
    gone.send(3_000_000)
    wait_until(lambda: any(name.startswith(".incoming") for name in stored(impatient)))
    assert upload_rows(impatient) == 1

    gone.leave()

    wait_until(lambda: is_clean(impatient))
    assert "gone" not in listed_medias(impatient.http)
    # Its name is free, and another client's bytes are not mixed with the lost ones.
    assert upload(impatient.http, "gone", WITHIN[::-1]).status_code == 200
    assert impatient.http.get("/medias/files/gone").content == WITHIN[::-1]


def test_a_client_that_falls_silent_is_told_and_nothing_is_kept(impatient: Victim) -> None:
    silent = RawUpload(impatient, "silent", WITHIN)
    silent.send(3_000_000)

    assert silent.status() == 408

    silent.leave()
    wait_until(lambda: is_clean(impatient))
    assert "silent" not in listed_medias(impatient.http)


@pytest.mark.parametrize("announced", [True, False], ids=["Content-Length", "chunked"])
def test_a_media_beyond_the_limit_is_refused_so_that_a_client_sees_it(
    impatient: Victim, announced: bool
) -> None:
    form = form_of(BEYOND)
    body = form if announced else pieces_of(form)

    answer = impatient.http.post("/medias/files/beyond", content=body, headers=FORM_HEADERS)

    assert answer.status_code == 413
    assert answer.json()["errors"][0]["status"] == "413"
    assert str(LIMIT) in answer.json()["errors"][0]["detail"]
    wait_until(lambda: is_clean(impatient))
    assert "beyond" not in listed_medias(impatient.http)
    assert upload(impatient.http, f"within-{announced}", WITHIN).status_code == 200


def test_a_file_beyond_the_limit_is_refused_when_it_is_announced(impatient: Victim) -> None:
    answer = impatient.http.post("/api/file/upload", json={"name": "beyond", "size": LIMIT + 1})
    assert answer.status_code in {400, 413}
    assert str(LIMIT) in answer.json()["error"]
    assert upload_rows(impatient) == 0


@pytest.mark.parametrize("announced", [True, False], ids=["Content-Length", "chunked"])
def test_more_bytes_than_a_file_was_announced_with_are_refused(
    impatient: Victim, announced: bool
) -> None:
    ticket = announce(impatient.http, "short", len(WITHIN))
    body: bytes | Iterator[bytes] = BEYOND if announced else pieces_of(BEYOND)

    answer = impatient.http.put(ticket.url, content=body)

    assert answer.status_code in {400, 413}
    assert answer.json()["success"] is False
    assert confirm(impatient.http, ticket).status_code == 400
    assert ticket.id not in listed_files(impatient.http)
    assert put(impatient.http, ticket, WITHIN).status_code == 200, "it can be sent again"
    assert confirm(impatient.http, ticket).status_code == 200
    assert is_clean(impatient)


def test_an_interrupted_file_can_be_sent_again(impatient: Victim) -> None:
    ticket = announce(impatient.http, "retried", len(WITHIN))

    def breaks_off() -> Iterator[bytes]:
        yield WITHIN[:3_000_000]
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        httpx.put(ticket.url, content=breaks_off(), trust_env=False)
    assert confirm(impatient.http, ticket).status_code == 400
    assert put(impatient.http, ticket, WITHIN).status_code == 200
    assert confirm(impatient.http, ticket).status_code == 200
    assert impatient.http.get(listed_files(impatient.http)[ticket.id]).content == WITHIN
    wait_until(lambda: is_clean(impatient))
