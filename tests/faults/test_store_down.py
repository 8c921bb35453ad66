"""The S3 store goes away and comes back."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tests.faults.clients import announce, confirm, content_of, listed_files, put, upload
from tests.faults.remains import objects_in, upload_rows
from tests.faults.victim import Victim
from tests.support import door_uploads, resumption
from tests.support.proxy import Fault, Harm, answer, run_proxy
from tests.support.seaweedfs import SeaweedFS
from tests.support.service import s3_settings

PREFIX = "faults-down"
CONTENT = content_of("store down", 400_000)


async def test_uploads_are_503_while_the_store_is_away_and_work_when_it_is_back(
    tmp_path: Path, seaweedfs: SeaweedFS
) -> None:
    away = Fault(".", Harm.ANSWER, times=0, answer=answer("503 Service Unavailable"))
    async with run_proxy(seaweedfs.endpoint) as proxy:
        proxy.faults.append(away)
        settings = s3_settings(seaweedfs, PREFIX) | {"MEDIATHEQUE_S3_ENDPOINT": proxy.endpoint}
        service = Victim(tmp_path / "data", settings | {"MEDIATHEQUE_WORKERS": "1"})
        http = service.http
        try:
            await asyncio.to_thread(service.start)
            ticket = await asyncio.to_thread(announce, http, "sent", len(CONTENT))
            with httpx.Client(trust_env=False) as direct:
                sent = await asyncio.to_thread(put, direct, ticket, CONTENT)
            assert sent.status_code == 200
            halves = CONTENT[:100_000], CONTENT[100_000:]
            parts = [await asyncio.to_thread(door_uploads.partial, service, one) for one in halves]

            away.times = 1_000_000
            concat = f"final;{' '.join(parts)}"
            media, file, ready, health, joined, empty = await asyncio.gather(
                asyncio.to_thread(upload, http, "media", CONTENT),
                asyncio.to_thread(confirm, http, ticket),
                asyncio.to_thread(http.get, "/ready"),
                asyncio.to_thread(http.get, "/health"),
                asyncio.to_thread(door_uploads.post, service, Upload_Concat=concat),
                asyncio.to_thread(resumption.begin, service, complete="?1"),
            )

            assert media.status_code == 503
            (error,) = media.json()["errors"]
            assert error["status"] == "503"
            assert seaweedfs.bucket in error["detail"]
            assert file.status_code == 503
            assert list(file.json()) == ["error"]
            assert ready.status_code == 503
            assert seaweedfs.bucket in ready.json()["checks"]["store"]
            assert ready.json()["checks"]["database"] == "ok"
            assert health.status_code == 200
            door_uploads.check_error(joined, 503, says=seaweedfs.bucket)
            resumption.check_problem(empty, 503, says=seaweedfs.bucket)
            answers = [media, file, ready, joined, empty]
            everything = "".join(one.text for one in answers) + service.log.read_text()
            assert seaweedfs.secret_key not in everything
            assert await asyncio.to_thread(listed_files, http) == {}

            away.times = 0
            ready = await asyncio.to_thread(http.get, "/ready")
            assert ready.status_code == 200
            assert (await asyncio.to_thread(confirm, http, ticket)).status_code == 200
            assert (await asyncio.to_thread(upload, http, "media", CONTENT)).status_code == 200
            links = await asyncio.to_thread(listed_files, http)
            assert ticket.id in links
            assert len(links) == 2
            for link in links.values():
                found = await asyncio.to_thread(http.get, link)
                assert found.content == CONTENT
            # What was created is where the answer has told, and is finished by who asks for it.
            for one, content in ((joined, CONTENT), (empty, b"")):
                path = urlsplit(one.headers["location"]).path
                found = await asyncio.to_thread(door_uploads.look, service, path)
                door_uploads.check_offset(found, len(content), length=len(content))
                await asyncio.to_thread(door_uploads.check_bytes, service, path, content)
            # Nothing half-done: as many objects as medias and files, no upload under way.
            assert await asyncio.to_thread(upload_rows, service) == 0
        finally:
            await asyncio.to_thread(service.close)
    assert len(objects_in(seaweedfs, PREFIX)) == 4
