import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring_verify.server_sent_events import EventReader, EventTooLong

STREAM = b": hello\n\nid: 1\ndata: abc\n\ndata:d\r\ndata: e\r\n\r\nevent: x\n\ndata: cut"


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_events_are_the_same_however_the_octets_arrive(cuts: list[int]) -> None:
    reader, events, last = EventReader(100), list[bytes](), 0
    for cut in [*sorted(cuts), len(STREAM)]:
        events += reader.feed(STREAM[last:cut])
        last = cut
    assert events == [b"abc", b"d\ne"]


@given(st.lists(st.binary(max_size=40)))
def test_any_octets_give_events_or_too_long_and_keep_little(chunks: list[bytes]) -> None:
    reader = EventReader(30)
    try:
        for chunk in chunks:
            list(reader.feed(chunk))
            assert len(reader._rest) <= 30
    except EventTooLong:
        pass


@pytest.mark.parametrize(
    "stream", [b"data: " + b"x" * 31, b"data: xxxxxxxxxxxxxxxx\n" * 2, b"x" * 31, b"data:\n" * 32, b"data\n" * 32]
)
def test_a_line_or_an_event_that_is_too_long_is_refused(stream: bytes) -> None:
    with pytest.raises(EventTooLong):
        list(EventReader(30).feed(stream))
