"""The Python client and the real service, also through connections that break."""

import os
import uuid
from pathlib import Path

import pytest

from mediatheque.client import (
    AsyncClient,
    Client,
    ConflictError,
    ConnectionLostError,
    IntegrityError,
    InvalidError,
    Media,
    NotFoundError,
    UnavailableError,
)
from mediatheque.client.downloads import partial_path
from tests.support.proxy import Fault, Harm, Proxy, answer
from tests.support.service import Service

MIB = 1 << 20


def make_file(folder: Path, size: int) -> Path:
    file = folder / f"{uuid.uuid4().hex}.bin"
    file.write_bytes(os.urandom(size))
    return file


@pytest.mark.parametrize("size", [0, 1, 3 * MIB + 1])
async def test_a_file_comes_back_as_it_was_sent(
    client: AsyncClient, tmp_path: Path, size: int
) -> None:
    source, target = make_file(tmp_path, size), tmp_path / "target"
    sent: list[tuple[int, int]] = []
    media = await client.medias.upload(
        source, tags=["a", "b"], on_progress=lambda *progress: sent.append(progress)
    )
    arrived: list[tuple[int, int]] = []
    await client.medias.download(
        media, target, on_progress=lambda *progress: arrived.append(progress)
    )

    assert target.read_bytes() == source.read_bytes()
    assert (media.filename, media.size, media.tags) == (source.name, size, ("a", "b"))
    assert await client.medias.find(media.id) == media
    assert sent[-1:] == ([(size, size)] if size else [])
    assert arrived[-1] == (size, size)
    assert b"".join([piece async for piece in client.medias.read(media)]) == source.read_bytes()
    assert sorted(tmp_path.iterdir()) == sorted([source, target])


async def test_files_are_found_by_name_tags_and_what_else_is_known(
    client: AsyncClient, tmp_path: Path
) -> None:
    mark = uuid.uuid4().hex
    made = []
    for number in range(3):
        file = tmp_path / f"{mark}-{number}.txt"
        file.write_text("x" * (number + 1))
        made.append(await client.medias.upload(file, tags=[mark, f"t{number}"]))

    async def found(**query: object) -> list[Media]:
        return [media async for media in client.medias.list(**query)]  # type: ignore[arg-type]

    assert await found(name=mark.upper()) == made[::-1]
    assert await found(tags=[mark], sort="size") == made
    assert await found(tags=[mark, "t1"]) == [made[1]]
    assert await found(tags=[mark], limit=2) == [made[2], made[1]]
    assert await found(name=mark, filters={"size__gte": 2}, sort="filename") == made[1:]
    assert await found(filters={"id": [media.id for media in made]}, sort="-size") == made[::-1]
    assert await found(name=f"{mark}-3") == []


