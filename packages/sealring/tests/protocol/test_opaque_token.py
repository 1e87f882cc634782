import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.opaque_token import OpaqueToken, opaque_token_octets, parse_opaque_token, write_opaque_token


def token(sealed: bytes = b"s" * 16, mac_key_id: int = 7) -> OpaqueToken:
    return OpaqueToken(mac_key_id=mac_key_id, salt=b"a" * 16, nonce=b"n" * 12, sealed=sealed)


@given(st.integers(0, 255), st.binary(min_size=16, max_size=12_000))
def test_what_is_written_is_read_again_and_as_long_as_foretold(mac_key_id: int, sealed: bytes) -> None:
    written = write_opaque_token(token(sealed, mac_key_id))
    assert parse_opaque_token(written) == token(sealed, mac_key_id)
    assert len(written) == opaque_token_octets(len(sealed) - 16)


@given(st.text() | st.from_regex(r"slo_[A-Za-z0-9_-]{55,80}", fullmatch=True))
def test_whatever_is_read_has_one_spelling(text: str) -> None:
    parsed = parse_opaque_token(text)
    assert parsed is None or write_opaque_token(parsed) == text


WRITTEN = write_opaque_token(token(b"s" * 17))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "slo_",
        WRITTEN[4:],
        "slr_" + WRITTEN[4:],
        "SLO_" + WRITTEN[4:],
        WRITTEN + "=",
        WRITTEN + "\n",
        " " + WRITTEN,
        WRITTEN[:-1],
        WRITTEN[:-1] + "B",  # bits that no octet holds
        WRITTEN.replace("_", "/"),
        "slo_" + base64.urlsafe_b64encode(b"\x02" + bytes(61)).decode().rstrip("="),
        "slo_" + base64.urlsafe_b64encode(b"\x01" + bytes(44)).decode().rstrip("="),
        "slo_" + "A" * 16_384,
        "slo_é" + WRITTEN[4:],
    ],
)
def test_anything_else_is_none(text: str) -> None:
    assert parse_opaque_token(text) is None


def test_a_repr_shows_nothing_of_it() -> None:
    assert repr(token()) == "OpaqueToken(…)"
