import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.client import Client, CodeFlow
from sealring.protocol.client_assertion import NoKeyFits
from sealring.protocol.errors import OAuthError
from sealring.protocol.instant import Instant
from sealring.protocol.request_object import decide_request_object, is_unsigned
from sealring_verify.jose import base64url
from sealring_verify.jose.jwk import generate_private_key
from sealring_verify.jose.jws import sign_compact

ISSUER = "https://id.example"
NOW = Instant(1_700_000_000_000)
AT = NOW // 1000
KEY, OTHER, RSA = (generate_private_key(alg, kid=kid) for alg, kid in (("ES256", "k"), ("ES256", "o"), ("RS256", "r")))
DOCUMENT = msgspec.json.encode({"keys": [KEY.public_jwk(), RSA.public_jwk()]})
CLIENT = Client(
    client_id="app",
    name="App",
    type="confidential",
    allowed={},
    code_flow=CodeFlow(redirect_uris=("https://app.example/cb",)),
    epoch=1,
    created_at=1,
)
ASKED = {"response_type": "code", "redirect_uri": "https://app.example/cb", "scope": "openid", "state": "a b&c"}


def sign(claims: object, *, key: Any = KEY, **header: object) -> str:  # noqa: ANN401 -- a private key
    head = {"alg": key.alg, "kid": key.kid, **header}
    encoded = base64url.encode(json.dumps({k: v for k, v in head.items() if v is not None}).encode())
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return sign_compact(payload, key=key, header=encoded)


def decide(text: str, *, alg: str | None = None, document: bytes = DOCUMENT) -> Any:  # noqa: ANN401 -- the outcomes
    flow = msgspec.structs.replace(CLIENT.code_flow, request_object_signing_alg=alg)  # type: ignore[type-var] # not None
    client = msgspec.structs.replace(CLIENT, code_flow=flow)
    return decide_request_object(text, document=document, client=client, issuer=ISSUER, now=NOW)


def refused(text: str, **options: Any) -> str:  # noqa: ANN401 -- as above
    outcome = decide(text, **options)
    assert isinstance(outcome, OAuthError), outcome
    assert outcome.code == outcome.error == "invalid_request_object"
    assert outcome.description.isascii()
    return outcome.description


def test_what_the_client_signed_is_the_request() -> None:
    claims = {
        **ASKED,
        "iss": "app",
        "aud": ISSUER,
        "exp": AT + 60,
        "iat": AT,
        "nbf": AT,
        "jti": "1",
        "client_id": "app",
        "max_age": 5,
        "nonce": "",
        "resource": ["a", "b"],
        "claims": {"userinfo": {"name": None}},
    }
    for key in (KEY, RSA):
        assert decide(sign(claims, key=key)) == {
            **{name: (value,) for name, value in ASKED.items()},
            "client_id": ("app",),
            "max_age": ("5",),
            "resource": ("a", "b"),
            "claims": ('{"userinfo":{"name":null}}',),
        }


@pytest.mark.parametrize("typ", [None, "JWT", "oauth-authz-req+jwt", "application/oauth-authz-req+jwt"])
def test_its_type_is_that_of_a_request_or_none(typ: str | None) -> None:
    assert isinstance(decide(sign(ASKED, typ=typ)), dict)


@pytest.mark.parametrize("typ", ["at+jwt", "client-authentication+jwt", "logout+jwt", "dpop+jwt"])
def test_a_token_of_another_type_is_no_request(typ: str) -> None:
    assert "typ" in refused(sign(ASKED, typ=typ))


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://other.example"},
        {"aud": []},
        {"aud": 5},
        {"iss": "shop"},
        {"client_id": "shop"},
        {"client_id": None},
        {"exp": AT},
        {"exp": "soon"},
        {"exp": True},
        {"nbf": AT + 120},
        {"iat": AT + 120},
        {"request": "x"},
        {"request_uri": "https://app.example/more"},
        {"scope": ["openid"]},
        {"state": None},
        {"state": 1.5},
        {"prompt": True},
        {"resource": [["a"]]},
    ],
)
def test_what_does_not_fit_is_refused(claims: dict[str, object]) -> None:
    refused(sign({**ASKED, **claims}))


@pytest.mark.parametrize("payload", [b"", b"[]", b"1", b"\xff", b'{"scope":"a","scope":"b"}', b'{"state":"\\ud800"}'])
def test_a_payload_that_two_could_read_differently_is_refused(payload: bytes) -> None:
    refused(sign(payload))


def test_a_signature_is_the_clients_by_the_algorithm_that_it_registered() -> None:
    assert isinstance(decide(sign(ASKED, key=OTHER)), NoKeyFits)
    assert isinstance(decide(sign(ASKED) + "AA"), NoKeyFits | OAuthError)
    assert isinstance(decide(sign(ASKED, key=RSA), alg="RS256"), dict)
    refused(sign(ASKED), alg="RS256")
    with pytest.raises(ValueError, match="keys"):
        decide(sign(ASKED), document=b"{}")


def test_an_unsigned_object_is_told_from_all_others() -> None:
    nobody = base64url.encode(b'{"alg":"none"}').decode()
    assert is_unsigned(f"{nobody}.e30.")
    refused(f"{nobody}.e30.")
    for text in (sign(ASKED), "", "x", "...", "e30.e30.", "é"):
        assert not is_unsigned(text)


@given(st.text(max_size=60) | st.binary(max_size=60).map(sign))
def test_no_text_raises(text: str) -> None:
    assert isinstance(decide(text), dict | NoKeyFits | OAuthError)
    is_unsigned(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.text(max_size=8) | st.sampled_from(["exp", "aud", "state", "claims", "resource"]), JSON))
def test_whatever_is_signed_becomes_texts_or_a_refusal(claims: dict[str, object]) -> None:
    outcome = decide(sign(claims))
    if isinstance(outcome, dict):
        assert outcome["client_id"] == ("app",)
        assert all(isinstance(value, str) and value for values in outcome.values() for value in values)
    else:
        assert isinstance(outcome, OAuthError)
