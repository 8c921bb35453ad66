"""Uploads of the Python client to the real service, through connections that break."""

import asyncio
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mediatheque.client import (
    AsyncClient,
    ConflictError,
    ConnectionLostError,
    ForbiddenError,
    IntegrityError,
    InvalidError,
    Media,
    SourceChangedError,
)
from mediatheque.client.connection import Connection
from mediatheque.client.tus import NewUpload, Tus
from mediatheque.client.upload_states import UploadState, state_folder
from tests.support.cutting import CuttingProxy, cutting
from tests.support.proxy import Fault, Harm, Proxy, answer
from tests.support.service import Service, running

MIB = 1 << 20
SIZE = 14 * MIB + 5


@pytest.fixture
def cutter(service: Service) -> Iterator[CuttingProxy]:
    with cutting(service.port) as proxy:
        yield proxy


@pytest.fixture(params=["whole", "parts"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How files are sent: whole, or in parts from a size on that tests can afford."""
    if request.param == "parts":
        monkeypatch.setattr("mediatheque.client.uploads._LARGE_BYTES", 4 * MIB)
        monkeypatch.setattr("mediatheque.client.uploads._PART_UNIT", MIB)
    return str(request.param)


@pytest.fixture(autouse=True)
def states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where uploads are remembered."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return state_folder()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / f"{uuid.uuid4().hex}.bin"
    file.write_bytes(os.urandom(SIZE))
    return file


async def stored(client: AsyncClient, media: Media) -> bytes:
    return b"".join([piece async for piece in client.medias.read(media)])


async def listed(client: AsyncClient, source: Path) -> list[Media]:
    return [media async for media in client.medias.list(name=source.name)]


def at_leisure(_done: int, _total: int) -> None:
    """Give the service time for what was sent: what it has not read is lost with a connection."""
    time.sleep(0.02)


async def interrupted(cutter: CuttingProxy, source: Path, **options: Any) -> None:
    """Begin an upload and give it up for good when 9 MiB have been sent."""
    cutter.cut_after(9 * MIB, refuse=True)
    async with AsyncClient(cutter.url, patience=0) as impatient:
        with pytest.raises(ConnectionLostError):
            await impatient.medias.upload(source, resume=True, on_progress=at_leisure, **options)
    cutter.pass_again()


async def kept(service: Service, states: Path) -> int:
    """Return how many bytes the service has of the one upload that is remembered."""
    (file,) = states.glob("*.json")
    state = msgspec.json.decode(file.read_bytes(), type=UploadState)
    connection = Connection(service.url, timeout=60, patience=0)
    tus = Tus(connection)
    size = 0
    for part in state.parts:
        new = NewUpload(part.key, part.size, state.subject.metadata, len(state.parts) > 1)
        size += (await tus.look(await tus.create(new), length=part.size)).arrived
    await connection.close()
    return size


async def test_an_upload_goes_on_where_it_was_cut(
    client: AsyncClient, cutter: CuttingProxy, source: Path, way: str
) -> None:
    cutter.cut_after(5 * MIB, 4 * MIB)
    seen: list[int] = []
    async with AsyncClient(cutter.url) as cut_off:

        def progress(done: int, total: int) -> None:
            seen.append(done)
            at_leisure(done, total)

        media = await cut_off.medias.upload(source, on_progress=progress)

    assert cutter.cuts == 2
    assert await stored(client, media) == source.read_bytes()
    assert SIZE < cutter.up < 2 * SIZE, "nobody began again twice"
    assert seen[-1] == SIZE
    assert await listed(client, source) == [media]


@pytest.mark.usefixtures("way")
async def test_a_later_call_goes_on_where_an_earlier_one_was_interrupted(
    service: Service,
    client: AsyncClient,
    cutter: CuttingProxy,
    source: Path,
    states: Path,
) -> None:
    await interrupted(cutter, source, tags=["a"])
    there = await kept(service, states)
    assert there > 2 * MIB
    before = cutter.up
    async with AsyncClient(cutter.url) as later:
        media = await later.medias.upload(source, tags=["a"], resume=True)

    assert await stored(client, media) == source.read_bytes()
    assert cutter.up - before < SIZE - there + MIB
    assert await listed(client, source) == [media]
    assert list(states.iterdir()) == []


async def test_an_upload_that_is_not_to_be_resumed_leaves_nothing(
    proxy: Proxy, shaky: AsyncClient, source: Path, way: str, states: Path
) -> None:
    proxy.faults.append(Fault("POST ", Harm.ANSWER, 1, answer("403 Forbidden", '{"error": "no"}')))
    with pytest.raises(ForbiddenError, match="no"):
        await shaky.medias.upload(source)

    assert proxy.count("DELETE /uploads/") == (1 if way == "whole" else 4)
    assert list(states.iterdir()) == []


@pytest.mark.parametrize("harm", [Harm.CUT, Harm.LOSE_ANSWER, Harm.ANSWER])
async def test_an_upload_survives_what_happens_to_its_requests(
    proxy: Proxy, shaky: AsyncClient, source: Path, way: str, harm: Harm
) -> None:
    for line in ("POST /uploads", "PATCH /uploads/", "HEAD /uploads/", "OPTIONS "):
        proxy.faults.append(Fault(line, harm, 2, answer("503 Slow Down")))
    media = await shaky.medias.upload(source)

    assert await listed(shaky, source) == [media]
    assert await stored(shaky, media) == source.read_bytes()
    assert proxy.faults[0].times == 0


@pytest.mark.parametrize("way", ["parts"], indirect=True)
async def test_parts_are_joined_once_although_the_answer_was_lost(
    proxy: Proxy, shaky: AsyncClient, source: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    join = Tus.join

    async def join_unheard(tus: Tus, key: str, part_ids: Sequence[str], metadata: str) -> str:
        proxy.faults.append(Fault("POST /uploads", Harm.LOSE_ANSWER, 2))
        return await join(tus, key, part_ids, metadata)

    monkeypatch.setattr(Tus, "join", join_unheard)
    media = await shaky.medias.upload(source)

    assert proxy.count("POST /uploads") == 4 + 3
    assert await listed(shaky, source) == [media]
    assert await stored(shaky, media) == source.read_bytes()


@pytest.mark.parametrize("way", ["parts"], indirect=True)
async def test_a_join_that_takes_longer_than_the_patience_is_waited_for(
    proxy: Proxy, source: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    join = Tus.join

    async def join_slowly(tus: Tus, key: str, part_ids: Sequence[str], metadata: str) -> str:
        at_work = answer("423 Locked", '{"error": "still at work"}')
        proxy.faults.append(Fault("POST /uploads", Harm.LOSE_ANSWER))
        proxy.faults.append(Fault("POST /uploads", Harm.ANSWER, 4, at_work))
        return await join(tus, key, part_ids, metadata)

    monkeypatch.setattr(Tus, "join", join_slowly)
    async with AsyncClient(proxy.endpoint, patience=0.5) as client:
        media = await client.medias.upload(source)

        assert proxy.count("POST /uploads") == 4 + 6
        assert await stored(client, media) == source.read_bytes()


@pytest.mark.parametrize("way", ["parts"], indirect=True)
async def test_parts_that_have_all_arrived_are_joined_by_a_later_call(
    proxy: Proxy, source: Path, way: str, monkeypatch: pytest.MonkeyPatch, states: Path
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Tus, "join", lambda *_arguments: asyncio.Event().wait())
        async with AsyncClient(proxy.endpoint) as first:
            begun = asyncio.create_task(first.medias.upload(source, resume=True))
            while not any(b'"joining":[' in file.read_bytes() for file in states.glob("*.json")):
                await asyncio.sleep(0.02)
            begun.cancel()
            await asyncio.wait([begun])
    proxy.requests.clear()
    async with AsyncClient(proxy.endpoint) as second:
        media = await second.medias.upload(source, resume=True)
        assert await stored(second, media) == source.read_bytes()

    assert proxy.count("POST /uploads") == 1
    assert proxy.count("PATCH /uploads") == 0


async def test_bytes_that_are_damaged_on_the_way_are_not_kept(
    proxy: Proxy, shaky: AsyncClient, source: Path, way: str, states: Path
) -> None:
    proxy.faults.append(Fault("POST /uploads", Harm.DAMAGE))
    with pytest.raises(IntegrityError, match="is not what the file holds"):
        await shaky.medias.upload(source, resume=True)

    assert await listed(shaky, source) == []
    assert list(states.iterdir()) == []


@pytest.mark.parametrize("change", ["shrinks", "grows"])
async def test_a_file_that_changes_meanwhile_is_not_kept(
    proxy: Proxy, shaky: AsyncClient, source: Path, way: str, change: str
) -> None:
    def spoil(_done: int, _total: int) -> None:
        os.truncate(source, MIB if change == "shrinks" else 2 * SIZE)

    with pytest.raises(SourceChangedError):
        await shaky.medias.upload(source, on_progress=spoil, resume=True)

    assert await listed(shaky, source) == []
    assert proxy.count("DELETE /uploads/") == (1 if way == "whole" else 4)


@pytest.mark.parametrize("service", ["local"], indirect=True)
async def test_a_file_that_has_changed_since_begins_anew(
    client: AsyncClient, cutter: CuttingProxy, source: Path, states: Path
) -> None:
    await interrupted(cutter, source)
    source.write_bytes(os.urandom(SIZE))
    before = cutter.up
    async with AsyncClient(cutter.url) as later:
        media = await later.medias.upload(source, resume=True)

    assert cutter.up - before > SIZE
    assert await stored(client, media) == source.read_bytes()


@pytest.mark.parametrize("service", ["local"], indirect=True)
async def test_a_change_that_does_not_show_is_found_in_the_end(
    client: AsyncClient, cutter: CuttingProxy, source: Path, states: Path, way: str
) -> None:
    status = source.stat()
    await interrupted(cutter, source)
    source.write_bytes(os.urandom(SIZE))
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))
    async with AsyncClient(cutter.url) as later:
        with pytest.raises(IntegrityError):
            await later.medias.upload(source, resume=True)

    assert await listed(client, source) == []
    assert list(states.iterdir()) == []


@pytest.mark.parametrize("service", ["local"], indirect=True)
@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
async def test_an_upload_that_the_server_has_no_more_begins_anew(
    cutter: CuttingProxy, proxy: Proxy, source: Path, way: str, status: str
) -> None:
    cutter.cut_after(9 * MIB, refuse=True)
    async with AsyncClient(proxy.endpoint, patience=0) as impatient:
        proxy.port, upstream = cutter.port, proxy.port
        with pytest.raises(ConnectionLostError):
            await impatient.medias.upload(source, resume=True)
        proxy.port = upstream
    proxy.faults.append(Fault("HEAD /uploads/", Harm.ANSWER, 1, answer(status)))
    async with AsyncClient(proxy.endpoint) as later:
        media = await later.medias.upload(source, resume=True)
        assert await stored(later, media) == source.read_bytes()
        assert await listed(later, source) == [media]

    assert not [fault for fault in proxy.faults if fault.times]


async def test_the_same_upload_runs_once_at_a_time(
    client: AsyncClient, source: Path, way: str
) -> None:
    both = await asyncio.gather(
        client.medias.upload(source, resume=True),
        client.medias.upload(source, resume=True),
        return_exceptions=True,
    )

    (media,) = [one for one in both if isinstance(one, Media)]
    (refused,) = [one for one in both if isinstance(one, ConflictError)]
    assert f"{source} is being uploaded already" in refused.detail
    assert await listed(client, source) == [media]


async def test_an_upload_whose_address_was_taken_is_finished_once_that_is_free(
    local_service: Service, proxy: Proxy, shaky: AsyncClient, source: Path, way: str
) -> None:
    resource = uuid.uuid4().hex
    taken = "is taken by another media" if way == "whole" else "already exists"

    def take(done: int, total: int) -> None:
        at_leisure(done, total)
        if SIZE // 2 < done <= SIZE // 2 + MIB:
            form = {"media": ("x", b"x")}
            local_service.http.post(f"/medias/files/{resource}", files=form)

    with pytest.raises(ConflictError, match=taken):
        await shaky.medias.upload(source, resource=resource, resume=True, on_progress=take)
    began = time.monotonic()
    with pytest.raises(ConflictError, match=taken):
        await shaky.medias.upload(source, resource=resource, resume=True)
    assert time.monotonic() - began < 20, "nothing that patience helps with"
    await shaky.medias.delete(await shaky.medias.find(resource))
    proxy.requests.clear()
    media = await shaky.medias.upload(source, resource=resource, resume=True)

    assert (media.resource, await stored(shaky, media)) == (resource, source.read_bytes())
    assert proxy.count("PATCH /uploads/") == 0


@pytest.mark.parametrize("refused", [{"tags": ["x" * 101]}, {"project_id": "p" * 5000}])
async def test_of_an_upload_that_cannot_be_created_nothing_is_remembered(
    client: AsyncClient, source: Path, way: str, states: Path, refused: dict[str, Any]
) -> None:
    with pytest.raises(InvalidError):
        await client.medias.upload(source, resume=True, **refused)

    assert list(states.iterdir()) == []
    assert await listed(client, source) == []


async def test_what_is_said_of_a_file_is_kept(client: AsyncClient, source: Path, way: str) -> None:
    resource = f"the film {uuid.uuid4().hex} é/".rstrip("/")
    media = await client.medias.upload(
        source, name="ü.mov", tags=["x y", "z"], resource=resource, project_id="p", public=True
    )

    assert (media.filename, media.tags, media.resource) == ("ü.mov", ("x y", "z"), resource)
    assert (media.project_id, media.public, media.size) == ("p", True, SIZE)
    with pytest.raises(ConflictError, match="already exists"):
        await client.medias.upload(source, resource=resource)


@pytest.mark.parametrize("way", ["whole"], indirect=True)
async def test_an_upload_survives_that_the_service_is_killed(
    tmp_path: Path, source: Path, way: str
) -> None:
    with running(tmp_path / "data") as service:
        restarts: list[asyncio.Future[Service]] = []

        def kill(done: int, _total: int) -> None:
            if done > SIZE // 2 and not restarts:
                service.kill()
                restarts.append(asyncio.get_running_loop().run_in_executor(None, service.restart))

        async with AsyncClient(service.url, patience=120) as client:
            media = await client.medias.upload(source, on_progress=kill)
            await restarts[0]
            assert await stored(client, media) == source.read_bytes()
            assert await listed(client, source) == [media]
