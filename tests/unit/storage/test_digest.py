"""Checksums against the values that their definitions give."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from mediatheque.storage.digest import Digest, encode_crc64nvme


def test_the_check_values_of_the_definitions_are_met() -> None:
    digest = Digest()
    digest.update(b"123456789")

    # The NVM Express Base Specification's CRC-64, as catalogued: check value ae8b14860a799888.
    assert base64.b64decode(digest.crc64nvme).hex() == "ae8b14860a799888"
    assert digest.size == 9


def test_nothing_has_the_checksums_of_nothing() -> None:
    digest = Digest()

    assert digest.size == 0
    assert digest.crc64nvme == encode_crc64nvme(0) == "AAAAAAAAAAA="
    assert digest.blake3 == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"


@given(st.lists(st.binary(max_size=2000)))
def test_it_does_not_matter_how_the_bytes_are_cut(pieces: list[bytes]) -> None:
    whole, cut = Digest(), Digest()
    whole.update(b"".join(pieces))
    for piece in pieces:
        cut.update(memoryview(piece))

    assert (cut.size, cut.crc64nvme, cut.blake3) == (whole.size, whole.crc64nvme, whole.blake3)


@given(st.lists(st.binary(max_size=2000)), st.binary(max_size=2000))
def test_parts_have_checksums_of_their_own_and_make_up_the_whole(
    parts: list[bytes], rest: bytes
) -> None:
    whole, cut = Digest(), Digest()
    whole.update(b"".join(parts) + rest)
    for part in parts:
        alone = Digest()
        alone.update(part)
        cut.update(part)
        assert cut.end_part() == alone.crc64nvme
    cut.update(rest)

    assert (cut.size, cut.crc64nvme, cut.blake3) == (whole.size, whole.crc64nvme, whole.blake3)
