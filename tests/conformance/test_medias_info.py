"""Door 3: what is said of a media, and downloads that are left to the store."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.medias import JSON_API, check_problem, fresh, problem, upload
from tests.support.seaweedfs import SeaweedFS
from tests.support.service import Service, running, s3_settings

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 1000


def test_a_media_that_is_not_there_is_404(local_service: Service) -> None:
    resource = fresh()
    for kind in ("info", "files"):
        answer = local_service.http.get(f"/medias/{kind}/{resource}")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == JSON_API
        assert answer.json() == problem(404, f"There is no resource '{resource}'.")
        derived = local_service.http.get(f"/medias/{kind}/{resource}/poster.jpg")
        sentence = f"There is no resource '{resource}' with key 'poster.jpg'."
        assert derived.json() == problem(404, sentence)
    assert local_service.http.head(f"/medias/files/{resource}").status_code == 404


def test_clients_that_take_only_json_get_it(local_service: Service) -> None:
    resource = fresh()
    upload(local_service, resource, b"x")
    for path in (f"/medias/info/{resource}", "/medias?page[size]=1", "/medias/info/none"):
        plain = local_service.http.get(path, headers={"Accept": "application/json"})
        assert plain.headers["content-type"] == "application/json"
        for accept in ("*/*", JSON_API, f"application/json, {JSON_API}", "application/json, */*"):
            answer = local_service.http.get(path, headers={"Accept": accept})
            assert answer.headers["content-type"] == JSON_API
            assert answer.json().keys() == plain.json().keys()


def test_info_answers_with_the_attributes_that_are_asked_for(local_service: Service) -> None:
    resource = fresh()
    found = upload(local_service, resource, b"abc")
    path = f"/medias/info/{resource}"
    answer = local_service.http.get(path, params={"fields[media:medias]": "size,project_id"})
    assert answer.json() == {
        "data": {
            "type": "media:medias",
            "id": found["id"],
            "attributes": {"size": 3, "project_id": None},
        }
    }
    refused = local_service.http.get(path, params={"fields[media:medias]": "nope"})
    check_problem(refused, 422, pointer="/fields/media:medias", says="'nope'")


@pytest.fixture(scope="module")
def redirecting(
    tmp_path_factory: pytest.TempPathFactory, seaweedfs: SeaweedFS
) -> Iterator[Service]:
    """A service that leaves downloads to its S3 store."""
    settings = {
        **s3_settings(seaweedfs, "redirecting"),
        "MEDIATHEQUE_REDIRECT_DOWNLOADS": "true",
        "MEDIATHEQUE_WORKERS": "1",
    }
    with running(tmp_path_factory.mktemp("redirecting") / "data", settings) as started:
        yield started


def test_downloads_can_be_left_to_the_store(redirecting: Service) -> None:
    resource = fresh()
    upload(redirecting, resource, PNG, filename="ünï.png")
    answer = redirecting.http.get(f"/medias/files/{resource}")
    assert answer.status_code == 307
    assert answer.headers["cache-control"] == "no-store"
    location = answer.headers["location"]
    assert location.startswith(redirecting.settings["MEDIATHEQUE_S3_ENDPOINT"])
    direct = httpx.get(location, trust_env=False)
    assert (direct.status_code, direct.content) == (200, PNG)
    assert direct.headers["content-type"] == "image/png"
    assert direct.headers["content-disposition"] == (
        "inline; filename=\"_n_.png\"; filename*=UTF-8''%C3%BCn%C3%AF.png"
    )
