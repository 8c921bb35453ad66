"""The console's page and files, and what stands for them when they are not there."""

import gzip
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.di import Provide
from litestar.testing import AsyncTestClient

from mediatheque.config import Settings
from mediatheque.doors.console import routes
from mediatheque.doors.console.built_files import BuiltFiles
from mediatheque.doors.console.policy import content_security_policy

# Every door declares its paths in this way, which the application allows.
pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated inferred style")

PAGE = '<!doctype html><meta name="csp-nonce" content="NONCE" /><h1>Console</h1>'
BROTLI = b"\x0b\x04\x80let page;\x03"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A folder as a build leaves it."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "assets" / "page-1a2b.js").write_text("let page;")
    (tmp_path / "assets" / "page-1a2b.js.gz").write_bytes(gzip.compress(b"let page;"))
    (tmp_path / "assets" / "page-1a2b.js.br").write_bytes(BROTLI)
    (tmp_path / "assets" / "tiny-3c4d.css").write_text("a{}")
    (tmp_path / "favicon.svg").write_text("<svg/>")
    (tmp_path / "left-over.map").write_text("{}")
    return tmp_path


@pytest.fixture
async def client(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[AsyncTestClient[Litestar]]:
    """A client of the console alone."""
    monkeypatch.setattr(routes, "_files", BuiltFiles(built))

    async def settings() -> Settings:
        return Settings()

    app = Litestar(
        [routes.router], dependencies={"settings": Provide(settings)}, openapi_config=None
    )
    async with AsyncTestClient(app) as opened:
        yield opened


async def test_the_page_has_the_nonce_of_its_policy_another_every_time(
    client: AsyncTestClient[Litestar],
) -> None:
    answers = [await client.get("/") for _ in range(2)]

    nonces = []
    for answer in answers:
        found = re.search(r'content="([\w-]+)"', answer.text)
        assert found is not None
        assert f"'nonce-{found[1]}'" in answer.headers["content-security-policy"]
        nonces.append(found[1])
    assert "NONCE" not in nonces
    assert nonces[0] != nonces[1]


async def test_a_console_that_was_not_built_says_how(
    client: AsyncTestClient[Litestar], built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (built / "index.html").unlink()
    monkeypatch.setattr(routes, "_files", BuiltFiles(built))
    answer = await client.get("/")

    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith("text/html")
    assert "make console" in answer.text
    assert 'href="/docs"' in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip;q=1.0, *;q=0", "gzip"),
        ("deflate", None),
        ("br;q=0, GZIP", "gzip"),
        ("identity", None),
    ],
)
async def test_a_file_is_sent_compressed_to_those_who_take_it(
    client: AsyncTestClient[Litestar], accepted: str, encoding: str | None
) -> None:
    answer = await client.get("/console/assets/page-1a2b.js", headers={"Accept-Encoding": accepted})

    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    if encoding == "br":
        assert answer.content == BROTLI  # the test's client has no decoder
    else:
        assert answer.content == b"let page;"


@pytest.mark.parametrize(
    ("path", "cache"),
    [
        ("/console/assets/tiny-3c4d.css", "public, max-age=31536000, immutable"),
        ("/console/favicon.svg", "no-cache"),
    ],
)
async def test_only_files_whose_names_are_of_their_content_are_kept(
    client: AsyncTestClient[Litestar], path: str, cache: str
) -> None:
    answer = await client.get(path)

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == cache
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "name", ["left-over.map", "nothing.js", "assets", "../test_routes.py", "/etc/passwd", ""]
)
def test_nothing_else_is_sent(built: Path, name: str) -> None:
    assert BuiltFiles(built).find(name) is None


@pytest.mark.parametrize(
    ("settings", "sources"),
    [
        (Settings(), []),
        (Settings(redirect_downloads=True), ["https:"]),
        (
            Settings(redirect_downloads=True, s3_endpoint="http://me:word@store:8333/x"),
            ["http://store:8333"],
        ),
    ],
)
def test_bytes_may_come_from_the_store_where_downloads_are_sent_there(
    settings: Settings, sources: list[str]
) -> None:
    directives = content_security_policy("n", settings).split("; ")
    policy = {name: values for name, *values in map(str.split, directives)}

    assert policy["script-src"] == ["'self'"]
    assert policy["media-src"] == ["'self'", "blob:", *sources]
    assert policy["connect-src"] == ["'self'", *sources]
