"""``mediatheque upload`` as a real process that is interrupted and run again."""

import asyncio
import os
import signal
import uuid
from pathlib import Path

import pytest

from mediatheque.client import AsyncClient
from mediatheque.client.upload_states import state_folder
from tests.support.commands import refusal, run, start
from tests.support.cutting import CuttingProxy, cutting
from tests.support.service import Service

MIB = 1 << 20


@pytest.fixture(autouse=True)
def states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where uploads are remembered."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return state_folder()


def make_file(folder: Path, size: int, suffix: str = "") -> Path:
    file = folder / f"{uuid.uuid4().hex}{suffix}"
    file.write_bytes(os.urandom(MIB) * (size // MIB))
    return file


async def until_cut(proxy: CuttingProxy, process: asyncio.subprocess.Process) -> None:
    while not proxy.cuts:
        assert process.returncode is None
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("kind", "size", "how"),
    [("local", 72 * MIB, signal.SIGINT), ("s3", 24 * MIB, signal.SIGKILL)],
)
async def test_an_interrupted_upload_goes_on_when_it_is_run_again(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    states: Path,
    *,
    kind: str,
    size: int,
    how: signal.Signals,
) -> None:
    service: Service = request.getfixturevalue(f"{kind}_service")
    # Its name is not UTF-8.
    source = make_file(tmp_path, size, "\udcff.bin")
    with cutting(service.port) as proxy:
        proxy.cut_after(size // 2, size // 4, refuse=True)
        process = await start(proxy.url, "upload", source.name, folder=tmp_path)
        await until_cut(proxy, process)
        while proxy.cuts < 2:
            await asyncio.sleep(0.02)
        process.send_signal(how)
        _, err = await process.communicate()
        assert len(list(states.glob("*.json"))) == 1
        proxy.pass_again()
        before = proxy.up
        done = await run(proxy.url, "upload", source.name, "--json", folder=tmp_path)
        sent_again = proxy.up - before

    assert done.code == 0, done
    media_id = done.json()["media"]["id"]
    async with AsyncClient(service.url) as client:
        await client.medias.download(await client.medias.find(media_id), tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == source.read_bytes()
    assert sent_again < size * 3 // 4, "what had arrived is not sent again"
    assert list(states.iterdir()) == []
    if how is signal.SIGINT:
        assert process.returncode == 130
        assert err.decode().splitlines() == [
            "What has arrived is kept: the same command goes on from there.",
            "mediatheque: Interrupted.",
        ]


async def test_of_several_files_those_to_be_sent_again_are_named(
    local_service: Service, tmp_path: Path
) -> None:
    small, large = make_file(tmp_path, 0, "small"), make_file(tmp_path, 16 * MIB, "large")
    with cutting(local_service.port) as proxy:
        proxy.cut_after(8 * MIB, refuse=True)
        process = await start(proxy.url, "upload", small.name, large.name, folder=tmp_path)
        await until_cut(proxy, process)
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()

    said = err.decode().splitlines()
    assert said[0].startswith("Not finished: ")
    assert large.name in said[0]
    assert said[0].endswith("The same command with these goes on from there.")


async def test_without_a_place_to_remember_them_uploads_work(
    local_service: Service, tmp_path: Path
) -> None:
    source = make_file(tmp_path, 2 * MIB)
    (tmp_path / "no folder").touch()
    nowhere = {"XDG_STATE_HOME": str(tmp_path / "no folder")}
    done = await run(local_service.url, "upload", source.name, folder=tmp_path, settings=nowhere)
    silent = await run(
        local_service.url, "upload", source.name, "--no-resume", folder=tmp_path, settings=nowhere
    )

    assert done.code == silent.code == 0, done
    assert done.err.startswith("What is interrupted cannot be gone on with later: ")
    assert nowhere["XDG_STATE_HOME"] in done.err
    assert silent.err == ""


async def test_an_address_can_be_chosen_for_one_file(
    local_service: Service, tmp_path: Path
) -> None:
    source, resource = make_file(tmp_path, MIB), uuid.uuid4().hex
    options = ["--resource", resource, "--project", "p", "--public", "--json"]
    done = await run(local_service.url, "upload", source.name, *options, folder=tmp_path)
    again = await run(local_service.url, "upload", source.name, *options[:2], folder=tmp_path)
    several = await run(local_service.url, "upload", "a", "b", *options[:2], folder=tmp_path)

    media = done.json()["media"]
    assert (media["resource"], media["project_id"], media["public"]) == (resource, "p", True)
    assert "already exists" in refusal(again, 9)
    assert "is the address of one file" in refusal(several, 2)
