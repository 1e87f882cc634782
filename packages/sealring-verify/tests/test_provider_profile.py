import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring_verify.errors import CODES, InvalidToken
from sealring_verify.issuer_metadata import Discovery
from sealring_verify.jose.header import Header
from sealring_verify.jose.jwk import generate_private_key
from sealring_verify.jose.jwks import parse_jwks
from sealring_verify.jose.jws import VerifiedJws
from sealring_verify.provider_profile import (
    ClaimRule,
    ProviderProfile,
    absent,
    accepted_audience,
    accepted_issuer,
    read_provider_token,
)

ISSUER = "https://id.example.com"
KEY = parse_jwks(json.dumps({"keys": [generate_private_key("ES256", kid="k1").public_jwk()]}).encode()).keys[0]
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "u1",
    "aud": "orders",
    "exp": 1600,
    "iat": 1000,
    "jti": "j1",
    "client_id": "web",
}
EVERYTHING = ProviderProfile(
    name="all exceptions at once",
    types=frozenset({"jwt", None}),
    issuers=frozenset({"id.example.com"}),
    audiences=frozenset({"app"}),
    audience_claim="client_id",
    client_id_claims=("azp", "cid"),
    scope_claim="scp",
    roles_path=("access", "roles"),
    jti_claim="uti",
    may_lack=frozenset({"jti", "client_id"}),
    one_of=("scp", "access"),
    rules=(ClaimRule(path=("a", "b"), values=frozenset({"c", None})), *absent("nonce")),
)


def jws(payload: bytes, typ: str | None) -> VerifiedJws:
    return VerifiedJws(header=Header(alg="ES256", kid="k1", typ=typ), payload=payload, key=KEY)


def read(profile: ProviderProfile, *, typ: str | None = "at+jwt", **changes: object) -> Any:  # noqa: ANN401 - a token
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not ...}
    return read_provider_token(jws(json.dumps(claims).encode(), typ), issuer=ISSUER, profile=profile)


def refusal(profile: ProviderProfile, **changes: Any) -> tuple[str, str | None]:  # noqa: ANN401 - passed on
    with pytest.raises(InvalidToken) as refused:
        read(profile, **changes)
    return refused.value.code, refused.value.claim


@pytest.mark.parametrize("claim", sorted(CLAIMS))
def test_a_profile_that_says_nothing_demands_what_rfc_9068_does(claim: str) -> None:
    assert read(ProviderProfile(name="x")).sub == "u1"
    assert refusal(ProviderProfile(name="x"), **{claim: ...}) == ("missing_claim", claim)


def test_the_type_is_a_media_type_and_its_absence_a_type_of_its_own() -> None:
    profile = ProviderProfile(name="x", types=frozenset({"jwt"}))
    for typ in ("JWT", "jwt", "application/JWT"):
        assert read(profile, typ=typ).sub == "u1"
    for other in (None, "", "at+jwt", "JWT ", "application/application/jwt"):
        assert refusal(profile, typ=other) == ("wrong_type", None)
    assert read(ProviderProfile(name="x", types=frozenset({None})), typ=None).sub == "u1"


def test_each_claim_is_found_where_the_profile_says() -> None:
    token = read(
        EVERYTHING, typ=None, aud=..., jti=..., client_id="ignored", cid="app", scp=["a", "b"], uti="id-1",
        access={"roles": ["clerk"]}, scope="ignored", roles="odd",
    )  # fmt: skip
    assert (token.client_id, token.aud, token.jti) == ("app", ("app",), "id-1")
    assert (token.scope, token.roles) == ({"a", "b"}, ("clerk",))
    assert accepted_audience(token, audience="web", profile=EVERYTHING) == "app"
    assert accepted_issuer(token, issuer=ISSUER, profile=EVERYTHING) == ISSUER


def test_the_first_claim_of_a_client_that_is_there_counts() -> None:
    assert read(EVERYTHING, typ="JWT", azp="one", cid="two", scp="a").client_id == "one"
    assert refusal(EVERYTHING, typ="JWT", azp=["one"], cid="two", scp="a") == ("invalid_claim", "client_id")


