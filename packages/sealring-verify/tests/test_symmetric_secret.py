import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring_verify.symmetric_secret import (
    parse_symmetric_secret,
    symmetric_key_set,
    symmetric_kid,
    write_symmetric_secret,
)

ONE, TWO, THREE = (write_symmetric_secret(bytes([number]) * 32) for number in (1, 2, 3))


@given(st.binary(min_size=32, max_size=32))
def test_a_secret_is_read_as_it_was_written_and_names_its_own_key(secret: bytes) -> None:
    text = write_symmetric_secret(secret)
    assert len(text) == 47
    assert text == "slh_" + base64.urlsafe_b64encode(secret).decode().rstrip("=")
    key = parse_symmetric_secret(text)
    assert (key.alg, key.kid) == ("HS256", symmetric_kid(secret))
    assert key.verify(b"message", key.sign(b"message"))
    assert secret.hex() not in repr(key)
    assert text not in repr(key)


def test_the_id_is_of_another_name_space_than_thumbprints_and_changes_never() -> None:
    assert symmetric_kid(bytes(32)) == "hs-_rQyzIfXRBv9BUvngkmmXQ"
    assert symmetric_kid(bytes(32)) != symmetric_kid(bytes(31) + b"x")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "slh_",
        ONE.removeprefix("slh_"),
        ONE[:-1],
        ONE + "A",
        ONE + "=",
        ONE + "\n",
        " " + ONE,
        ONE.replace("slh_", "sla_"),
        ONE.upper(),
        ONE[:-1] + "F",  # the last character's unused bits are not zero
        ONE[:-1] + "+",
        ONE[:-1] + "é",
        f"{ONE},{TWO}",
    ],
)
def test_any_other_text_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ValueError, match="slh_ and 43 characters") as refused:
        parse_symmetric_secret(text)
    assert not text[8:] or text[8:] not in str(refused.value)


@given(st.text())
def test_no_text_raises_anything_else(text: str) -> None:
    with pytest.raises(ValueError, match="slh_"):
        parse_symmetric_secret("slh_" + text + "!")


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_a_secret_of_another_length_is_not_written(length: int) -> None:
    with pytest.raises(ValueError, match="32 octets"):
        write_symmetric_secret(bytes(length))


def test_one_secret_or_two_make_a_key_set() -> None:
    assert [key.kid for key in symmetric_key_set([ONE]).keys] == [symmetric_kid(bytes([1]) * 32)]
    assert {key.alg for key in symmetric_key_set((ONE, TWO)).keys} == {"HS256"}
    for wrong in ((), ONE, (ONE, TWO, THREE)):
        with pytest.raises(ValueError, match="one secret or"):
            symmetric_key_set(wrong)
