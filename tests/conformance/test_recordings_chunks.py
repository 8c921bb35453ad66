"""Door 1, chunk by chunk: what is taken, in which order, and what is refused."""

import re
import uuid

import httpx
import pytest

from tests.support.door_one import (
    ADDED,
    add,
    arrived,
    check_added,
    check_error,
    check_unknown,
    complete,
    content_digest,
    create,
    position,
    record,
    status,
)
from tests.support.forms import FORM, file_field, form, text_field
from tests.support.service import Service
from tests.support.wire import exchange

LARGEST = 2**63 - 1
COMMON_NAMES = {"sha-256": "SHA-256", "sha-512": "SHA-512", "sha": "SHA-1", "md5": "MD5"}
UNKNOWN = [
    "0d0541dd-3f4d-4510-931e-ad3b6b5753a3",
    "01a1fc87-9655-79af-939f-09e2b6784b59",
    "7",
    "nothing",
    "x" * 2000,
    "%00",
    "%ff",
    "%C3%A9",
]


@pytest.mark.parametrize("body", [b"", b"{}", b"anything \x00"])
@pytest.mark.parametrize("path", ["/create/", "/create"])
def test_a_recording_begins_with_an_id(local_service: Service, path: str, body: bytes) -> None:
    answer = local_service.http.post(path, content=body)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    video_id = answer.json()["video_id"]
    assert answer.json() == {"video_id": video_id}
    assert uuid.UUID(video_id).version == 4
    assert str(uuid.UUID(video_id)) == video_id
    assert status(local_service, video_id) == {"status": "recording"}


def test_chunks_are_appended_in_the_order_in_which_they_come(service: Service) -> None:
    video_id = create(service)
    chunks = [b"first", b"\x00" * 100_000, b"third"]

    answers = [add(service, video_id, chunk) for chunk in chunks]

    for answer in answers:
        check_added(answer)
    assert [position(answer) for answer in answers] == [(1, 5), (2, 100_005), (3, 100_010)]
    assert arrived(service, video_id) == b"".join(chunks)
    found = service.http.get(f"/check_status/{video_id}/")
    assert found.json() == {"status": "recording"}
    assert position(found) == (3, 100_010)


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "video/webm",
        "video/webm;codecs=vp8,opus",
        "application/octet-stream",
        "application/json",
        "application/x-www-form-urlencoded",
        "text/plain; charset=utf-8",
        "multipart/mixed; boundary=x",
        "nonsense",
    ],
)
@pytest.mark.parametrize("slash", ["/", ""])
def test_a_raw_chunk_may_be_of_any_type(
    local_service: Service, content_type: str | None, slash: str
) -> None:
    video_id = create(local_service)
    headers = {} if content_type is None else {"Content-Type": content_type}

    reply = exchange(
        local_service, "POST", f"/add_data/{video_id}{slash}", headers, b"\x00{--x\r\n}"
    )

    assert reply.status == 200
    assert (reply.headers["chunk-index"], reply.headers["upload-offset"]) == ("1", "8")
    assert arrived(local_service, video_id) == b"\x00{--x\r\n}"


@pytest.mark.parametrize(
    "parts",
    [
        (file_field(b"\x1a\r\n--\x00", name="video", filename="blob"),),
        (file_field(b"\x1a\r\n--\x00", name="file", filename=""),),
        (text_field("n", "7"), file_field(b"\x1a\r\n--\x00"), text_field("name", "é")),
    ],
)
def test_a_form_is_a_chunk_of_its_one_file(
    local_service: Service, parts: tuple[bytes, ...]
) -> None:
    video_id = record(local_service, b"a")

    answer = add(local_service, video_id, form(*parts), Content_Type=FORM)

    check_added(answer, chunks=2, size=7)
    assert arrived(local_service, video_id) == b"a\x1a\r\n--\x00"


def test_the_form_of_a_real_client_is_taken(service: Service) -> None:
    video_id = create(service)
    for chunk in (b"one", b"two" * 200_000):
        answer = service.http.post(
            f"/add_data/{video_id}/", files={"video": ("blob", chunk, "video/webm")}
        )
        check_added(answer)
    assert arrived(service, video_id) == b"one" + b"two" * 200_000