async def test_more_files_are_found_than_fit_into_one_page(
    client: AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("mediatheque.client.medias._SEARCH_PAGE_SIZE", 2)
    monkeypatch.setattr("mediatheque.client.jsonapi.PAGE_SIZE", 2)
    mark = uuid.uuid4().hex
    file = make_file(tmp_path, 1)
    made = {(await client.medias.upload(file, tags=[mark])).id for _ in range(5)}

    assert {media.id async for media in client.medias.list(tags=[mark])} == made
    listed = [media.id async for media in client.medias.list(limit=7)]
    assert set(listed[:5]) == made


async def test_tags_are_added_and_removed(client: AsyncClient, tmp_path: Path) -> None:
    media = await client.medias.upload(make_file(tmp_path, 1), tags=["a"])
    await client.medias.add_tags(media, ["b", "c"])
    await client.medias.remove_tags(media, ["a", "b"])

    assert (await client.medias.find(media.id)).tags == ("c",)
    with pytest.raises(InvalidError, match="tag not found"):
        await client.medias.remove_tags(media, ["c", "a"])


async def test_derived_medias_have_addresses_of_their_own(
    client: AsyncClient, service: Service, tmp_path: Path
) -> None:
    name = f"{uuid.uuid4().hex} ?#%.mov"
    for key, content in (("", b"original"), ("umb", b"derived")):
        answered = service.http.post(
            "/medias/files/" + name.replace("%", "%25").replace("?", "%3F").replace("#", "%23"),
            files={"media": ("x", content)},
            data={"key": key},
        )
        assert answered.status_code == 200, answered.text
    original = await client.medias.find(name)
    derived = await client.medias.find(f"{name}/umb")

    assert derived == await client.medias.find(name, key="umb")
    assert derived == await client.medias.find(derived.id)
    await client.medias.download(derived, tmp_path / "derived")
    assert (tmp_path / "derived").read_bytes() == b"derived"
    with pytest.raises(InvalidError, match="goes with that"):
        await client.medias.delete(derived)
    await client.medias.delete(original)
    with pytest.raises(NotFoundError):
        await client.medias.find(f"{name}/umb")


async def test_what_is_not_there_is_told_with_the_request(client: AsyncClient) -> None:
    with pytest.raises(NotFoundError, match="There is no resource 'nosuch'") as caught:
        await client.medias.find("nosuch")

    assert caught.value.request_id


async def test_a_fifo_is_not_waited_for(client: AsyncClient, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(InvalidError, match="is not a file"):
        await client.medias.upload(tmp_path / "fifo")


async def test_a_download_goes_on_after_each_break(
    proxy: Proxy, shaky: AsyncClient, tmp_path: Path
) -> None:
    source = make_file(tmp_path, 8 * MIB)
    media = await shaky.medias.upload(source)
    proxy.faults.append(Fault("GET /medias/files/", Harm.CUT_ANSWER, 3))
    seen: list[int] = []
    await shaky.medias.download(
        media, tmp_path / "target", on_progress=lambda done, _total: seen.append(done)
    )

    assert (tmp_path / "target").read_bytes() == source.read_bytes()
    assert proxy.count("GET /medias/files/") == 4
    assert seen == sorted(seen), "nothing was asked for twice"


async def test_an_interrupted_download_goes_on_later(
    proxy: Proxy, shaky: AsyncClient, tmp_path: Path
) -> None:
    source, target = make_file(tmp_path, 8 * MIB), tmp_path / "target"
    media = await shaky.medias.upload(source)
    proxy.faults.append(Fault("GET /medias/files/", Harm.CUT_ANSWER))
    async with AsyncClient(proxy.endpoint, patience=0) as impatient:
        with pytest.raises(ConnectionLostError):
            await impatient.medias.download(media, target)
    kept = partial_path(target, media).stat().st_size
    assert 0 < kept < media.size
    assert not target.exists()
    seen: list[int] = []
    await shaky.medias.download(media, target, on_progress=lambda done, _total: seen.append(done))

    assert seen[0] == kept
    assert target.read_bytes() == source.read_bytes()
    assert not partial_path(target, media).exists()


async def test_a_damaged_download_is_thrown_away(shaky: AsyncClient, tmp_path: Path) -> None:
    media = await shaky.medias.upload(make_file(tmp_path, 2 * MIB))
    target = tmp_path / "target"
    partial_path(target, media).write_bytes(b"not its beginning")
    with pytest.raises(IntegrityError):
        await shaky.medias.download(media, target)
    assert not target.exists()
    await shaky.medias.download(media, target)

    assert target.stat().st_size == media.size


async def test_another_media_at_the_address_is_not_mixed_in(
    local_service: Service, tmp_path: Path
) -> None:
    name = uuid.uuid4().hex
    address = f"/medias/files/{name}"
    local_service.http.post(address, files={"media": ("x", b"first bytes")})
    async with AsyncClient(local_service.url) as client:
        media = await client.medias.find(name)
        partial_path(tmp_path / "x", media).write_bytes(b"first")
        await client.medias.delete(media)
        local_service.http.post(address, files={"media": ("x", b"other and longer bytes")})
        with pytest.raises(ConflictError, match="was replaced"):
            await client.medias.download(media, tmp_path / "x")

    assert not (tmp_path / "x").exists()


async def test_the_patience_ends(proxy: Proxy) -> None:
    busy = answer("503 Busy", '{"error": "later"}', headers="Retry-After: 60\r\n")
    proxy.faults.append(Fault("GET /medias/info", Harm.ANSWER, 9, busy))
    async with AsyncClient(proxy.endpoint, patience=5) as client:
        with pytest.raises(UnavailableError, match="later"):
            await client.medias.find("x")

    assert len(proxy.requests) == 1


def test_programs_without_a_loop_use_the_same_verbs(local_service: Service, tmp_path: Path) -> None:
    source = make_file(tmp_path, MIB)
    with Client(local_service.url) as client:
        media = client.medias.upload(source, tags=["sync"])
        client.medias.download(media, tmp_path / "target")
        assert list(client.medias.list(name=source.name)) == [media]
        assert b"".join(client.medias.read(media, start=100)) == source.read_bytes()[100:]
        client.medias.delete(media)
        with pytest.raises(NotFoundError):
            client.medias.find(media.id)

    assert (tmp_path / "target").read_bytes() == source.read_bytes()
