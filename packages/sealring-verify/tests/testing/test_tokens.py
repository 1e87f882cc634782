import json

import pytest

from sealring_verify import InsufficientScope, TokenRefused
from sealring_verify.jose import base64url
from sealring_verify.jose.jwk import generate_private_key
from sealring_verify.testing import BadToken, Issuer

ISSUER = Issuer("orders", offline=True)


def parts(token: str) -> tuple[dict[str, object], dict[str, object]]:
    header, payload, _ = token.split(".")
    return json.loads(base64url.decode(header.encode())), json.loads(base64url.decode(payload.encode()))


def outcome(issuer: Issuer, token: str) -> str:
    try:
        return issuer.verifier().verify(token, scopes={"orders:read"}).sub
    except TokenRefused as refusal:
        return refusal.code


@pytest.mark.parametrize("alg", ["ES256", "RS256", "PS256", "Ed25519"])
def test_a_good_token_passes_under_any_algorithm(alg: str) -> None:
    issuer = Issuer("orders", alg=alg, offline=True)
    token = issuer.token(sub="ada", scope="orders:read orders:write", email="ada@example.com")
    verified = issuer.verifier().verify(token, scopes={"orders:read"})
    assert (verified.sub, verified.scopes) == ("ada", ("orders:read", "orders:write"))
    assert (verified.claims["email"], verified.exp - verified.iat) == ("ada@example.com", 600)
    assert parts(token)[0] == {"alg": alg, "typ": "at+jwt", "kid": issuer.key.kid}


def test_no_two_tokens_share_an_id_or_a_session() -> None:
    first, second = (ISSUER.claims() for _ in range(2))
    assert first["jti"] != second["jti"]
    assert first["sid"] != second["sid"]


def test_a_claim_that_is_none_is_left_out() -> None:
    assert "sid" not in ISSUER.claims(sid=None)
    assert outcome(ISSUER, ISSUER.token(jti=None)) == "missing_claim"


def test_a_client_in_its_own_name_is_its_subject_and_has_no_session() -> None:
    verified = ISSUER.verifier().verify(ISSUER.client_token(client_id="reports", scope="orders:read"))
    assert (verified.sub, verified.client_id, verified.sid, verified.sub_epoch) == ("reports", "reports", None, None)


@pytest.mark.parametrize("alg", ["ES256", "RS256", "Ed25519"])
def test_each_bad_token_is_refused_by_the_code_that_it_names(alg: str) -> None:
    issuer = Issuer("orders", alg=alg, offline=True)
    bad = issuer.bad_tokens(scope="orders:read")
    assert len({each.name for each in bad}) == len(bad) >= 11
    assert {each.name: outcome(issuer, each.token) for each in bad} == {each.name: each.code for each in bad}


@pytest.mark.parametrize("bad", ISSUER.bad_tokens(scope="orders:read", sub="ada"), ids=lambda bad: bad.name)
def test_a_bad_token_has_the_claims_that_were_asked_for(bad: BadToken) -> None:
    _, claims = parts(bad.token)
    # An ID token has no scope; an altered one has another subject.
    assert claims["sub"] == ("somebody-else" if bad.name == "altered" else "ada")
    assert claims.get("scope") == (None if bad.name == "an ID token" else "orders:read")


def test_a_good_token_without_its_scope_is_answered_403() -> None:
    with pytest.raises(InsufficientScope):
        ISSUER.verifier().verify(ISSUER.missing_scope_token(scope="orders:read"), scopes={"orders:read"})
    assert ISSUER.verifier().verify(ISSUER.missing_scope_token()).scope == frozenset()


def test_anything_can_be_signed() -> None:
    token = ISSUER.sign({"sub": None}, typ="JWT", key=generate_private_key("Ed25519", kid="k"))
    assert parts(token) == ({"alg": "Ed25519", "typ": "JWT", "kid": "k"}, {"sub": None})
