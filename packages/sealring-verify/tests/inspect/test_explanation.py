import json
from typing import Any

import pytest
from joserfc.jwk import OKPKey

from sealring_verify import TokenRefused, Verifier
from sealring_verify.decryption import Decryption
from sealring_verify.inspect.explanation import Explanation, Policy, explain
from sealring_verify.inspect.trial import secret_key
from sealring_verify.jose import base64url
from sealring_verify.jose.algorithms import ALGORITHMS
from sealring_verify.jose.jwe import encrypt_compact, parse_encryption_jwks
from sealring_verify.jose.jwk import generate_private_key
from sealring_verify.jose.jwks import KeySet, parse_jwks
from sealring_verify.jose.jws import sign_compact

NOW = 1_800_000_000
ISSUER = "https://id.example.com"
KEY, OTHER = (generate_private_key("ES256", kid=kid) for kid in ("k1", "k2"))
JWKS = json.dumps({"keys": [KEY.public_jwk()]}).encode()


def token(header: dict[str, Any] | None = None, key: Any = KEY, **changes: Any) -> str:  # noqa: ANN401 - any claims
    claims = {"iss": ISSUER, "sub": "u", "aud": "orders", "exp": NOW + 600, "iat": NOW, "jti": "j", "client_id": "c"}
    claims |= {"scope": "orders:read"} | changes
    told = {"alg": "ES256", "typ": "at+jwt", "kid": "k1", **(header or {})}
    present = {name: value for name, value in claims.items() if value is not ...}
    encoded = base64url.encode(json.dumps(told).encode())
    return sign_compact(json.dumps(present).encode(), key=key, header=encoded)


def explained(text: str, keys: KeySet | None = None, **policy: Any) -> Explanation:  # noqa: ANN401 - a Policy's members
    told = {"issuer": ISSUER, "audience": "orders", "algorithms": ALGORITHMS, **policy}
    return explain(text, Policy(keys=keys or parse_jwks(JWKS), **told), now=NOW)


def codes(explanation: Explanation) -> list[str]:
    return [refusal.code for refusal in explanation.refusals]


def test_a_token_that_a_verifier_takes_has_no_refusal() -> None:
    assert explained(token()) == Explanation(refusals=())
    assert codes(explained(token(), scopes=["orders:write"])) == ["insufficient_scope"]


@pytest.mark.parametrize(
    "text",
    [
        token(aud="bills"),
        token(iss="https://evil.example"),
        token(exp=NOW - 90),
        token(nbf=NOW + 90),
        token(cnf={"jkt": "x"}),
        token(sub=5),
        token(jti=...),
        token({"typ": "JWT"}),
        token({"kid": "nobody"}),
        token({"alg": "none"}),
        token({"crit": ["x"]}),
        token(key=OTHER),
        token()[:-4],
        "slr_" + "A" * 56,
        "a.b.c.d.e",
        "",
        "\ud800.\x1b.x",
    ],
)
def test_the_first_refusal_is_the_verifiers_own(text: str) -> None:
    verifier = Verifier(ISSUER, "orders", jwks=JWKS, clock=lambda: NOW)
    with pytest.raises(TokenRefused) as refused:
        verifier.verify(text)
    first = explained(text).refusals[0]
    assert (first.code, first.claim) == (refused.value.code, refused.value.claim)


def test_what_stands_behind_the_first_refusal_is_told_too() -> None:
    text = token({"typ": "JWT"}, key=OTHER, iss="https://evil.example", aud=["bills"], cnf={}, exp=NOW - 90)
    found = codes(explained(text, scopes=["orders:write"]))
    assert found == [
        "bad_signature",
        "wrong_type",
        "wrong_issuer",
        "wrong_audience",
        "proof_of_possession_required",
        "token_expired",
        "insufficient_scope",
    ]


def test_a_token_whose_time_alone_is_wrong_passes_at_its_moment() -> None:
    early = explained(token(nbf=NOW + 68, iat=NOW - 5))
    assert (codes(early), early.passes_at) == (["token_not_yet_valid"], NOW + 38)
    late = explained(token(exp=NOW - 90, iat=NOW - 700))
    assert (codes(late), late.passes_at) == (["token_expired"], NOW - 61)


def test_a_token_that_never_passes_has_no_moment() -> None:
    assert explained(token(nbf=NOW + 9000)).passes_at is None  # it expires before
    assert explained(token(nbf=NOW + 68), scopes=["orders:write"]).passes_at is None
    assert explained(token(aud="bills")).passes_at is None


def test_an_encrypted_token_is_judged_by_what_is_within() -> None:
    key = OKPKey.generate_key("X25519", {"kid": "e1", "use": "enc"})
    (public,) = parse_encryption_jwks(json.dumps({"keys": [key.as_dict(private=False)]}).encode())
    decryption = Decryption(json.dumps({"keys": [key.as_dict(private=True)]}).encode())
    encrypted = encrypt_compact(token(aud="bills"), key=public)
    assert codes(explained(encrypted, decryption=decryption)) == ["wrong_audience"]
    assert codes(explained(encrypted)) == ["token_encrypted"]
    assert codes(explained(token(), decryption=decryption)) == ["token_not_encrypted"]


def test_an_api_with_a_secret_takes_tokens_of_hs256_alone() -> None:
    keys = secret_key(b"s" * 32)
    assert codes(explained(token(), keys, algorithms={"HS256"})) == ["algorithm_not_allowed"]
