"""The description of ``/uploads`` in OpenAPI."""

from typing import Any

import pytest

from tests.support.service import Service

CREATION = "/uploads"
UPLOAD = "/uploads/{upload_id}"


@pytest.fixture
def paths(local_service: Service) -> dict[str, Any]:
    described = local_service.http.get("/openapi.json").json()["paths"]
    return {path: described[path] for path in described if path.startswith(CREATION)}


def test_every_method_is_described(paths: dict[str, Any]) -> None:
    assert {path: set(methods) for path, methods in paths.items()} == {
        CREATION: {"options", "post"},
        UPLOAD: {"options", "get", "head", "patch", "delete"},
    }


@pytest.mark.parametrize(
    ("path", "method", "statuses"),
    [
        (CREATION, "options", "204"),
        (CREATION, "post", "201 400 403 408 409 412 413 415 423 460"),
        (UPLOAD, "head", "200 404 409 410 412"),
        (UPLOAD, "get", "200 404 410"),
        (UPLOAD, "patch", "204 400 403 404 408 409 410 412 413 415 423 460"),
        (UPLOAD, "delete", "204 404 409 410 412 423"),
    ],
)
def test_every_status_is_described(
    paths: dict[str, Any], path: str, method: str, statuses: str
) -> None:
    success, *errors = statuses.split()
    responses = paths[path][method]["responses"]
    assert {success, *errors} <= set(responses)
    assert "Tus-Resumable" in responses[success]["headers"]
    assert all(h["schema"] == {"type": "string"} for h in responses[success]["headers"].values())


@pytest.mark.parametrize(
    ("path", "method", "names"),
    [
        (CREATION, "post", "Upload-Length Upload-Defer-Length Upload-Metadata Upload-Concat"),
        (UPLOAD, "patch", "Upload-Offset Upload-Length Upload-Checksum"),
        (UPLOAD, "head", ""),
        (UPLOAD, "delete", ""),
    ],
)
def test_every_header_is_described(
    paths: dict[str, Any], path: str, method: str, names: str
) -> None:
    described = {one["name"] for one in paths[path][method]["parameters"] if one["in"] == "header"}
    assert {"Tus-Resumable", *names.split()} <= described


def test_both_types_of_bytes_are_described(paths: dict[str, Any]) -> None:
    assert set(paths[UPLOAD]["patch"]["requestBody"]["content"]) == {
        "application/offset+octet-stream",
        "application/partial-upload",
    }
