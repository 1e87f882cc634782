import os

import msgspec

from sealring.ports import MacKey
from sealring.protocol.opaque_token import parse_opaque_token
from sealring.protocol.refresh_token_format import TokenRealm
from sealring.signing.opaque_token import open_opaque_token, seal_opaque_token

REALM = TokenRealm(issuer="https://id.example", incarnation=bytes(16))
KEY = MacKey(mac_key_id=7, secret=bytes(32), opaque_secret=b"o" * 32)
CLAIMS = b'{"sub":"u1","email":"ada@example.com"}'


def opened(text: str, *, key: MacKey = KEY, realm: TokenRealm = REALM) -> bytes | None:
    token = parse_opaque_token(text)
    return None if token is None else open_opaque_token(token, mac_key=key, realm=realm)


def sealed() -> str:
    return seal_opaque_token(CLAIMS, mac_key=KEY, realm=REALM, randomness=os.urandom)


def test_only_the_key_and_the_realm_that_sealed_it_open_a_token() -> None:
    token = sealed()
    assert opened(token) == CLAIMS
    assert opened(token, key=msgspec.structs.replace(KEY, opaque_secret=bytes(32))) is None
    assert opened(token, realm=msgspec.structs.replace(REALM, issuer="https://id.example.net")) is None
    assert opened(token, realm=msgspec.structs.replace(REALM, incarnation=b"1" * 16)) is None


def test_no_character_of_a_token_can_be_changed() -> None:
    token = sealed()
    for place in range(4, len(token)):
        for other in "Ab_":
            if token[place] != other:
                assert opened(token[:place] + other + token[place + 1 :]) is None


def test_two_tokens_of_the_same_claims_have_nothing_in_common_and_show_none_of_them() -> None:
    first, second = parse_opaque_token(sealed()), parse_opaque_token(sealed())
    assert first is not None
    assert second is not None
    assert (first.salt, first.nonce) != (second.salt, second.nonce)
    assert first.sealed != second.sealed
    assert b"ada" not in first.sealed
