import hashlib
from typing import TYPE_CHECKING

import pytest

from sealring_verify.errors import InvalidToken
from sealring_verify.issuer_keys import IssuerKeys
from sealring_verify.jwks import JwksPolicy
from sealring_verify.signed_tokens import SignedTokens

if TYPE_CHECKING:
    from conftest import Hand, LocalIssuer


def signed_tokens(issuer: "LocalIssuer", hand: "Hand", *, for_feed: bool = False) -> SignedTokens:
    return SignedTokens(
        issuer=issuer.url,
        audience="orders",
        algorithms=frozenset({"ES256"}),
        leeway=0,
        static_keys=None,
        issuer_keys=IssuerKeys(issuer.url, monotonic=hand, policy=JwksPolicy()),
        decryption=None,
        for_feed=for_feed,
        profile=None,
        clock=hand,
    )


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


async def test_a_token_is_checked_once_and_remembered_both_ways(issuer: "LocalIssuer", hand: "Hand") -> None:
    tokens, token = signed_tokens(issuer, hand), issuer.token(iat=900, exp=1100)
    first = tokens.obtain(token, digest(token))
    assert first.access_token.sub == "u1"
    assert tokens.obtain(token, digest(token)) is first
    assert await tokens.obtain_async(token, digest(token)) is first
    assert len(tokens) == 1
    hand.now = 1100
    with pytest.raises(InvalidToken, match="token_expired"):
        tokens.obtain(token, digest(token))


async def test_a_new_key_is_fetched_for_the_token_that_names_it_both_ways(issuer: "LocalIssuer", hand: "Hand") -> None:
    tokens = signed_tokens(issuer, hand)
    for kid in ("k2", "k3"):
        old = issuer.token(iat=900, exp=1100)
        assert tokens.obtain(old, digest(old)).access_token.sub == "u1"
        issuer.rotate_key(kid)
        hand.now += 10
        new = issuer.token(iat=900, exp=1100)
        found = tokens.obtain(new, digest(new)) if kid == "k2" else await tokens.obtain_async(new, digest(new))
        assert found.access_token.sub == "u1"


def test_ids_for_the_feed_are_made_where_it_is_read(issuer: "LocalIssuer", hand: "Hand") -> None:
    token = issuer.token(iat=900, exp=1100)
    assert signed_tokens(issuer, hand).obtain(token, digest(token)).ids is None
    assert signed_tokens(issuer, hand, for_feed=True).obtain(token, digest(token)).ids is not None
