"""The page that records: what the camera saw arrives and plays, whatever happens on the way."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page, Request, expect

from tests.support.browser import browser
from tests.support.console import Console, console
from tests.support.service import Service

__all__ = ["browser"]

PROCESSING_MILLISECONDS = 60_000

NO_PERMISSION = """
navigator.mediaDevices.getUserMedia = async () => {
    throw new DOMException("Permission denied", "NotAllowedError");
};
"""
# What a person does with a player: look how long it is, and jump to the middle.
WATCH = """async (player) => {
    const once = (name) => new Promise((resolve, reject) => {
        player.addEventListener(name, resolve, {once: true});
        player.addEventListener("error", () => reject(player.error), {once: true});
    });
    if (player.error) throw player.error;
    if (player.readyState < HTMLMediaElement.HAVE_METADATA) await once("loadedmetadata");
    const {duration, videoWidth} = player;
    player.currentTime = duration / 2;
    await once("seeked");
    return {duration, at: player.currentTime, width: videoWidth ?? 0};
}"""


@pytest.fixture
def window(browser: Browser, local_service: Service) -> Iterator[Console]:
    """A window of its own, whose camera and microphone are made up."""
    with console(browser, local_service) as opened:
        yield opened


def record(page: Page, opener: str = "Open the camera") -> None:
    page.get_by_role("button", name=opener).click()
    page.get_by_role("button", name="Record", exact=True).click()
    expect(page.get_by_text("Recording", exact=True)).to_be_visible()


def record_seconds(page: Page, seconds: int) -> None:
    """Record until the page says that it has recorded so long."""
    expect(page.get_by_role("timer")).to_have_text(f"0:0{seconds}")


def watch(page: Page) -> dict[str, Any]:
    """Wait until the recording was processed, and play it."""
    player = page.get_by_label("Recording", exact=True)
    expect(player).to_be_visible(timeout=PROCESSING_MILLISECONDS)
    watched: dict[str, Any] = player.evaluate(WATCH)
    return watched


def chunk_numbers(page: Page) -> list[int]:
    """Return a list that grows with the numbers of the chunks that the page sends."""
    found: list[int] = []

    def see(request: Request) -> None:
        if "/add_data/" in request.url:
            found.append(int(request.headers["chunk-index"]))

    page.on("request", see)
    return found


def reload(page: Page) -> list[str]:
    """Load the page again; return what kinds of questions the browser asked, which get a yes."""
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.once("dialog", answer)
    page.reload()
    return asked


def received(service: Service, recording_id: str) -> Any:
    return service.http.get(f"/recordings/{recording_id}").json()


def test_a_recording_survives_the_loss_of_the_network_and_plays(
    window: Console, local_service: Service
) -> None:
    page = window.open("record")
    window.check_accessibility()
    window.picture("record-empty")
    sent = chunk_numbers(page)
    with page.expect_response("**/create/") as created:
        record(page)
    expect(page.get_by_role("meter", name="Sound level")).to_be_visible()
    record_seconds(page, 1)
    page.context.set_offline(True)
    expect(page.get_by_text("The connection is lost")).to_be_visible()
    expect(page.get_by_text("2 chunks")).to_be_visible()
    window.check_accessibility()
    window.picture("record")
    page.context.set_offline(False)
    expect(page.get_by_text("The connection is lost")).to_be_hidden()
    seconds = float(page.get_by_role("timer").inner_text().rpartition(":")[2])
    page.get_by_role("button", name="Stop").click()
    watched = watch(page)
    window.check_accessibility()
    window.picture("record-played")
    page.get_by_role("link", name="Show in the library").click()
    expect(page).to_have_url(re.compile(r"/#/library/[0-9a-f-]{36}$"))
    recording = received(local_service, created.value.json()["video_id"])

    assert seconds - 1 < watched["duration"] < seconds + 4
    assert watched["at"] == pytest.approx(watched["duration"] / 2, abs=0.1)
    assert watched["width"] > 0
    assert sent == sorted(sent)
    assert recording["chunks"] == len(set(sent))
    assert recording["warning"] is None
    assert page.url.endswith(recording["media"])
    window.expect_fault("ERR_INTERNET_DISCONNECTED")


def test_a_reload_loses_nothing_that_was_recorded(window: Console) -> None:
    page = window.open("record")
    page.route("**/add_data/**", lambda route: route.abort())
    sent = chunk_numbers(page)
    record(page)
    record_seconds(page, 3)
    asked = reload(page)
    page.unroute("**/add_data/**")
    expect(page.get_by_text("A recording was interrupted")).to_be_visible()
    window.check_accessibility()
    window.picture("record-reloaded")
    before = len(sent)
    page.get_by_role("button", name="Send and complete").click()
    watched = watch(page)

    assert asked == ["beforeunload"]
    assert set(sent[:before]) == {0}
    assert sent[before:] == list(range(len(sent) - before))
    assert 1.5 < watched["duration"] < 6
    window.expect_fault("ERR_FAILED")


def test_sound_alone_is_recorded_and_a_pause_is_not(window: Console) -> None:
    page = window.open("record")
    page.get_by_text("Sound", exact=True).click()
    record(page, "Open the microphone")
    record_seconds(page, 1)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused")).to_be_visible()
    standing = page.get_by_role("timer").inner_text()
    page.wait_for_timeout(2_500)
    assert page.get_by_role("timer").inner_text() == standing
    page.get_by_role("button", name="Resume").click()
    record_seconds(page, 2)
    page.get_by_role("button", name="Stop").click()
    watched = watch(page)

    assert 1 < watched["duration"] < 4
    assert watched["width"] == 0


def test_a_screen_is_recorded_with_the_sound_of_its_machine(window: Console) -> None:
    page = window.open("record")
    page.get_by_text("Screen", exact=True).click()
    record(page, "Choose what to show")
    record_seconds(page, 2)
    page.get_by_role("button", name="Stop").click()
    watched = watch(page)

    assert 1 < watched["duration"] < 5
    assert watched["width"] > 0


def test_leaving_the_page_asks_and_keeps_what_was_recorded(
    window: Console, local_service: Service
) -> None:
    page = window.open("record")
    with page.expect_response("**/create/") as created:
        record(page)
    record_seconds(page, 1)
    page.get_by_role("link", name="Jobs").click()
    page.get_by_role("dialog").get_by_role("button", name="Go on recording").click()
    record_seconds(page, 2)
    page.get_by_role("link", name="Jobs").click()
    with page.expect_response("**/complete_job/**"):
        page.get_by_role("dialog").get_by_role("button", name="Stop and leave").click()
    expect(page).to_have_url(re.compile("/#/jobs$"))

    recording = received(local_service, created.value.json()["video_id"])
    assert recording["status"] in {"processing", "complete"}
    assert recording["chunks"] >= 2


def test_a_camera_that_may_not_be_used_is_said_in_words(window: Console) -> None:
    window.page.add_init_script(NO_PERMISSION)
    page = window.open("record")
    page.get_by_role("button", name="Open the camera").click()

    expect(page.get_by_role("alert")).to_contain_text("Allow it beside the address")
    window.check_accessibility()
    window.picture("record-refused")