def test_what_may_lack_is_an_empty_text_and_never_one_that_is_sent() -> None:
    profile = ProviderProfile(name="x", may_lack=frozenset({"jti", "client_id"}))
    assert (read(profile, jti=...).jti, read(profile, client_id=...).client_id) == ("", "")
    assert refusal(profile, jti="") == ("invalid_claim", "jti")
    assert refusal(profile, client_id=7) == ("invalid_claim", "client_id")
    assert read(profile, jti=None).jti == ""


def test_claims_of_sealring_and_foreign_roles_stay_as_they_are() -> None:
    token = read(ProviderProfile(name="x"), roles={"a": 1}, sub_epoch="x", client_epoch=[2])
    assert (token.roles, token.sub_epoch, token.client_epoch) == ((), None, None)
    assert token.claims == {"roles": {"a": 1}, "sub_epoch": "x", "client_epoch": (2,)}


@pytest.mark.parametrize("value", [True, 1, ["c"], {"c": 1}, "d", ""])
def test_a_rule_takes_nothing_but_its_values(value: object) -> None:
    assert refusal(EVERYTHING, typ=None, scp="a", cid="app", a={"b": value}) == ("claim_refused", "a")
    assert read(EVERYTHING, typ=None, scp="a", cid="app", a={"b": "c"}).sub == "u1"
    assert read(EVERYTHING, typ=None, scp="a", cid="app", a="no object").sub == "u1"


def test_one_of_some_claims_must_be_there() -> None:
    assert refusal(EVERYTHING, typ=None, cid="app") == ("missing_claim", "scp")


@pytest.mark.parametrize("issuer", [ISSUER + "/", "https://evil.example", "ID.example.com"])
def test_another_issuer_is_refused_before_anything_else_is_read(issuer: str) -> None:
    assert refusal(EVERYTHING, typ=None, iss=issuer, nonce="n", sub=...) == ("wrong_issuer", "iss")
    assert read(EVERYTHING, typ=None, iss="id.example.com", scp="a", cid="app").iss == "id.example.com"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_NAMES = st.sampled_from([*CLAIMS, "azp", "cid", "scp", "uti", "access", "a", "nonce", "roles", "typ"])


@given(st.dictionaries(_NAMES, _JSON), st.sampled_from([None, "JWT"]))
def test_whatever_the_claims_there_is_a_token_or_a_refusal(claims: dict[str, Any], typ: str | None) -> None:
    for profile in (EVERYTHING, ProviderProfile(name="x", types=frozenset({None, "jwt"}))):
        with contextlib.suppress(InvalidToken):
            token = read_provider_token(jws(json.dumps(CLAIMS | claims).encode(), typ), issuer=ISSUER, profile=profile)
            assert token.iss in {ISSUER, "id.example.com"}


@given(st.binary(max_size=100))
def test_whatever_the_payload_there_is_a_refusal(payload: bytes) -> None:
    with pytest.raises(InvalidToken):
        read_provider_token(jws(payload, None), issuer=ISSUER, profile=EVERYTHING)


@pytest.mark.parametrize(
    "fields",
    [
        {"algorithms": frozenset()},
        {"algorithms": frozenset({"HS256"})},
        {"types": frozenset()},
        {"client_id_claims": ()},
        {"scope_claim": ""},
        {"audience_claim": "azp"},
        {"may_lack": frozenset({"sub"})},
    ],
)
def test_a_profile_that_makes_no_sense_is_refused_in_a_sentence(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must|can name"):
        ProviderProfile(name="x", **fields)


def test_advice_can_be_sent_in_a_header() -> None:
    from sealring_verify.providers import auth0, entra_id, keycloak

    tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47"
    for made in (
        auth0.verifier(domain="shop.eu.auth0.com", audience="orders"),
        entra_id.verifier(tenant_id=tenant, audience="orders"),
        keycloak.verifier(server_url=ISSUER, realm="shop", audience="orders"),
    ):
        profile = made._profile
        assert profile is not None
        for code, sentence in profile.advice.items():
            assert code in CODES
            # RFC 6750 §3: no quote and no backslash, and ASCII alone.
            assert sentence.isascii()
            assert not set(sentence) & {'"', "\\"}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"url": "https://a.example/x", "jwks_uri": "https://a.example/y"},
        {"url": "http://a.example/x"},
        {"jwks_uri": "keys"},
        {"url": "https://a.example/x", "key_origins": frozenset({"a.example"})},
    ],
)
def test_a_discovery_that_makes_no_sense_is_refused_in_a_sentence(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"discovery|issuer"):
        Discovery(**fields)
