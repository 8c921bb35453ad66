"""tus-js-client and Uppy in a real browser, through connections that break."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support import node
from tests.support.browser import browser
from tests.support.cutting import CuttingProxy, cutting
from tests.support.pages import documented_page, serving
from tests.support.service import Service, running
from tests.support.tus import TusServer, tus_peer

__all__ = ["browser", "tus_peer"]

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "resume-uploads.md"
MIB = 1 << 20
SIZE = 6 * MIB + 1
CUT = 4 * MIB
NAME = "Füchse 狐.mp4"

WITH_TUS_JS_CLIENT = """async ([endpoint, retryDelays]) => {
    const [file] = document.querySelector("input").files;
    const offsets = [];
    const onAfterResponse = (request, response) => {
        if (request.getMethod() === "HEAD") offsets.push(response.getHeader("Upload-Offset"));
    };
    return new Promise((resolve) => {
        const upload = new tus.Upload(file, {
            endpoint,
            retryDelays,
            metadata: {filename: file.name, filetype: file.type},
            onAfterResponse,
            onSuccess: () => resolve({url: upload.url, offsets, error: null}),
            onError: (error) => resolve({url: upload.url, offsets, error: error.message}),
        });
        upload.findPreviousUploads().then((found) => {
            if (found.length) upload.resumeFromPreviousUpload(found[0]);
            upload.start();
        });
    });
}"""

WITH_UPPY = """async ([endpoint, retryDelays]) => {
    const [file] = document.querySelector("input").files;
    const offsets = [];
    const onAfterResponse = (request, response) => {
        if (request.getMethod() === "HEAD") offsets.push(response.getHeader("Upload-Offset"));
    };
    const uppy = new Uppy.Uppy().use(Uppy.Tus, {endpoint, retryDelays, onAfterResponse});
    uppy.addFile({name: file.name, type: file.type, data: file});
    const {successful, failed} = await uppy.upload();
    return {url: successful[0]?.uploadURL, offsets, error: failed[0]?.error ?? null};
}"""

CLIENTS = pytest.mark.parametrize(
    "client", [WITH_TUS_JS_CLIENT, WITH_UPPY], ids=["tus-js-client", "uppy"]
)


@dataclass(frozen=True)
class Site:
    """A page that uploads to a server through a proxy: where its scripts are, and itself."""

    server: TusServer
    proxy: CuttingProxy
    scripts: str
    address: str

    def upload(self, page: Page, client: str, file: Path, retries: list[int]) -> Any:
        """Choose a file in the page, as a person does, and upload it."""
        page.goto(self.address)
        page.set_content(
            f"<input type='file'>"
            f"<script src='{self.scripts}/node_modules/tus-js-client/dist/tus.min.js'></script>"
            f"<script src='{self.scripts}/node_modules/uppy/dist/uppy.min.js'></script>"
        )
        page.set_input_files("input", file)
        return page.evaluate(client, [f"{self.proxy.url}/uploads/", retries])

    def check_kept(self, outcome: Any, file: Path) -> None:
        """Check that an upload went on after one cut and has a file's bytes.

        How many were sent tells nothing here: a browser repeats a request by itself when it was
        sent on a connection that had been used before.
        """
        assert outcome["error"] is None
        assert max(map(int, outcome["offsets"])) > 0
        assert self.proxy.cuts == 1
        assert self.server.content(outcome["url"]) == file.read_bytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of pages, with what npm installed."""
    made = tmp_path_factory.mktemp("site")
    (made / "node_modules").symlink_to(node.CLIENTS / "node_modules")
    return made


@pytest.fixture(scope="module")
def origin(folder: Path) -> Iterator[str]:
    """Where pages come from."""
    with serving(folder) as origin:
        yield origin


@pytest.fixture(scope="module")
def open_service(tmp_path_factory: pytest.TempPathFactory, origin: str) -> Iterator[Service]:
    """A service that lets those pages in."""
    settings = {"MEDIATHEQUE_CORS_ORIGINS": origin}
    with running(tmp_path_factory.mktemp("uploads") / "data", settings) as started:
        yield started


@pytest.fixture(params=["local", "s3", "peer"])
def site(request: pytest.FixtureRequest, origin: str) -> Iterator[Site]:
    """Pages of another origin for our local store and the control, of its own for our S3 store."""
    if request.param == "peer":
        server: TusServer = request.getfixturevalue("tus_peer")
    else:
        fixture = {"local": "open_service", "s3": "s3_service"}[request.param]
        service: Service = request.getfixturevalue(fixture)
        server = TusServer(service.port, service=service)
    with cutting(server.port) as proxy:
        own = f"{proxy.url}/health"
        yield Site(server, proxy, origin, own if request.param == "s3" else origin)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_page() as opened:
        opened.set_default_timeout(30_000)
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / NAME
    made.write_bytes(os.urandom(SIZE))
    return made


@CLIENTS
def test_a_page_goes_on_after_a_cut(site: Site, page: Page, file: Path, client: str) -> None:
    site.proxy.cut_after(CUT)
    outcome = site.upload(page, client, file, [100, 300, 1000])

    site.check_kept(outcome, file)


@CLIENTS
def test_a_page_goes_on_when_it_is_opened_again(
    site: Site, page: Page, file: Path, client: str
) -> None:
    site.proxy.cut_after(CUT, refuse=True)
    broken = site.upload(page, client, file, [])
    assert broken["error"] is not None
    site.proxy.pass_again()
    outcome = site.upload(page, client, file, [100, 300])

    site.check_kept(outcome, file)


def test_the_page_of_the_how_to_uploads_through_a_bad_connection(
    open_service: Service, folder: Path, origin: str, page: Page, file: Path
) -> None:
    with cutting(open_service.port) as proxy:
        (folder / "upload.html").write_text(documented_page(HOW_TO, proxy.url))
        page.goto(f"{origin}/upload.html")
        page.locator("input[type=file]").first.set_input_files(file)
        proxy.cut_after(CUT)
        page.get_by_role("button", name="Upload 1 file").click()
        link = page.locator("#uploaded a")
        expect(link).to_have_text(NAME)
        url = str(link.get_attribute("href"))

    assert proxy.cuts == 1
    assert TusServer(open_service.port).content(url) == file.read_bytes()
    info = open_service.http.get(f"/medias/info/{url.rpartition('/')[2]}").json()
    media = info["data"]["attributes"]
    assert (media["filename"], media["tags"]) == (NAME, ["from-the-web"])
