"""Types by first bytes: heads written by hand after each format's specification."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediatheque.processing.sniff import HEAD_BYTES, UNKNOWN, sniff


def box(name: bytes, content: bytes = b"") -> bytes:
    """Return a box of an ISO base media file."""
    return (8 + len(content)).to_bytes(4, "big") + name + content


def brands(major: bytes, *compatible: bytes) -> bytes:
    """Return the beginning of an ISO base media file that names these brands."""
    return box(b"ftyp", major + b"\0\0\2\0" + b"".join(compatible)) + box(b"mdat", b"x" * 40)


def packets(size: int, offset: int) -> bytes:
    """Return packets of ``size`` bytes whose sync byte is at ``offset``."""
    return (b"\xff" * offset + b"G" + b"\xff" * (size - offset - 1)) * 5


HEADS: list[tuple[str, bytes]] = [
    ("image/jpeg", b"\xff\xd8\xff\xe0\0\x10JFIF\0"),
    ("image/png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
    ("image/gif", b"GIF87a\1\0\1\0"),
    ("image/gif", b"GIF89a\1\0\1\0"),
    ("image/tiff", b"II*\0\x08\0\0\0"),
    ("image/tiff", b"MM\0*\0\0\0\x08"),
    ("image/bmp", b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0"),
    ("image/webp", b"RIFF\x24\0\0\0WEBPVP8 "),
    ("image/avif", brands(b"avif", b"avif", b"mif1")),
    ("image/avif", brands(b"avis", b"avif")),
    ("image/avif", brands(b"mif1", b"miaf", b"avif")),
    ("image/heic", brands(b"heic", b"mif1", b"heic")),
    ("image/heic", brands(b"heix")),
    ("image/heic", brands(b"mif1", b"mif1", b"heic")),
    ("image/heif", brands(b"mif1", b"mif1", b"miaf")),
    ("image/heif", brands(b"msf1")),
    ("audio/flac", b"fLaC\0\0\0\x22"),
    ("audio/mpeg", b"ID3\4\0\0\0\0\0\x23TSSE"),
    ("audio/mpeg", b"\xff\xfb\x90\x64" + b"\0" * 20),
    ("audio/aac", b"\xff\xf1\x50\x80\x02\x1f\xfc"),
    ("audio/amr", b"#!AMR\n\x3c"),
    ("audio/wav", b"RIFF\x24\0\0\0WAVEfmt "),
    ("audio/ogg", b"OggS\0\2" + b"\0" * 20 + b"\1\x13OpusHead"),
    ("audio/ogg", b"OggS\0\2" + b"\0" * 20 + b"\1\x1e\1vorbis"),
    ("audio/mp4", brands(b"M4A ", b"isom")),
    ("audio/mp4", brands(b"M4B ")),
    ("video/ogg", b"OggS\0\2" + b"\0" * 20 + b"\1\x2a\x80theora"),
    ("video/x-msvideo", b"RIFF\x24\0\0\0AVI LIST"),
    ("video/webm", b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\1\x42\x82\x84webm"),
    ("video/x-matroska", b"\x1a\x45\xdf\xa3\xa3\x42\x86\x81\1\x42\x82\x88matroska"),
    ("video/mp4", brands(b"isom", b"iso2", b"avc1", b"mp41")),
    ("video/mp4", brands(b"mp42")),
    ("video/mp4", brands(b"dash")),
    ("video/quicktime", brands(b"qt  ")),
    ("video/quicktime", box(b"wide") + box(b"mdat", b"x" * 40)),
    ("video/quicktime", box(b"moov", box(b"mvhd", b"\0" * 100))),
    ("video/3gpp", brands(b"3gp4")),
    ("video/iso.segment", box(b"styp", b"msdh\0\0\0\0") + box(b"moof")),
    ("video/iso.segment", box(b"moof", box(b"mfhd", b"\0" * 8))),
    ("video/iso.segment", box(b"sidx", b"\0" * 32)),
    ("video/mp2t", packets(188, 0)),
    ("video/mp2t", packets(192, 4)),
    ("video/mpeg", b"\0\0\x01\xba\x44"),
    ("video/mpeg", b"\0\0\x01\xb3\x14"),
    ("video/x-flv", b"FLV\x01\x05\0\0\0\x09"),
    ("video/x-ms-asf", bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")),
    ("application/pdf", b"%PDF-1.7\n"),
    ("application/zip", b"PK\x03\x04\x14\0"),
    ("application/gzip", b"\x1f\x8b\x08\0"),
    ("application/vnd.apple.mpegurl", b"#EXTM3U\n#EXT-X-VERSION:3\n"),
    ("application/vnd.apple.mpegurl", b"\xef\xbb\xbf#EXTM3U\n"),
    ("text/vtt", b"WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n"),
    ("text/vtt", b"\xef\xbb\xbfWEBVTT\n"),
]


@pytest.mark.parametrize(("media_type", "head"), HEADS)
def test_a_format_is_known_by_its_beginning_whatever_the_name(media_type: str, head: bytes) -> None:
    assert sniff(head, "clip") == media_type
    assert sniff(head, "page.html") == media_type
    assert sniff(head.ljust(HEAD_BYTES, b"\0"), "clip.txt") == media_type


@pytest.mark.parametrize(
    ("text", "filename", "media_type"),
    [
        ("Hello", "notes", "text/plain"),
        ("Hello", "notes.TXT", "text/plain"),
        ("Hello", "clip.mp4", "text/plain"),
        ("# Title", "readme.md", "text/markdown"),
        ("a,b\n1,2\n", "table.csv", "text/csv"),
        ('{"a": 1}', "data.json", "application/json"),
        ('{"a": 1}', "json", "text/plain"),
        ("<a/>", "data.xml", "application/xml"),
        ("1\n00:00:00,000 --> 00:00:01,000\nHi\n", "film.srt", "application/x-subrip"),
        ("Hello", "page.html", "text/html"),
        ("<!DOCTYPE html><p>", "notes.txt", "text/html"),
        ("\ufeff\n <HTML>", "notes.txt", "text/html"),
        ("<script>alert(1)</script>", "photo.jpg", "text/html"),
        ('<?xml version="1.0"?>\n<svg xmlns="x"/>', "photo.jpg", "image/svg+xml"),
        # What begins like a signature, but is text.
        ("BMW is a car", "notes.txt", "text/plain"),
        ("ID3 tags are labels", "notes.txt", "text/plain"),
        ("The free lunch", "notes.txt", "text/plain"),
        ("The skip button", "notes.txt", "text/plain"),
        ("GIF is a format", "notes.txt", "text/plain"),
    ],
)
def test_text_is_text_and_its_kind_never_safer_than_its_content(
    text: str, filename: str, media_type: str
) -> None:
    assert sniff(text.encode(), filename) == media_type


@pytest.mark.parametrize(
    "head",
    [
        b"\0",
        b"\x7fELF\2\1\1\0",
        b"RIFF\x24\0\0\0WHAT",
        b"\xff\xff\xff\xff",
        b"\xff\xe0\x00\x00",
        b"\x89PNX\r\n",
        b"Gr\xfc\xdfe",
        packets(188, 0)[:300] + b"\xff" * 300,
    ],
)
def test_what_is_not_known_is_said_to_be_unknown(head: bytes) -> None:
    assert sniff(head, "page.html") == UNKNOWN


def test_a_character_that_the_head_cuts_in_two_is_still_text() -> None:
    for shift in range(4):
        text = ("x" * shift + "🎬" * HEAD_BYTES).encode()
        assert sniff(text[:HEAD_BYTES], "notes.txt") == "text/plain"
    assert sniff("🎬".encode()[:3], "notes.txt") == UNKNOWN


@pytest.mark.parametrize(
    ("filename", "media_type"),
    [
        ("a.json", "application/json"),
        ("a.mp4", "video/mp4"),
        ("a", UNKNOWN),
        ("html", UNKNOWN),
        ("a.nobody-knows", UNKNOWN),
    ],
)
def test_a_file_without_content_is_what_its_name_says(filename: str, media_type: str) -> None:
    assert sniff(b"", filename) == media_type


@given(st.binary(max_size=600), st.text())
def test_any_bytes_under_any_name_have_some_type(head: bytes, filename: str) -> None:
    assert sniff(head, filename).count("/") == 1


# A folder of real files, if there is one; each is what its name says.
SAMPLES = Path(
    os.environ.get("MEDIATHEQUE_SAMPLES") or Path(__file__).parents[4] / "shared" / "samples"
)
BY_SUFFIX = {
    ".avif": {"image/avif"},
    ".flac": {"audio/flac"},
    ".gif": {"image/gif"},
    ".heic": {"image/heic", "image/heif"},
    ".jpg": {"image/jpeg"},
    ".m4s": {"video/iso.segment", "video/mp4"},
    ".mkv": {"video/x-matroska"},
    ".mov": {"video/quicktime"},
    ".mp3": {"audio/mpeg"},
    ".mp4": {"video/mp4"},
    ".opus": {"audio/ogg"},
    ".png": {"image/png"},
    ".ts": {"video/mp2t"},
    ".webm": {"video/webm"},
}

if SAMPLES.is_dir():

    @pytest.mark.parametrize(
        "file", sorted(f for f in SAMPLES.rglob("*") if f.suffix in BY_SUFFIX), ids=lambda f: f.name
    )
    def test_a_real_file_is_recognised_without_its_name(file: Path) -> None:
        with file.open("rb") as opened:
            head = opened.read(HEAD_BYTES)

        assert sniff(head, "clip") in BY_SUFFIX[file.suffix]
