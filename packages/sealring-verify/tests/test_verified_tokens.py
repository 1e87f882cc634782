from sealring_verify.claims import AccessToken
from sealring_verify.jose.jwks import KeySet
from sealring_verify.verified_tokens import MAX_TOKENS, VerifiedToken, VerifiedTokens

KEYS = KeySet(())
ACCESS_TOKEN = AccessToken(
    iss="i", sub="s", aud=("a",), exp=2, iat=1, jti="j", client_id="c", scope=frozenset({"orders:read"})
)
TOKEN = VerifiedToken(ACCESS_TOKEN, ids=None, keys=KEYS)


def test_a_token_is_remembered_under_its_keys_alone() -> None:
    tokens = VerifiedTokens()
    tokens.note(b"d", TOKEN)
    assert tokens.recall(b"d", keys=KEYS) is TOKEN
    assert tokens.recall(b"e", keys=KEYS) is None
    assert tokens.recall(b"d", keys=KeySet(())) is None


def test_the_memory_is_bounded_and_keeps_what_is_used() -> None:
    tokens = VerifiedTokens()
    tokens.note(b"used", TOKEN)
    for number in range(3 * MAX_TOKENS):
        tokens.note(number.to_bytes(4, "big"), TOKEN)
        if number % 1000 == 0:
            assert tokens.recall(b"used", keys=KEYS) is TOKEN
        assert len(tokens) <= MAX_TOKENS
    assert tokens.recall((0).to_bytes(4, "big"), keys=KEYS) is None
