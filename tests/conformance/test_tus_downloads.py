"""The address of a finished upload gives its bytes, and says what they are."""

import pytest

from tests.support.door_uploads import (
    TUS,
    check_added,
    check_error,
    check_offset,
    create,
    look,
    media_of,
    metadata,
    patch,
    uploaded,
)
from tests.support.service import Service

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100


def test_a_download_is_that_of_the_media(service: Service) -> None:
    said = metadata(filename="Bild 1.png", filetype="text/html")
    path = uploaded(service, PNG, Upload_Metadata=said)
    media = media_of(service, path)
    for headers in ({}, TUS):
        answer = service.http.get(path, headers=headers)
        assert (answer.status_code, answer.content) == (200, PNG)
        expected = {
            "tus-resumable": "1.0.0",
            "upload-length": str(len(PNG)),
            "upload-metadata": said,
            "content-type": "image/png",
            "content-length": str(len(PNG)),
            "accept-ranges": "bytes",
            "x-content-type-options": "nosniff",
        }
        assert {name: answer.headers[name] for name in expected} == expected
        assert 'filename="Bild 1.png"' in answer.headers["content-disposition"]
        assert answer.headers["etag"]
        assert answer.headers["last-modified"]
    direct = service.http.get(f"/medias/files/{media['resource']}")
    assert direct.headers["etag"] == answer.headers["etag"]


@pytest.mark.parametrize(
    ("ranges", "status", "content"),
    [
        ("bytes=0-2", 206, b"abc"),
        ("bytes=-2", 206, b"ij"),
        ("bytes=8-100", 206, b"ij"),
        ("bytes=10-", 416, b""),
        ("lines=1-2", 200, b"abcdefghij"),
    ],
)
def test_ranges_are_served(service: Service, ranges: str, status: int, content: bytes) -> None:
    path = uploaded(service, b"abcdefghij")
    answer = service.http.get(path, headers={"Range": ranges})
    assert (answer.status_code, answer.content) == (status, content)
    assert answer.headers["tus-resumable"] == "1.0.0"


def test_conditions_are_observed(local_service: Service) -> None:
    path = uploaded(local_service, b"abc")
    etag = local_service.http.get(path).headers["etag"]
    for headers, status in [
        ({"If-None-Match": etag}, 304),
        ({"If-None-Match": '"other"'}, 200),
        ({"If-Match": '"other"'}, 412),
        ({"If-Range": '"other"', "Range": "bytes=0-0"}, 200),
        ({"If-Range": etag, "Range": "bytes=0-0"}, 206),
    ]:
        assert local_service.http.get(path, headers=headers).status_code == status


def test_an_upload_that_is_not_finished_has_nothing_to_download(service: Service) -> None:
    path = create(service, 5)
    check_error(service.http.get(path), 404, says="not become a media")
    check_added(patch(service, path, b"abc"), 3)
    check_error(service.http.get(path), 404, says="not become a media")
    check_offset(look(service, path), 3, length=5)


def test_an_upload_goes_with_its_media(local_service: Service) -> None:
    path = uploaded(local_service, b"abc")
    upload_id = path.rpartition("/")[2]
    assert local_service.http.delete(f"/api/file/{upload_id}").status_code == 200
    check_error(local_service.http.get(path), 404, says="no such upload")
    assert look(local_service, path).status_code == 404
