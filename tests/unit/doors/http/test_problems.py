"""Errors become answers in the shape of the door they happened at."""

from typing import Any

import msgspec
import pytest
from litestar import Request, Response
from litestar.exceptions import (
    HTTPException,
    InternalServerException,
    MethodNotAllowedException,
    NotFoundException,
)
from structlog.testing import capture_logs

from mediatheque.app import DOORS
from mediatheque.domain.errors import ConflictError, Kind, MediathequeError, UnavailableError
from mediatheque.doors.http.problems import Door, error_handler, find_door
from tests.support.asgi import http_scope

ERRORS = {error.kind: error for error in MediathequeError.__subclasses__()}


def answer(path: str, error: Exception, **headers: str) -> Response[Any]:
    request = Request[Any, Any, Any](http_scope(path=path, headers=headers))  # type: ignore[arg-type]
    return error_handler(DOORS)(request, error)


@pytest.mark.parametrize(
    ("path", "door"),
    [
        ("/medias", "medias"),
        ("/medias/files/x", "medias"),
        ("/api/v1/media/medias", "medias"),
        ("/api/file", "files"),
        ("/api/file/upload", "files"),
        ("/api/files", "health"),
        ("/mediastuff", "health"),
        ("/health", "health"),
        ("/", "health"),
        ("", "health"),
    ],
)
def test_a_path_belongs_to_one_door(path: str, door: str) -> None:
    assert find_door(DOORS, path).name == door


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_every_door_has_a_status_for_every_kind(door: Door) -> None:
    assert set(door.statuses) == set(Kind)
    assert all(400 <= status < 600 and status != 500 for status in door.statuses.values())


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
@pytest.mark.parametrize("kind", Kind)
def test_an_error_is_answered_with_its_sentence(door: Door, kind: Kind) -> None:
    response = answer(door.prefixes[0], ERRORS[kind]("The name is empty.", field="page[size]"))

    assert response.status_code == door.statuses[kind]
    assert response.media_type == door.media_type
    assert b"The name is empty." in msgspec.json.encode(response.content)


def test_the_doors_speak_of_errors_in_their_own_shapes() -> None:
    error = ConflictError("No.", field="page[size]")

    assert answer("/medias", error).content == {
        "errors": [
            {
                "status": "409",
                "title": "Conflict",
                "detail": "No.",
                "source": {"pointer": "/page/size"},
            }
        ]
    }
    assert answer("/medias", ConflictError("No.")).content["errors"][0].keys() == {
        "status",
        "title",
        "detail",
    }
    assert answer("/api/file", error).content == {"error": "No."}
    assert answer("/api/file/upload/", error).content == {"error": "No."}
    assert answer("/api/file/1/tags", error).content == {"success": False, "error": "No."}
    assert answer("/health", error).content == {"error": "No."}


def test_what_may_work_later_says_when_to_try_again() -> None:
    assert answer("/medias", UnavailableError("Down.")).headers["Retry-After"] == "5"
    assert "Retry-After" not in answer("/medias", ConflictError("No.")).headers


def test_a_client_that_takes_only_json_gets_errors_as_json() -> None:
    response = answer("/medias", ConflictError("No."), accept="application/json")

    assert response.media_type == "application/json"


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (NotFoundException("/srv/secret"), 404, "There is nothing at this address."),
        (
            MethodNotAllowedException(headers={"Allow": "GET"}),
            405,
            "This address does not answer to this method.",
        ),
        (HTTPException(status_code=415, detail="/srv/secret"), 415, "Unsupported Media Type"),
    ],
)
def test_errors_of_the_framework_are_answered_without_its_words(
    error: HTTPException, status: int, sentence: str
) -> None:
    response = answer("/medias", error)

    assert response.status_code == status
    assert response.content["errors"][0]["detail"] == sentence
    assert {**(error.headers or {})}.items() <= response.headers.items()


@pytest.mark.parametrize(
    "error", [RuntimeError("/srv/secret"), InternalServerException("/srv/secret")]
)
def test_a_defect_is_logged_and_its_words_stay_inside(error: Exception) -> None:
    with capture_logs() as logs:
        response = answer("/api/file/1/tags", error)

    assert response.status_code == 500
    assert response.content == {
        "error": "Something went wrong here; the log of the service tells more."
    }
    assert [entry["exc_info"] for entry in logs] == [error]
