"""The parts in which a large object is copied inside an S3 store."""

import pytest

from mediatheque.storage.part_sizes import MOST_PARTS
from mediatheque.storage.s3_copy import LARGEST_COPY, copied_part_bytes

TIB = 1 << 40


@pytest.mark.parametrize("size", [LARGEST_COPY + 1, 5 * TIB, 40 * TIB])
def test_any_object_has_as_many_parts_as_s3_takes_of_the_size_it_takes(size: int) -> None:
    step = copied_part_bytes(size, LARGEST_COPY)

    assert -(-size // step) <= MOST_PARTS
    assert step <= LARGEST_COPY
