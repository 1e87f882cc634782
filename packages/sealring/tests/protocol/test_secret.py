import traceback
from base64 import urlsafe_b64decode

import msgspec
import pytest

from sealring.protocol.secret import Secret, make_secret


class Request(msgspec.Struct, frozen=True):
    password: Secret


def test_a_secret_is_in_no_repr_text_or_traceback() -> None:
    secret = Secret("tr0" + "ub4dor")
    with pytest.raises(ValueError, match="Secret") as problem:
        raise ValueError(secret)
    texts = [repr(secret), str(secret), f"{secret!r:>20}", repr(Request(secret)), str({1: secret}), str(problem.value)]
    texts += traceback.format_exception(problem.value)
    assert not any("ub4dor" in text for text in texts)
    assert secret.reveal() == "tr0" + "ub4dor"


def test_a_secret_is_encoded_by_no_accident() -> None:
    for encode in (msgspec.json.encode, msgspec.msgpack.encode):
        with pytest.raises(TypeError):
            encode(Request(Secret("x")))


def test_secrets_compare_by_what_they_hold_and_never_equal_a_text() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_a_secret_is_made_of_256_bits_of_the_dice_behind_its_prefix() -> None:
    made = make_secret("srcs_", randomness=lambda octets: b"\xfb" * octets).reveal()
    prefix, text = made[:5], made[5:]
    assert prefix == "srcs_"
    assert urlsafe_b64decode(text + "=") == b"\xfb" * 32
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