@pytest.mark.parametrize(
    ("body", "content_type", "says"),
    [
        (form(file_field(b"a"), file_field(b"b", name="other")), FORM, "second file"),
        (form(text_field("a", "b")), FORM, "no file"),
        (form(file_field(b"abc"))[:-10], FORM, "cannot be read"),
        (b"raw bytes", "multipart/form-data", "boundary"),
        (b"raw bytes", FORM, "cannot be read"),
    ],
)
def test_of_a_bad_form_nothing_is_kept(
    local_service: Service, body: bytes, content_type: str, says: str
) -> None:
    video_id = record(local_service, b"before")
    check_error(add(local_service, video_id, body, Content_Type=content_type), 400, says=says)
    check_added(add(local_service, video_id, b"after"), chunks=2, size=11)
    assert arrived(local_service, video_id) == b"beforeafter"


@pytest.mark.parametrize("place", [{}, {"Chunk_Index": 1}, {"Upload_Offset": 3}])
@pytest.mark.parametrize("body", [(b"", None), (form(file_field(b"")), FORM), (b"", FORM)])
def test_an_empty_chunk_is_acknowledged_and_is_nothing(
    local_service: Service, body: tuple[bytes, str | None], place: dict[str, int]
) -> None:
    video_id = record(local_service, b"abc")
    typed = {} if body[1] is None else {"Content_Type": body[1]}
    # Where it was given a number, it takes that number.
    chunks = 2 if "Chunk_Index" in place else 1

    answer = add(local_service, video_id, body[0], **typed, **place)

    assert (answer.status_code, answer.json()) == (200, ADDED)
    assert position(answer) == (chunks, 3)
    assert arrived(local_service, video_id) == b"abc"
    check_added(add(local_service, video_id, b"d", Chunk_Index=chunks), chunks=chunks + 1, size=4)


@pytest.mark.parametrize("named", ["Chunk_Index", "Upload_Offset", "both"])
def test_a_chunk_that_comes_again_is_acknowledged_again(service: Service, named: str) -> None:
    video_id = create(service)
    chunks = [b"first", b"second", b"third!!"]
    places = [(0, 0), (1, 5), (2, 11)]

    def send(number: int, chunk: bytes) -> httpx.Response:
        both = {"Chunk_Index": places[number][0], "Upload_Offset": places[number][1]}
        given = both if named == "both" else {named: both[named]}
        return add(service, video_id, chunk, **given)

    for number, chunk in enumerate(chunks):
        for _ in range(2):
            check_added(send(number, chunk), chunks=number + 1)
    again = [send(number, chunk) for number, chunk in enumerate(chunks)]
    assert [position(answer) for answer in again] == [(3, 18)] * 3
    for number, other in ((0, b"FIRST"), (1, b"longer than before"), (2, b"")):
        answer = send(number, other)
        assert answer.status_code == 409
        assert position(answer) == (3, 18)
    assert arrived(service, video_id) == b"firstsecondthird!!"


@pytest.mark.parametrize(
    "place",
    [
        {"Chunk_Index": 3},
        {"Chunk_Index": LARGEST},
        {"Upload_Offset": 12},
        {"Upload_Offset": LARGEST},
        {"Upload_Offset": 4},
        {"Chunk_Index": 2, "Upload_Offset": 5},
        {"Chunk_Index": 2, "Upload_Offset": 0},
        {"Chunk_Index": 1, "Upload_Offset": 11},
        {"Chunk_Index": 0, "Upload_Offset": 5},
    ],
)
def test_a_chunk_that_does_not_fit_is_refused_with_the_one_that_does(
    local_service: Service, place: dict[str, int]
) -> None:
    video_id = record(local_service, b"first", b"second")

    answer = add(local_service, video_id, b"third", **place)

    check_error(answer, 409, says="2")
    assert "11" in answer.json()["error"]
    assert position(answer) == (2, 11)
    assert arrived(local_service, video_id) == b"firstsecond"
    check_added(
        add(local_service, video_id, b"third", Chunk_Index=2, Upload_Offset=11), chunks=3, size=16
    )


@pytest.mark.parametrize("name", ["Chunk-Index", "Upload-Offset"])
@pytest.mark.parametrize(
    "value", ["", "-1", "+1", "1.0", "1_0", "a", "0x1", "²", "1 2", "1, 2", str(2**63), "9" * 400]
)
def test_a_place_that_is_no_number_is_400(local_service: Service, name: str, value: str) -> None:
    video_id = create(local_service)
    encoded = value.encode()
    answer = local_service.http.post(
        f"/add_data/{video_id}/", content=b"abc", headers=[(name.encode(), encoded)]
    )
    check_error(answer, 400, says=name)
    assert str(LARGEST) in answer.json()["error"]
    check_error(local_service.http.get(f"/video/{video_id}/x"), 404, says="has arrived")


