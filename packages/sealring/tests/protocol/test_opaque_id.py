import re

from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.opaque_id import make_opaque_id


@given(st.binary(min_size=16, max_size=16))
def test_a_name_is_plain_and_never_looks_like_an_option(octets: bytes) -> None:
    name = make_opaque_id(16, randomness=lambda _: octets)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{21}", name)


def test_a_hyphen_at_the_beginning_becomes_another_character() -> None:
    assert make_opaque_id(15, randomness=lambda _: b"\xfb" + bytes(14)) == "_" + "w" + "A" * 18
