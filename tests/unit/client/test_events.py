import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediatheque.client.events import EventDecoder, ServerSentEvent

STREAM = (
    b": keep-alive\n\n"
    b'id: 7\nevent: started\ndata: {"job": "a"}\n\n'
    b"event: progress\r\ndata:one\r\ndata: two\r\n\r\n"
    b"data: caf\xc3\xa9 \xe2\x80\xa8 \x0b end\r\r"
    b"id: 8\nevent: no data\n\n"
    b"data: unfinished\n"
)
EVENTS = [
    ServerSentEvent("started", '{"job": "a"}', "7"),
    ServerSentEvent("progress", "one\ntwo", None),
    ServerSentEvent("message", "café \u2028 \x0b end", None),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_events_do_not_depend_on_how_the_stream_is_cut(cuts: list[int]) -> None:
    decoder = EventDecoder()
    edges = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in itertools.pairwise(edges)]

    assert [event for piece in pieces for event in decoder.feed(piece)] == EVENTS


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_in_each_of_the_three_ways(end: str) -> None:
    decoder = EventDecoder()
    text = f"event: a{end}data: b{end}{end}data: c{end}{end}:{end}"

    assert list(decoder.feed(text.encode())) == [
        ServerSentEvent("a", "b", None),
        ServerSentEvent("message", "c", None),
    ]


def test_an_id_counts_also_without_an_event() -> None:
    decoder = EventDecoder()
    assert list(decoder.feed(b"id: 5\n\n")) == []
    assert decoder.last_id == "5"
    list(decoder.feed(b"data: without an id\n\nid: 6\n"))

    assert decoder.last_id == "5"
