"""Headers of tus, read one at a time."""

import pytest

from mediatheque.domain.errors import InvalidError
from mediatheque.domain.resumable_uploads import Destination
from mediatheque.doors.uploads.tus_headers import (
    MOST_METADATA,
    destination_of,
    parse_checksum,
    parse_key,
    parse_length,
    parse_metadata,
    parse_parts,
)

ID = "01a1fefe-2897-7f9c-8cef-21dcef958181"


def test_a_length_is_told_or_put_off() -> None:
    assert parse_length([(b"upload-length", b"7")]) == 7
    assert parse_length([(b"upload-defer-length", b"1")]) is None


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", {}),
        ("  ", {}),
        ("a", {"a": ""}),
        ("a ", {"a": ""}),
        ("a YQ==", {"a": "a"}),
        ("a YQ==,b", {"a": "a", "b": ""}),
        ("a YQ== , b  Yg==", {"a": "a", "b": "b"}),
        ("~!#$ w7w=", {"~!#$": "ü"}),
    ],
)
def test_metadata_is_read(text: str, pairs: dict[str, str]) -> None:
    assert parse_metadata(text) == pairs


@pytest.mark.parametrize(
    "text",
    [
        ",",
        "a YQ==,",
        "a YQ==,a Yg==",
        "a YQ",
        "a Y-Q=",
        "a YQ== Yg==",
        "a /w==",
        "a AA==",
        "a\tb YQ==",
        "ü YQ==",
        "a " + "Y" * MOST_METADATA,
    ],
)
def test_what_is_no_metadata_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="Upload-Metadata") as refused:
        parse_metadata(text)
    assert len(refused.value.detail) < 200


def test_metadata_says_what_the_media_becomes() -> None:
    said = {
        "filename": "a.mov",
        "filetype": "video/quicktime",
        "resource": "r",
        "key": "k",
        "project_id": "p",
        "public": "TRUE",
        "tags": " x,,y ",
        "camera": "left",
    }
    assert destination_of(said) == Destination(
        filename="a.mov",
        resource="r",
        key="k",
        project_id="p",
        public=True,
        tags=("x", "y"),
        meta={"filetype": "video/quicktime", "camera": "left"},
    )
    assert destination_of({}) == Destination(filename="upload", meta={})


def test_a_checksum_is_read() -> None:
    digest = bytes.fromhex("2aae6c35c94fcfb415dbe95f408b9ce91ee846ed")
    assert parse_checksum("sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=") == {"sha": digest}
    assert parse_checksum("crc32 DUoRhQ==") == {"crc32": bytes.fromhex("0d4a1185")}


@pytest.mark.parametrize("text", ["", "sha1", "sha1 ", "sha1 YQ==", "SHA1 YQ==", "crc64 YQ=="])
def test_what_is_no_checksum_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="Upload-Checksum"):
        parse_checksum(text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("partial", None),
        (f"final;/uploads/{ID}", [ID]),
        (f"final; /uploads/{ID}/  https://x.example/a/uploads/b?c=d", [ID, "b"]),
    ],
)
def test_parts_are_named_by_their_addresses(text: str, parts: list[str] | None) -> None:
    assert parse_parts(text) == parts


@pytest.mark.parametrize(
    "text", ["", "final", "final;", "Final;/uploads/a", "final;a", "final;/a/b", "final;http://["]
)
def test_what_names_no_parts_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="Upload-Concat"):
        parse_parts(text)


@pytest.mark.parametrize("key", ["k", "a key", '"8e03978e-40d5-43dd-bc93-6894a57f9324"', "k" * 255])
def test_a_key_is_any_short_line(key: str) -> None:
    assert parse_key(key) == key
    assert parse_key(None) is None


@pytest.mark.parametrize("key", ["", "k" * 256, "ü", "a\tb"])
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidError, match="Idempotency-Key"):
        parse_key(key)