@pytest.mark.parametrize("algorithm", COMMON_NAMES)
@pytest.mark.parametrize("content_type", ["video/webm", FORM])
def test_a_chunk_is_verified_by_its_digest(
    local_service: Service, algorithm: str, content_type: str
) -> None:
    video_id = create(local_service)
    # Of a form the digest is that of all of it (RFC 9530, section 2).
    body = b"chunk" if content_type != FORM else form(file_field(b"chunk"))
    right = content_digest(algorithm, body)
    wrong = content_digest(algorithm, b"other")

    answer = add(local_service, video_id, body, Content_Type=content_type, Content_Digest=wrong)
    check_error(answer, 400, says=f"The {COMMON_NAMES[algorithm]} of what arrived")
    another = "md5" if algorithm != "md5" else "sha-512"
    mixed = f"{right}, {content_digest(another, b'other')}"
    answer = add(local_service, video_id, body, Content_Type=content_type, Content_Digest=mixed)
    check_error(answer, 400, says=f"The {COMMON_NAMES[another]} of what arrived")
    for digest in (right, f"crc32c=:AAAAAA==:, {right}"):
        answer = add(
            local_service, video_id, body, Content_Type=content_type, Content_Digest=digest
        )
        check_added(answer)
    assert position(answer) == (2, 10)
    assert arrived(local_service, video_id) == b"chunkchunk"


@pytest.mark.parametrize(
    ("digest", "says"),
    [
        ("", "sha-256, sha-512, sha, md5"),
        ("unixsum=:AAE=:", "sha-256, sha-512, sha, md5"),
        ("sha-256", "malformed"),
        ("sha-256=abc", "malformed"),
        ("sha-256=:AAAA:", "malformed"),
        (content_digest("sha-256", b"chunk")[:-1], "malformed"),
    ],
)
def test_a_digest_that_cannot_be_checked_is_400(
    local_service: Service, digest: str, says: str
) -> None:
    video_id = create(local_service)
    answer = add(local_service, video_id, b"chunk", Content_Digest=digest)
    check_error(answer, 400, says="Content-Digest")
    assert says in answer.json()["error"]
    assert position(local_service.http.get(f"/check_status/{video_id}")) == (0, 0)


def test_a_duplicate_with_a_wrong_digest_is_refused(local_service: Service) -> None:
    video_id = record(local_service, b"abc")
    wrong = content_digest("sha-256", b"abd")
    answer = add(local_service, video_id, b"abc", Chunk_Index=0, Content_Digest=wrong)
    check_error(answer, 400, says="SHA-256")
    right = content_digest("sha-256", b"abc")
    answer = add(local_service, video_id, b"abc", Chunk_Index=0, Content_Digest=right)
    check_added(answer, chunks=1, size=3)


def test_a_completed_recording_takes_no_more(local_service: Service) -> None:
    video_id = record(local_service, b"no film at all")
    complete(local_service, video_id)
    for place in ({}, {"Chunk_Index": 1}, {"Upload_Offset": 14}):
        answer = add(local_service, video_id, b"more", **place)
        check_error(answer, 409, says="complete")
        assert position(answer) == (1, 14)


@pytest.mark.parametrize("video_id", UNKNOWN)
@pytest.mark.parametrize("slash", ["/", ""])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/add_data/{}"),
        ("POST", "/complete_job/{}"),
        ("GET", "/check_status/{}"),
        ("GET", "/video/{}"),
        ("GET", "/video/{}/original"),
        ("GET", "/recordings/{}"),
    ],
)
def test_a_recording_that_is_not_there_is_404(
    local_service: Service, method: str, path: str, slash: str, video_id: str
) -> None:
    check_unknown(local_service.http.request(method, path.format(video_id) + slash))


def test_an_id_may_be_in_capitals(local_service: Service) -> None:
    video_id = record(local_service, b"abc")
    assert status(local_service, video_id.upper()) == {"status": "recording"}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/create/", {"POST"}),
        ("PUT", "/add_data/x/", {"POST"}),
        ("GET", "/add_data/x/", {"POST"}),
        ("GET", "/complete_job/x/", {"POST"}),
        ("POST", "/check_status/x/", {"GET"}),
        ("POST", "/video/x/", {"GET", "HEAD"}),
        ("DELETE", "/video/x/y", {"GET", "HEAD"}),
        ("DELETE", "/recordings/x", {"GET"}),
        ("POST", "/recordings", {"GET"}),
    ],
)
def test_other_methods_are_405(
    local_service: Service, method: str, path: str, allowed: set[str]
) -> None:
    answer = local_service.http.request(method, path)
    check_error(answer, 405, says="does not answer to this method")
    assert set(re.split(", ?", answer.headers["allow"])) - {"OPTIONS"} == allowed
