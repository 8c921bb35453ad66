"""Streaming multipart/form-data."""

import itertools
import re
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediatheque.domain.errors import DisconnectedError, InvalidError
from mediatheque.doors.http.multipart import (
    MAX_FIELD_BYTES,
    MAX_PARTS,
    FilePart,
    Form,
    read_file,
    read_form,
)
from tests.support.forms import BOUNDARY, FORM, form, part
from tests.support.watched import Watched, drop, taking

FILE_FIELDS = frozenset({"media", "file"})

Received = tuple[str, str | None, str | None, bytes]


async def in_pieces(body: bytes, size: int = 7) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def receive_file(part: FilePart) -> Received:
    return part.name, part.filename, part.content_type, b"".join([piece async for piece in part])


async def read(body: bytes, content_type: str | None = FORM) -> Form[Received]:
    return await read_form(
        content_type, in_pieces(body), file_fields=FILE_FIELDS, on_file=receive_file
    )


FILE = part(
    'name="media"; filename="y.mov"', b"\x00\r\n--bytes\r\n", "Content-Type: Video/MP4; x=y"
)
KEY = part('name="key"', "é\r\n".encode())


@pytest.mark.parametrize(
    "parts",
    [(FILE, KEY), (KEY, FILE), (KEY, FILE, part('name="public"', b""))],
)
async def test_fields_may_come_before_and_after_the_file(parts: tuple[bytes, ...]) -> None:
    result = await read(form(*parts))
    assert result.file == ("media", "y.mov", "video/mp4", b"\x00\r\n--bytes\r\n")
    assert result.fields["key"] == "é\r\n"
    assert result.fields.get("public", "") == ""


async def test_a_form_without_a_file_says_so() -> None:
    assert await read(form(KEY)) == Form({"key": "é\r\n"}, None)


async def test_a_form_without_parts_is_empty() -> None:
    assert await read(f"--{BOUNDARY}--".encode()) == Form({}, None)


async def test_what_precedes_and_follows_the_form_is_ignored() -> None:
    assert (await read(b"preamble\r\n" + form(KEY) + b"epilogue" * 10)).fields == {"key": "é\r\n"}


async def test_an_empty_file_is_a_file() -> None:
    result = await read(form(part('name="file"; filename=""', b"")))
    assert result.file == ("file", "", None, b"")


async def test_a_file_part_needs_no_filename() -> None:
    assert (await read(form(part('name="file"', b"abc")))).file == ("file", None, None, b"abc")


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ('filename="y.mov"', "y.mov"),
        ("filename=y.mov", "y.mov"),
        ('filename="C:\\x\\y.mov"', "y.mov"),
        ('filename="C:\\\\x\\\\y.mov"', "y.mov"),
        ('filename="../../etc/y.mov"', "y.mov"),
        ('filename="/y.mov"', "y.mov"),
        ('filename="a/"', ""),
        ('filename="a%22b.mov"', 'a"b.mov'),
        ('filename="a\\"b.mov"', 'a"b.mov'),
        ('filename="a; filename*=x.mov"', "a; filename*=x.mov"),
        ('filename="50%.mov"', "50%.mov"),
        ('filename="%41.mov"', "%41.mov"),
        ('filename="日本 🎬.mov"', "日本 🎬.mov"),
        ("filename*=UTF-8''%E2%82%AC%20rates.mov", "€ rates.mov"),
        ("filename=\"x.mov\"; filename*=utf-8'en'%E2%82%AC.mov", "€.mov"),
        ("filename*=iso-8859-1''%A3.mov; filename=\"x.mov\"", "£.mov"),
        ("filename*=UTF-8''..%2F..%2Fy.mov", "y.mov"),
        ("filename=\"x.mov\"; filename*=utf-7''y.mov", "x.mov"),
        ('filename="x.mov"; filename*=broken', "x.mov"),
        ("filename*=UTF-8''%FF.mov", "�.mov"),
    ],
)
async def test_the_filename_is_decoded_and_has_no_folders(parameters: str, expected: str) -> None:
    result = await read(form(part(f'name="media"; {parameters}', b"x")))
    assert result.file is not None
    assert result.file[1] == expected


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        (form(FILE, FILE), "media", "'media' is a second file, after 'media'"),
        (form(FILE, part('name="file"', b"x")), "file", "'file' is a second file, after 'media'"),
        (
            form(part('name="upload"; filename="x"', b"x")),
            "upload",
            "'upload' holds a file; files go into 'file' or 'media'",
        ),
        (form(KEY, FILE, KEY), "key", "'key' comes twice"),
        (form(part('name="key"', b"x" * (MAX_FIELD_BYTES + 1))), "key", "longer than 8192 bytes"),
        (form(part('name="key"', b"\xff")), "key", "'key' is not UTF-8"),
        (form(*(part(f'name="f{n}"', b"") for n in range(10_000))), None, "more than 32 parts"),
        (form(part('name=""', b"x")), None, "part 1 of the form has no name"),
        (form(KEY, part("x=y", b"x")), None, "part 2 of the form has no name"),
        (form(part(f'name="{"n" * 3000}"', b"\xff")), "n" * 64, f"'{'n' * 64}…' is not UTF-8"),
        (form(part(f'name="{"n" * 5000}"', b"x")), None, "header length"),
        (form(part('name="key"', b"x", *["X: y"] * 10)), None, "header count"),
        (form(part('name="key"', b"x", "Content-Length: 2")), None, "cannot be read"),
        (f"--{BOUNDARY}\r\n\r\nx\r\n--{BOUNDARY}--".encode(), None, "Content-Disposition"),
        (form(FILE)[:-4], None, "end of multipart stream"),
        (FILE, None, "end of multipart stream"),
        (b"", None, "end of multipart stream"),
        (b"not a form at all", None, "end of multipart stream"),
        (form(FILE).replace(b"\r\n", b"\n"), None, "line break"),
    ],
)
async def test_a_bad_form_is_refused_with_the_field_named(
    body: bytes, field: str | None, message: str
) -> None:
    with pytest.raises(InvalidError, match=re.escape(message)) as caught:
        await read(body)
    assert caught.value.field == field
    assert len(caught.value.detail) < 300


