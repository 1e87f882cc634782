import os
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sealring.protocol.refresh_token_format import (
    MAXIMUM_GENERATION,
    RefreshToken,
    TokenRealm,
    family_key,
    mac_holds,
    mint_refresh_token,
    parse_refresh_token,
)

REALM = TokenRealm(issuer="https://id.example", incarnation=b"i" * 16)
KEY = b"m" * 32
ALPHABET = string.ascii_letters + string.digits + "-_"
TOKEN = mint_refresh_token(mac_key_id=3, mac_key=KEY, realm=REALM, born=b"born", secret=b"s" * 16, generation=258)

minted = st.builds(
    mint_refresh_token,
    mac_key_id=st.integers(0, 255),
    mac_key=st.just(KEY),
    realm=st.just(REALM),
    born=st.binary(min_size=4, max_size=4),
    secret=st.binary(min_size=16, max_size=16),
    generation=st.integers(0, MAXIMUM_GENERATION),
)


def is_ours(text: str, *, mac_key: bytes = KEY, realm: TokenRealm = REALM) -> bool:
    token = parse_refresh_token(text)
    return token is not None and mac_holds(token, mac_key=mac_key, realm=realm)


def test_a_token_has_its_prefix_and_sixty_characters() -> None:
    assert len(TOKEN) == 60
    assert TOKEN.startswith("slr_")


@given(
    mac_key_id=st.integers(0, 255),
    born=st.binary(min_size=4, max_size=4),
    secret=st.binary(min_size=16, max_size=16),
    generation=st.integers(0, MAXIMUM_GENERATION),
)
def test_what_was_minted_is_read_back_and_its_mac_holds(
    mac_key_id: int, born: bytes, secret: bytes, generation: int
) -> None:
    text = mint_refresh_token(
        mac_key_id=mac_key_id, mac_key=KEY, realm=REALM, born=born, secret=secret, generation=generation
    )
    token = parse_refresh_token(text)
    assert token is not None
    assert (token.mac_key_id, token.born, token.secret, token.generation) == (mac_key_id, born, secret, generation)
    assert is_ours(text)


def test_the_same_arguments_give_the_same_bytes_so_a_repeat_is_the_same_successor() -> None:
    again = mint_refresh_token(mac_key_id=3, mac_key=KEY, realm=REALM, born=b"born", secret=b"s" * 16, generation=258)
    assert again == TOKEN


def test_every_changed_character_is_refused_or_fails_the_mac() -> None:
    for position in range(len(TOKEN)):
        for character in ALPHABET + "=+/. \n\x00é":
            changed = TOKEN[:position] + character + TOKEN[position + 1 :]
            assert is_ours(changed) == (changed == TOKEN), (position, character)


@given(text=minted, cut=st.integers(0, 59), added=st.text(min_size=1, max_size=5))
def test_a_token_has_one_spelling(text: str, cut: int, added: str) -> None:
    assert parse_refresh_token(text[:cut]) is None
    assert parse_refresh_token(text + added) is None
    assert parse_refresh_token(added + text) is None
    assert parse_refresh_token(text.swapcase()) is None
    token = parse_refresh_token(text)
    assert token is not None
    rewritten = mint_refresh_token(
        mac_key_id=token.mac_key_id,
        mac_key=KEY,
        realm=REALM,
        born=token.born,
        secret=token.secret,
        generation=token.generation,
    )
    assert rewritten == text


@given(one=minted, other=minted, position=st.integers(4, 59))
def test_two_tokens_cut_and_joined_are_no_token(one: str, other: str, position: int) -> None:
    joined = one[:position] + other[position:]
    assert is_ours(joined) == (joined in {one, other})


@pytest.mark.parametrize(
    "realm",
    [
        replace(REALM, issuer="https://id.example/"),
        replace(REALM, issuer=""),
        replace(REALM, incarnation=b"j" * 16),
        replace(REALM, incarnation=bytes(16)),
    ],
)
def test_a_token_of_another_issuer_or_incarnation_fails(realm: TokenRealm) -> None:
    foreign = mint_refresh_token(mac_key_id=3, mac_key=KEY, realm=realm, born=b"born", secret=b"s" * 16, generation=258)
    assert is_ours(foreign, realm=realm)
    assert not is_ours(foreign)
    assert not is_ours(TOKEN, realm=realm)


@given(other=st.binary(min_size=32, max_size=32).filter(lambda key: key != KEY))
def test_another_key_fails(other: bytes) -> None:
    assert not is_ours(TOKEN, mac_key=other)


@given(text=st.text(alphabet=st.characters(), max_size=80) | st.from_regex(r"slr_[A-Za-z0-9_-]{56}", fullmatch=True))
def test_no_text_raises_and_none_that_we_did_not_mint_holds(text: str) -> None:
    assert not is_ours(text)


@pytest.mark.parametrize("text", ["", "slr_", "\ud800" * 60, "slr_" + "\udfff" * 56, "slr_" + "é" * 56, TOKEN + "\n"])
def test_odd_texts_are_none_of_ours(text: str) -> None:
    assert parse_refresh_token(text) is None


def test_random_octets_of_the_right_shape_never_hold() -> None:
    token = parse_refresh_token(TOKEN)
    assert token is not None
    for _ in range(2000):
        assert not mac_holds(replace(token, mac=os.urandom(16)), mac_key=KEY, realm=REALM)


@pytest.mark.parametrize("version", [0, 2, 255])
def test_a_token_of_another_version_is_none_of_ours(version: int) -> None:
    from base64 import urlsafe_b64decode, urlsafe_b64encode

    octets = urlsafe_b64decode(TOKEN[4:])
    assert parse_refresh_token("slr_" + urlsafe_b64encode(bytes([version]) + octets[1:]).decode()) is None


def test_the_row_is_found_by_a_digest_and_never_by_the_secret() -> None:
    key = family_key(born=b"born", secret=b"s" * 16)
    assert len(key) == 20
    assert key.startswith(b"born")
    assert b"s" * 4 not in key
    assert key != family_key(born=b"born", secret=b"t" * 16)


def test_neither_secret_nor_mac_stands_in_the_repr() -> None:
    token = parse_refresh_token(TOKEN)
    assert repr(token) == "RefreshToken(generation=258, …)"
    assert isinstance(token, RefreshToken)
