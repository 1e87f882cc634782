import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring_verify.jose.algorithms import ALGORITHMS
from sealring_verify.jose.jwk import generate_private_key, make_secret_key
from sealring_verify.jose.jwks import KeySet, parse_jwks

ONE = generate_private_key("ES256", kid="one").public_jwk()
TWO = generate_private_key("ES256", kid="two").public_jwk()
ED = generate_private_key("Ed25519", kid="ed").public_jwk()


def _document(*keys: object) -> bytes:
    return json.dumps({"keys": keys}).encode()


def _without(members: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in members.items() if key != name}


def test_an_unusable_key_is_skipped_and_not_the_set() -> None:
    keys = parse_jwks(_document({"kty": "AKP", "kid": "new"}, ONE, "no object", None, {**TWO, "use": "enc"}))
    assert [key.kid for key in keys.keys] == ["one"]
    assert len(keys.skipped) == 4
    assert keys.skipped[0].startswith("key 0: its kty")


def test_a_published_private_key_is_not_used() -> None:
    assert parse_jwks(_document({**ONE, "d": "AAAA"})).keys == ()


def test_keys_that_share_a_kid_are_all_skipped() -> None:
    keys = parse_jwks(_document(ONE, {**TWO, "kid": "one"}, ED))
    assert [key.kid for key in keys.keys] == ["ed"]
    assert "share the kid 'one'" in keys.skipped[0]


def test_a_token_without_a_key_id_finds_the_only_key_of_its_algorithm() -> None:
    keys = parse_jwks(_document(_without(ONE, "kid"), ED))
    assert keys.find(None, "ES256") is keys.keys[0]
    assert keys.find(None, "Ed25519") is keys.keys[1]
    assert keys.find("one", "ES256") is None
    assert keys.find("ed", "Ed25519") is keys.keys[1]
    assert parse_jwks(_document(ONE, TWO)).find(None, "ES256") is None


@pytest.mark.parametrize(
    "document", [b"", b"{}", b"[]", b'{"keys":{}}', b'{"keys":null}', b'{"keys":[],"keys":[]}', b"<html>"]
)
def test_what_is_no_jwk_set_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"JWK set|JSON|twice"):
        parse_jwks(document)


def test_an_empty_set_is_a_set() -> None:
    assert parse_jwks(b'{"keys":[]}').keys == ()


_members = st.dictionaries(
    st.sampled_from(["kty", "crv", "x", "y", "kid", "alg", "use", "key_ops", "d", "other"]),
    st.sampled_from([*ONE.values(), *ED.values(), "", "AAAA", None, 1, True, [], ["verify"], {}, "=", "é"]),
)


@given(st.lists(_members, max_size=3))
def test_any_keys_give_a_set(keys: list[dict[str, object]]) -> None:
    read = parse_jwks(_document(*keys))
    assert all(key.alg in ALGORITHMS for key in read.keys)


def test_a_secret_is_meant_by_its_id_or_not_at_all() -> None:
    keys = KeySet([make_secret_key(bytes(32), kid="hs-one").verifying()])
    assert keys.find("hs-one", "HS256") is not None
    assert keys.find(None, "HS256") is None
    assert keys.find("hs-two", "HS256") is None