@pytest.mark.parametrize(
    ("content_type", "message"),
    [
        (None, "must be multipart/form-data"),
        ("", "must be multipart/form-data"),
        ("video/mp4", "must be multipart/form-data"),
        (f"multipart/mixed; boundary={BOUNDARY}", "must be multipart/form-data"),
        ("multipart/form-data", "no valid multipart boundary"),
        ("multipart/form-data; boundary=", "no valid multipart boundary"),
        ('multipart/form-data; boundary="a\nb"', "no valid multipart boundary"),
        ('multipart/form-data; boundary="é"', "no valid multipart boundary"),
        (f"multipart/form-data; boundary={'b' * 71}", "longer than 70 characters"),
    ],
)
async def test_a_bad_content_type_is_refused(content_type: str | None, message: str) -> None:
    with pytest.raises(InvalidError, match=message) as caught:
        await read(form(FILE), content_type)
    assert caught.value.field == "Content-Type"


async def test_limits_are_inclusive() -> None:
    fields = [part(f'name="f{n}"', b"v" * MAX_FIELD_BYTES) for n in range(MAX_PARTS)]
    assert len((await read(form(*fields))).fields) == MAX_PARTS


async def test_a_quoted_boundary_is_understood() -> None:
    result = await read(form(KEY), f'Multipart/Form-Data; charset=utf-8; boundary="{BOUNDARY}"')
    assert result.fields == {"key": "é\r\n"}


async def test_what_the_consumer_leaves_unread_is_skipped() -> None:
    async def first_piece_only(part: FilePart) -> bytes:
        async for piece in part:
            return piece
        return b""

    result = await read_form(
        FORM,
        in_pieces(form(part('name="media"', b"x" * 1000), KEY), 200),
        file_fields=FILE_FIELDS,
        on_file=first_piece_only,
    )
    assert result.fields == {"key": "é\r\n"}
    assert result.file is not None
    assert set(result.file) == {ord("x")}
    assert len(result.file) < 1000


async def test_reading_the_file_twice_does_not_eat_the_next_part() -> None:
    async def twice(part: FilePart) -> list[bytes]:
        return [b"".join([piece async for piece in part]) for _ in range(2)]

    result = await read_form(
        FORM, in_pieces(form(FILE, KEY)), file_fields=FILE_FIELDS, on_file=twice
    )
    assert result == Form({"key": "é\r\n"}, [b"\x00\r\n--bytes\r\n", b""])


async def test_the_consumer_hears_of_a_body_that_is_cut_off() -> None:
    heard: list[str] = []

    async def listening(part: FilePart) -> None:
        try:
            async for _ in part:
                pass
        except InvalidError as error:
            heard.append(error.detail)
            raise

    with pytest.raises(InvalidError):
        await read_form(FORM, in_pieces(FILE), file_fields=FILE_FIELDS, on_file=listening)
    assert len(heard) == 1


