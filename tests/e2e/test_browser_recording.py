"""A real browser records with the page of the how-to, and plays what became of recordings."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from mediatheque.client import Client
from tests.support.browser import browser
from tests.support.films import Codec, chunks, make_recording
from tests.support.pages import documented_page, serving
from tests.support.service import Service, running

__all__ = ["browser"]

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "record-from-a-browser.md"
SECONDS = 2.0

# What a person does with a player: look how long it is, jump to the middle, see a picture.
WATCH = """async (video) => {
    const once = (name) => new Promise((resolve, reject) => {
        video.addEventListener(name, resolve, {once: true});
        video.addEventListener("error", () => reject(video.error), {once: true});
    });
    if (video.error) throw video.error;
    if (video.readyState < HTMLMediaElement.HAVE_METADATA) await once("loadedmetadata");
    const {duration} = video;
    if (!Number.isFinite(duration)) throw new Error(`the duration is ${duration}`);
    video.pause();
    video.currentTime = duration / 2;
    await once("seeked");
    return {duration, at: video.currentTime, width: video.videoWidth};
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the page."""
    return tmp_path_factory.mktemp("site")


@pytest.fixture(scope="module")
def origin(site: Path) -> Iterator[str]:
    """Where the page comes from: a server on this machine, as browsers ask of it."""
    with serving(site) as origin:
        yield origin


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, origin: str) -> Iterator[Service]:
    """A service that lets the page in."""
    settings = {"MEDIATHEQUE_CORS_ORIGINS": origin}
    with running(tmp_path_factory.mktemp("recordings") / "data", settings) as started:
        yield started


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_page() as opened:
        opened.set_default_timeout(30_000)
        yield opened


def watch(page: Page) -> dict[str, Any]:
    watched: dict[str, Any] = page.locator("video").evaluate(WATCH)
    return watched


def watch_alone(page: Page, url: str) -> dict[str, Any]:
    """Watch a film of the service's own origin, from which players may fetch playlists."""
    page.goto(str(httpx.URL(url).join("/health")))
    page.set_content(f'<video src="{url}" preload="auto"></video>')
    return watch(page)


def test_the_page_of_the_how_to_records_through_a_bad_connection_and_plays(
    service: Service, page: Page, site: Path, origin: str
) -> None:
    sent: list[str] = []

    def harm(route: Route) -> None:
        """Lose the answer to the first chunk, and do not let the second one through at first."""
        sent.append(route.request.headers["chunk-index"])
        if len(sent) == 1:
            route.fetch()
        if len(sent) in {1, 3}:
            route.abort()
        else:
            route.continue_()

    (site / "record.html").write_text(documented_page(HOW_TO, service.url))
    page.route(f"{service.url}/add_data/**", harm)
    page.goto(f"{origin}/record.html")
    page.click("#start")
    expect(page.locator("#state")).to_have_text("recording")
    page.wait_for_timeout(SECONDS * 1000)
    page.click("#stop")
    expect(page.locator("#state")).to_have_text("complete", timeout=30_000)
    watched = watch(page)

    assert sent[:4] == ["0", "0", "1", "1"]
    assert SECONDS - 1 < watched["duration"] < SECONDS + 3
    assert watched["at"] == pytest.approx(watched["duration"] / 2)
    assert watched["width"] > 0
    with Client(service.url) as client:
        (recording,) = client.recordings.list(limit=1)
        media = client.medias.find(recording.id)
    assert recording.chunks == len(set(sent))
    assert media.meta["duration"] == pytest.approx(watched["duration"], abs=0.1)


@pytest.mark.parametrize("codec", ["vp8", "h264", "opus"])
def test_what_other_recorders_send_plays_in_a_browser(
    service: Service, page: Page, codec: Codec
) -> None:
    with Client(service.url) as client:
        recording = client.recordings.record(chunks(make_recording(codec, SECONDS), 4))
        playable = client.recordings.wait(recording.id).playable
    assert playable is not None
    assert playable.key.startswith("processed.")
    watched = watch_alone(page, playable.url)

    assert watched["duration"] == pytest.approx(SECONDS, abs=0.2)
    assert watched["at"] == pytest.approx(watched["duration"] / 2)
    assert (watched["width"] > 0) == (codec != "opus")


def test_a_recording_plays_in_segments(service: Service, page: Page) -> None:
    with Client(service.url) as client:
        recording = client.recordings.record([make_recording("h264", SECONDS)])
        client.recordings.wait(recording.id)
        asked = service.http.post(f"/medias/process/{recording.id}", json={"steps": ["hls"]})
        client.jobs.wait(asked.json()["data"]["id"])
        files = {file.key: file.url for file in client.recordings.find(recording.id).files}
    watched = watch_alone(page, files["master.m3u8"])

    assert watched["duration"] == pytest.approx(SECONDS, abs=0.2)
    assert watched["at"] == pytest.approx(watched["duration"] / 2)
    assert watched["width"] > 0
