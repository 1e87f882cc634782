import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring_verify.access_token import check_access_token, check_time
from sealring_verify.claims import AccessToken
from sealring_verify.errors import InvalidToken
from sealring_verify.jose import base64url
from sealring_verify.jose.jwk import generate_private_key
from sealring_verify.jose.jwks import parse_jwks
from sealring_verify.jose.jws import sign_compact

ISSUER = "https://id.example.com"
KEY = generate_private_key("ES256", kid="k1")
KEYS = parse_jwks(json.dumps({"keys": [KEY.public_jwk()]}).encode())
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "u1",
    "aud": "orders",
    "exp": 1600,
    "iat": 1000,
    "jti": "j1",
    "client_id": "web",
}


def _token(header: dict[str, object] | None = None, **changes: object) -> str:
    members = {"alg": "ES256", "kid": "k1", "typ": "at+jwt", **(header or {})}
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not ...}
    return sign_compact(
        json.dumps(claims).encode(),
        key=KEY,
        header=base64url.encode(json.dumps({n: v for n, v in members.items() if v is not ...}).encode()),
    )


def _check(token: str | bytes, *, now: float = 1000, leeway: int = 30, audience: str = "orders") -> AccessToken:
    return check_access_token(
        token,
        keys=KEYS,
        issuer=ISSUER,
        audience=audience,
        algorithms=frozenset({"ES256"}),
        leeway=leeway,
        now=now,
    )[0]


def _refusal(token: str, **circumstances: Any) -> tuple[str, str | None]:  # noqa: ANN401 - passed on as they come
    with pytest.raises(InvalidToken) as refused:
        _check(token, **circumstances)
    return refused.value.code, refused.value.claim


def test_a_good_token_is_what_it_says() -> None:
    token = _check(_token(scope="orders:read"))
    assert (token.sub, token.scopes) == ("u1", ("orders:read",))


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "AT+JWT", "application/AT+jwt"])
def test_the_type_of_an_access_token_is_compared_as_a_media_type(typ: str) -> None:
    assert _check(_token({"typ": typ})).sub == "u1"


@pytest.mark.parametrize(
    "typ",
    [
        ...,
        "",
        "JWT",
        "jwt",
        "at+jwt ",
        "logout+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "token-introspection+jwt",
        "statuslist+jwt",
        "client-authentication+jwt",
        "oauth-authz-req+jwt",
        "sealring-revocations+jwt",
    ],
)
def test_another_kind_of_token_never_passes(typ: object) -> None:
    assert _refusal(_token({"typ": typ})) == ("wrong_type", None)


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("at_hash", "x"),
        ("c_hash", "x"),
        ("events", {"http://schemas.openid.net/event/backchannel-logout": {}}),
        ("htm", "GET"),
        ("htu", "https://api.example.com/orders"),
        ("token_introspection", {"active": True}),
        ("status_list", {"bits": 1, "lst": "x"}),
        ("typ", "Refresh"),
        ("typ", "ID"),
        ("typ", "Offline"),
        ("token_use", "id"),
        ("token_use", "refresh"),
    ],
)
def test_the_claims_of_another_kind_make_it_one_whatever_its_type_says(claim: str, value: object) -> None:
    assert _refusal(_token(**{claim: value})) == ("wrong_type", claim)


def test_claims_that_name_an_access_token_do_no_harm() -> None:
    assert _check(_token(typ="Bearer", token_use="access", nonce="n", tenant="acme")).sub == "u1"


@pytest.mark.parametrize(
    "issuer", ["https://id.example.com/", "https://ID.example.com", "http://id.example.com", "https://evil.example"]
)
def test_the_issuer_is_compared_octet_by_octet(issuer: str) -> None:
    assert _refusal(_token(iss=issuer)) == ("wrong_issuer", "iss")


def test_the_audience_must_name_this_api() -> None:
    assert _check(_token(aud=["billing", "orders"])).aud == ("billing", "orders")
    for audience in ("billing", "order", "orders ", "ORDERS", ["billing"], ISSUER):
        assert _refusal(_token(aud=audience)) == ("wrong_audience", "aud")


@pytest.mark.parametrize("cnf", [{"jkt": "x"}, {}, None, "x"])
def test_a_bound_token_is_refused_as_a_plain_bearer_token(cnf: object) -> None:
    assert _refusal(_token(cnf=cnf)) == ("proof_of_possession_required", "cnf")


def test_time_is_judged_with_the_leeway_on_both_ends() -> None:
    token = _token(nbf=1010)
    assert _check(token, now=1629.9)
    assert _refusal(token, now=1630) == ("token_expired", "exp")
    assert _refusal(token, now=1600, leeway=0) == ("token_expired", "exp")
    assert _check(token, now=980)
    assert _refusal(token, now=979.9) == ("token_not_yet_valid", "nbf")
    assert _refusal(_token(), now=969) == ("token_not_yet_valid", "iat")
    assert _check(_token(), now=970)


def test_time_can_be_judged_again() -> None:
    token = _check(_token())
    check_time(token, 0, 1599)
    with pytest.raises(InvalidToken, match="token_expired"):
        check_time(token, 0, 1600)


@pytest.mark.parametrize("claim", sorted(CLAIMS))
def test_every_claim_of_rfc_9068_is_required(claim: str) -> None:
    assert _refusal(_token(**{claim: ...})) == ("missing_claim", claim)


@given(st.binary(max_size=200), st.floats(allow_nan=True, allow_infinity=True))
def test_any_signed_payload_gives_a_refusal_and_nothing_else(payload: bytes, now: float) -> None:
    token = sign_compact(payload, key=KEY, header=base64url.encode(b'{"alg":"ES256","kid":"k1","typ":"at+jwt"}'))
    with pytest.raises(InvalidToken):
        _check(token, now=now)


def test_a_refusal_tells_nothing_of_the_token() -> None:
    token = _token(sub="very-secret-subject", iss="https://evil.example")
    with pytest.raises(InvalidToken) as refused:
        _check(token)
    told = str(refused.value) + repr(refused.value)
    assert "very-secret" not in told
    assert "evil.example" not in told
    assert token[:20] not in told
    assert refused.value.__cause__ is None
