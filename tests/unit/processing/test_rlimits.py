"""How much a child may use for a file of some size."""

import pytest

from mediatheque.processing.rlimits import limits_for

MIB = 1 << 20


def test_a_small_file_gets_what_every_decoder_needs() -> None:
    limits = limits_for(0, 512 * MIB)

    assert (limits.cpu, limits.wall, limits.memory) == (30, 90, 512 * MIB)
    assert (limits.file_size, limits.output) == (64_000_000, 128_000_000)


@pytest.mark.parametrize("size", [1, 10 * MIB, 700 * MIB, 100 << 30])
def test_a_large_file_gets_more_time_and_room(size: int) -> None:
    limits = limits_for(size, 512 * MIB)

    assert limits.cpu == 30 + size // 10_000_000
    assert limits.wall == 3 * limits.cpu
    assert limits.file_size >= 2.2 * size + 63_000_000
    assert limits.output == 2 * limits.file_size
    assert limits.memory == 512 * MIB
