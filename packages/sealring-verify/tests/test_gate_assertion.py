import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring_verify.access_token import check_access_token
from sealring_verify.errors import InvalidToken
from sealring_verify.gate_assertion import GateAssertion, check_gate_assertion
from sealring_verify.jose import base64url
from sealring_verify.jose.algorithms import ALGORITHMS
from sealring_verify.jose.jwk import generate_private_key
from sealring_verify.jose.jwks import parse_jwks
from sealring_verify.jose.jws import sign_compact

ISSUER = "https://id.example"
KEY = generate_private_key("ES256", kid="k1")
KEYS = parse_jwks(json.dumps({"keys": [KEY.public_jwk()]}).encode())
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": "app.example",
    "sub": "u1",
    "client_id": "gate~app.example",
    "sid": "s1",
    "scope": "orders:read openid",
    "method": "GET",
    "path": "/orders/1",
    "iat": 1000,
    "exp": 1060,
}


def _assertion(typ: object = "sealring-gate+jwt", **changes: object) -> str:
    header = {"alg": "ES256", "kid": "k1", "typ": typ}
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not ...}
    encoded = base64url.encode(json.dumps({name: value for name, value in header.items() if value is not ...}).encode())
    return sign_compact(json.dumps(claims).encode(), key=KEY, header=encoded)


def _check(assertion: str, *, method: str = "GET", path: str = "/orders/1", now: float = 1000) -> GateAssertion:
    told = {"issuer": ISSUER, "host": "app.example", "method": method, "path": path}
    return check_gate_assertion(assertion, keys=KEYS, leeway=5, now=now, **told)


def _refusal(assertion: str, **circumstances: Any) -> tuple[str, str | None]:  # noqa: ANN401 - passed on as they come
    with pytest.raises(InvalidToken) as refused:
        _check(assertion, **circumstances)
    return refused.value.code, refused.value.claim


def test_an_assertion_says_who_passed() -> None:
    scope = frozenset({"openid", "orders:read"})
    assert _check(_assertion()) == GateAssertion(sub="u1", client_id="gate~app.example", scope=scope, sid="s1")
    assert _check(_assertion(sid=...)).sid is None


def test_an_assertion_is_about_one_request_at_one_host() -> None:
    assert _refusal(_assertion(), method="POST") == ("wrong_request", "method")
    for path in ("/orders/2", "/orders/1/", "/orders/%31", "/orders//1", "/ORDERS/1", "/orders/1?a=b"):
        assert _refusal(_assertion(), path=path) == ("wrong_request", "path")
    assert _refusal(_assertion(aud="other.example")) == ("wrong_audience", "aud")
    assert _refusal(_assertion(iss="https://evil.example")) == ("wrong_issuer", "iss")


def test_an_assertion_lives_a_minute_at_most() -> None:
    _check(_assertion(), now=1064)
    assert _refusal(_assertion(), now=1065) == ("token_expired", "exp")
    assert _refusal(_assertion(), now=994) == ("token_not_yet_valid", "iat")
    assert _refusal(_assertion(exp=1061)) == ("token_expired", "exp")


@pytest.mark.parametrize("typ", ["at+jwt", "JWT", "logout+jwt", "", ..., "sealring-gate"])
def test_no_other_token_passes_for_an_assertion(typ: object) -> None:
    assert _refusal(_assertion(typ))[0] == "wrong_type"


def test_an_assertion_never_passes_for_an_access_token() -> None:
    claims = {"jti": "j1", "client_id": "web"}
    for typ in ("sealring-gate+jwt", "application/sealring-gate+jwt"):
        with pytest.raises(InvalidToken, match="wrong_type"):
            check_access_token(
                _assertion(typ, **claims),
                keys=KEYS,
                issuer=ISSUER,
                audience="app.example",
                algorithms=ALGORITHMS,
                leeway=5,
                now=1000,
            )


@given(
    st.sampled_from(sorted(CLAIMS)),
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), st.lists(st.text(max_size=3))),
)
def test_whatever_a_claim_holds_the_answer_is_a_code(claim: str, value: object) -> None:
    try:
        _check(_assertion(**{claim: value}))
    except InvalidToken:
        return


@given(st.one_of(st.text(max_size=60), st.from_regex(r"[\w-]{1,20}\.[\w-]{1,20}\.[\w-]{1,20}")))
def test_whatever_stands_in_the_header_the_answer_is_a_code(text: str) -> None:
    with pytest.raises(InvalidToken):
        _check(text)
