"""What the console's types are made of is what the service answers."""

import json
from typing import Any

import pytest

from scripts import openapi

# The framework means to change how it reads parameters that are declared by their type alone.
pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated inferred style")


@pytest.fixture(scope="module")
def described() -> str:
    return openapi.render()


def test_the_description_is_as_the_service_gives_it(described: str) -> None:
    assert openapi.FILE.read_text() == described, "run python -m scripts.openapi"


def test_it_is_the_same_every_time(described: str) -> None:
    assert openapi.render() == described


def test_it_names_what_the_console_asks_for(described: str) -> None:
    found: dict[str, Any] = json.loads(described)

    assert {"/library", "/library/{media_id}", "/library/changes", "/system"} <= set(found["paths"])
    assert found["components"]["schemas"]["LibraryItem"]["properties"]["tags"]["type"] == "array"


@pytest.mark.parametrize(
    ("path", "method", "media_type"),
    [
        ("/medias/files/{name}", "post", "multipart/form-data"),
        ("/api/file/{file_id}/content", "put", "*/*"),
        ("/uploads/{upload_id}", "patch", "application/offset+octet-stream"),
        ("/add_data/{video_id}", "post", "*/*"),
    ],
)
def test_bytes_can_be_sent_from_the_page_that_shows_it(
    described: str, path: str, method: str, media_type: str
) -> None:
    assert media_type in json.loads(described)["paths"][path][method]["requestBody"]["content"]


@pytest.mark.parametrize("path", ["/medias/files/{name}", "/api/file/{file_id}/content"])
def test_a_range_can_be_asked_for(described: str, path: str) -> None:
    parameters = json.loads(described)["paths"][path]["get"]["parameters"]
    assert "Range" in {each["name"] for each in parameters}
