"""Memory for the parts of large objects."""

import threading

from mediatheque.storage.part_buffers import PartBuffers

MIB = 1 << 20


def test_a_buffer_is_used_again_while_others_are_in_use() -> None:
    buffers = PartBuffers(2 * MIB)
    kept, first = buffers.take(MIB), buffers.take(MIB)
    buffers.give_back(first)

    assert buffers.take(MIB) is first
    assert len(kept) == MIB


def test_whoever_finds_no_room_waits_for_it() -> None:
    buffers = PartBuffers(2 * MIB)
    first, _second = buffers.take(MIB), buffers.take(MIB)
    taken = threading.Event()

    def take() -> None:
        buffers.take(MIB)
        taken.set()

    waiting = threading.Thread(target=take)
    waiting.start()
    assert not taken.wait(0.05)

    buffers.give_back(first)

    assert taken.wait(5)
    waiting.join()


def test_a_buffer_larger_than_the_limit_is_given_out_alone() -> None:
    buffers = PartBuffers(2 * MIB)

    large = buffers.take(3 * MIB)
    buffers.give_back(large)

    assert len(large) == 3 * MIB
    assert len(buffers.take(MIB)) == MIB
