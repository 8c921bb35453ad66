"""How large the parts are of which a store puts large objects together."""

PART_BYTES = 8 << 20
MOST_PARTS = 10_000
_MIB = 1 << 20
_PLANNED_PARTS = 9_900
_PARTS_BEFORE_DOUBLING = 1_000


def part_bytes(size_hint: int | None, number: int) -> int:
    """Return how large part ``number`` (from 1) shall be, in bytes.

    S3 takes 10,000 parts. With a size to expect, all parts are equal; without one they double
    every 1,000 parts, which reaches beyond S3's largest object.
    """
    if size_hint is None:
        return PART_BYTES << ((number - 1) // _PARTS_BEFORE_DOUBLING)
    mebibytes = -(-size_hint // (_PLANNED_PARTS * _MIB))
    return max(PART_BYTES, mebibytes * _MIB)