async def test_errors_of_the_body_and_of_the_consumer_pass_through() -> None:
    async def cut_by_client() -> AsyncIterator[bytes]:
        yield FILE[:-10]
        raise DisconnectedError("gone")

    async def failing(part: FilePart) -> None:
        raise OSError("disk full")

    with pytest.raises(DisconnectedError):
        await read_form(FORM, cut_by_client(), file_fields=FILE_FIELDS, on_file=receive_file)
    with pytest.raises(OSError, match="disk full"):
        await read_form(FORM, in_pieces(form(FILE)), file_fields=FILE_FIELDS, on_file=failing)


async def test_large_pieces_pass_through_uncut_and_uncopied() -> None:
    head = part('name="media"', b"")[:-2]
    pieces = [head, *(bytes([n]) * 400_000 for n in range(65, 70)), f"\r\n--{BOUNDARY}--".encode()]
    seen: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    async def keep(part: FilePart) -> None:
        async for piece in part:
            seen.append(piece)  # noqa: PERF401 - identity of the pieces is the point

    await read_form(FORM, body(), file_fields=FILE_FIELDS, on_file=keep)
    assert [id(piece) for piece in seen] == [id(piece) for piece in pieces[1:-1]]


async def test_no_piece_stays_in_memory_while_the_next_one_is_waited_for() -> None:
    pieces = [part('name="media"; filename="a"', b"")[:-2], b"x" * 400_000, b"y" * 400_000]

    watched = Watched()
    form = read_form(FORM, watched.pieces(*pieces), file_fields=FILE_FIELDS, on_file=drop)
    async with taking(form):
        await watched.check_forgotten()

    watched = Watched()
    async with taking(drop(read_file(FORM, watched.pieces(*pieces)))):
        await watched.check_forgotten()


look_alikes = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b"--", b"\r\n--", b"\r\n--" + BOUNDARY[:-1].encode(), b"x", b"\x00"]
)
contents = st.lists(look_alikes, max_size=30).map(b"".join)


@given(contents, contents, st.lists(st.integers(0, 3000), max_size=20))
async def test_any_split_of_the_body_gives_the_same_form(
    content: bytes, value: bytes, cuts: list[int]
) -> None:
    body = form(
        part('name="a"', value), part('name="media"; filename="f"', content), part('name="z"', b"1")
    )
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(body)}), len(body)]

    async def pieces() -> AsyncIterator[bytes]:
        for start, end in itertools.pairwise(edges):
            yield body[start:end]

    result = await read_form(FORM, pieces(), file_fields=FILE_FIELDS, on_file=receive_file)
    assert result.fields == {"a": value.decode(), "z": "1"}
    assert result.file == ("media", "f", None, content)


async def file_of(body: bytes, content_type: str | None = FORM, size: int = 7) -> bytes:
    return b"".join([piece async for piece in read_file(content_type, in_pieces(body, size))])


@pytest.mark.parametrize("disposition", ['name="video"; filename="blob"', 'filename="x"; name=""'])
@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_the_one_file_is_found_under_any_name(disposition: str, size: int) -> None:
    content = bytes(range(256)) + b"\r\n--"
    body = form(KEY, part(disposition, content), part('name="other"', b"x" * 100))
    assert await file_of(body, size=size) == content


async def test_an_empty_file_has_no_bytes() -> None:
    assert await file_of(form(part('name="video"; filename=""', b""))) == b""


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (form(FILE, FILE), "'media' is a second file"),
        (form(KEY), "has no file"),
        (form(FILE)[:-20], "cannot be read"),
        (form(FILE)[:60], "cannot be read"),
        (b"", "cannot be read"),
        (form(FILE, part('name="a"', b"x" * (MAX_FIELD_BYTES + 1))), "'a' is longer than"),
        (form(*[part('name="a"', b"")] * MAX_PARTS, FILE), f"more than {MAX_PARTS} parts"),
    ],
)
async def test_a_form_that_is_not_one_file_is_refused(body: bytes, says: str) -> None:
    with pytest.raises(InvalidError, match=re.escape(says)):
        await file_of(body)


async def test_the_file_of_a_form_that_is_cut_off_does_not_end() -> None:
    pieces = read_file(FORM, in_pieces(form(FILE)[:-4], 10_000))
    assert await anext(pieces) == b"\x00\r\n--bytes\r\n"
    with pytest.raises(InvalidError, match="cannot be read"):
        await anext(pieces)
