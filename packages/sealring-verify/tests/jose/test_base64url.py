import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring_verify.jose import base64url


@given(st.binary(max_size=200))
def test_what_is_encoded_decodes_to_itself_and_agrees_with_the_standard_library(data: bytes) -> None:
    text = base64url.encode(data)
    assert text == base64.urlsafe_b64encode(data).rstrip(b"=")
    assert base64url.decode(text) == data


@given(st.binary(max_size=12))
def test_a_text_decodes_only_if_it_is_the_one_encoding_of_its_octets(text: bytes) -> None:
    try:
        data = base64url.decode(text)
    except ValueError:
        return
    assert base64url.encode(data) == text


@pytest.mark.parametrize(
    "text",
    [
        b"_x",  # trailing bits: decodes to ff as _w does
        b"AAB",  # trailing bits of a two-octet end
        b"_w==",  # padding
        b"_w=",
        b"A",  # one character carries no octet
        b"AAAAA",
        b"+/8",  # the standard alphabet
        b" _w",
        b"_w\n",
        b"_w\x00",
        b"_!w",
        "é_".encode(),
        b"=",
        b"AAAA====",
    ],
)
def test_other_spellings_are_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        base64url.decode(text)
