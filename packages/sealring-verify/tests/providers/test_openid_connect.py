import base64
from typing import TYPE_CHECKING, Any

import pytest

from sealring_verify import InsufficientScope, IntrospectionUnavailable, KeysUnavailable
from sealring_verify.introspection import IntrospectionClient
from sealring_verify.providers import openid_connect

if TYPE_CHECKING:
    from conftest import Provider

    from sealring_verify import Verifier

ISSUER = "https://id.example.com/tenant"
CREDENTIAL = "Basic " + base64.b64encode(b"orders-api:secret").decode()
OPAQUE = "2YotnFZFEjr1zCsicMWpAA"


def verifier_of(provider: "Provider", **options: Any) -> "Verifier":  # noqa: ANN401 - passed on as they come
    if f"{ISSUER}/.well-known/openid-configuration" not in provider.documents:
        provider.publish(f"{ISSUER}/.well-known/openid-configuration", issuer=ISSUER, jwks_uri=f"{ISSUER}/keys")
    options = {"issuer": ISSUER, "audience": "orders", "clock": provider.clock, **options}
    return openid_connect.verifier(**options)


def token(provider: "Provider", typ: object = "at+jwt", **changes: object) -> str:
    claims = {
        "iss": ISSUER,
        "sub": "u1",
        "aud": "orders",
        "exp": provider.now + 600,
        "iat": provider.now,
        "jti": "j1",
        "client_id": "web",
        "scope": "orders:read",
    }
    return provider.token({"typ": typ}, {**claims, **changes})


def asking(provider: "Provider", *, endpoint: str | None = None, **options: Any) -> "Verifier":  # noqa: ANN401 - passed on
    """Make a verifier that asks about tokens; its issuer says where, unless `endpoint` does."""
    metadata = f"{ISSUER}/.well-known/openid-configuration"
    provider.publish(metadata, issuer=ISSUER, jwks_uri=f"{ISSUER}/keys", introspection_endpoint=f"{ISSUER}/introspect")
    client = IntrospectionClient(client_id="orders-api", client_secret="secret", endpoint=endpoint)
    return verifier_of(provider, introspection=client, **options)


def answering(provider: "Provider", **changes: object) -> dict[str, Any]:
    """Make the issuer answer that a token is active; the answer that is returned can be changed later."""
    answer = {
        "active": True,
        "token_type": "Bearer",
        "sub": "u1",
        "aud": ["orders"],
        "client_id": "web",
        "scope": "orders:read",
        "exp": provider.now + 600,
        "iat": provider.now,
        **changes,
    }
    provider.reply = lambda authorization, _body: (200, answer) if authorization == CREDENTIAL else (401, {})
    return answer


def test_without_exceptions_rfc_9068_is_demanded(provider: "Provider") -> None:
    verifier = verifier_of(provider)
    assert verifier.verify(token(provider, roles=["clerk"])).roles == ("clerk",)
    assert provider.outcome(verifier, token(provider, "JWT")) == ("wrong_type", None)
    assert provider.outcome(verifier, token(provider, jti=...)) == ("missing_claim", "jti")
    assert provider.outcome(verifier, token(provider, client_id=..., azp="web")) == ("missing_claim", "client_id")
    assert provider.outcome(verifier, token(provider, aud=...)) == ("missing_claim", "aud")


def test_each_exception_is_named(provider: "Provider") -> None:
    verifier = verifier_of(provider, typ="JWT", client_id_claim="azp", scope_claim="scp", may_lack={"jti"})
    odd = {"client_id": ..., "azp": "web", "scope": ..., "scp": ["a", "b"], "jti": ...}
    verified = verifier.verify(token(provider, "JWT", **odd))
    assert (verified.client_id, verified.scope, verified.jti) == ("web", {"a", "b"}, "")
    assert provider.outcome(verifier, token(provider, "at+jwt", **odd)) == ("wrong_type", None)
    assert provider.outcome(verifier, token(provider, ..., **odd)) == ("wrong_type", None)
    nameless = verifier_of(provider, typ=None)
    assert provider.outcome(nameless, token(provider, ...))[0] == "accepted"
    assert provider.outcome(nameless, token(provider, "JWT")) == ("wrong_type", None)


@pytest.mark.parametrize("mark", ["nonce", "at_hash", "c_hash", "events"])
def test_where_the_typ_says_nothing_marks_of_other_tokens_do(provider: "Provider", mark: str) -> None:
    told = {mark: {} if mark == "events" else "x"}
    assert provider.outcome(verifier_of(provider, typ="JWT"), token(provider, "JWT", **told)) == ("wrong_type", mark)


def test_keys_at_another_origin_are_fetched_only_where_it_is_named(provider: "Provider") -> None:
    metadata, keys = f"{ISSUER}/.well-known/openid-configuration", "https://keys.example.com/jwks"
    provider.publish(metadata, issuer=ISSUER, jwks_uri=keys)
    verifier = verifier_of(provider)
    with pytest.raises(KeysUnavailable):
        verifier.verify(token(provider))
    assert "another origin" in str(verifier.status().last_error)
    assert keys not in provider.requests
    assert verifier_of(provider, key_origin="https://keys.example.com").verify(token(provider)).sub == "u1"


def test_keys_can_be_told_without_any_metadata(provider: "Provider") -> None:
    keys = "https://keys.example.com/jwks"
    provider.publish("https://keys.example.com/none", issuer=ISSUER, jwks_uri=keys)
    assert (
        openid_connect.verifier(issuer=ISSUER, audience="orders", jwks_uri=keys, clock=provider.clock)
        .verify(token(provider))
        .sub
        == "u1"
    )
    assert provider.requests == [keys]


def test_metadata_of_another_issuer_is_refused(provider: "Provider") -> None:
    metadata = f"{ISSUER}/.well-known/openid-configuration"
    provider.publish(metadata, issuer="https://id.example.com/other", jwks_uri=f"{ISSUER}/keys")
    verifier = verifier_of(provider)
    with pytest.raises(KeysUnavailable):
        verifier.verify(token(provider))
    assert "another issuer" in str(verifier.status().last_error)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"issuer": "http://id.example.com"}, "https"),
        ({"typ": "jwt"}, "typ must be"),
        ({"may_lack": {"sub"}}, "may_lack"),
        ({"client_id_claim": ""}, "client_id_claim"),
        ({"scope_claim": ""}, "scope_claim"),
        ({"key_origin": "keys.example.com"}, "URL"),
        ({"jwks_uri": "http://keys.example.com/jwks"}, "https"),
        ({"audience": ""}, "audience"),
        ({"leeway": 301}, "leeway"),
    ],
)
def test_a_wrong_configuration_fails_at_construction(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        openid_connect.verifier(**{"issuer": ISSUER, "audience": "orders", **options})


async def test_the_answer_about_an_opaque_token_is_judged_as_a_token_is(provider: "Provider") -> None:
    verifier = asking(provider, opaque=True)
    answer = answering(provider)
    verified = verifier.verify(OPAQUE, scopes={"orders:read"})
    assert (verified.iss, verified.client_id, verified.jti) == (ISSUER, "web", "")
    assert (await verifier.verify_async(OPAQUE)) is verified
    assert provider.outcome(verifier, "another-one")[0] == "accepted"
    assert provider.requests.count(f"{ISSUER}/introspect") == 2
    assert (verifier.status().introspects, verifier.status().revocation.condition) == (True, "off")
    answer["scope"] = ""
    with pytest.raises(InsufficientScope):
        verifier.verify("a-third", scopes={"orders:read"})


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"active": False}, ("token_inactive", None)),
        ({"aud": "bills"}, ("wrong_audience", "aud")),
        ({"iss": "https://id.example.com/other"}, ("wrong_issuer", "iss")),
        ({"exp": 1}, ("token_expired", "exp")),
        ({"nbf": 9_999_999_999}, ("token_not_yet_valid", "nbf")),
        ({"cnf": {"jkt": "x"}}, ("proof_of_possession_required", "cnf")),
        ({"token_type": "Refresh"}, ("wrong_type", "token_type")),
        ({"sub": ""}, ("introspection_unavailable", None)),
        ({"active": "yes"}, ("introspection_unavailable", None)),
    ],
)
def test_any_other_answer_is_a_refusal(
    provider: "Provider", changes: dict[str, object], refusal: tuple[str, str | None]
) -> None:
    answering(provider, **changes)
    assert provider.outcome(asking(provider, opaque=True), OPAQUE) == refusal


def test_an_answer_counts_for_ten_seconds_and_a_refusal_for_two(provider: "Provider") -> None:
    now = 1000.0
    verifier = asking(provider, opaque=True, monotonic=lambda: now)
    answer = answering(provider)
    assert provider.outcome(verifier, OPAQUE)[0] == "accepted"
    answer["active"] = False
    now += 9.9
    assert provider.outcome(verifier, OPAQUE)[0] == "accepted"
    now += 0.1
    assert provider.outcome(verifier, OPAQUE)[0] == "token_inactive"
    answer["active"] = True
    now += 1.9
    assert provider.outcome(verifier, OPAQUE)[0] == "token_inactive"
    now += 0.1
    assert provider.outcome(verifier, OPAQUE)[0] == "accepted"


def test_an_issuer_that_gives_no_answer_is_no_fault_of_the_token(provider: "Provider") -> None:
    answering(provider)
    provider.reply = lambda _authorization, _body: (500, {})
    assert provider.outcome(asking(provider, opaque=True), OPAQUE) == ("introspection_unavailable", None)
    provider.reply = lambda _authorization, _body: (401, {})
    with pytest.raises(IntrospectionUnavailable, match="IntrospectionClient"):
        asking(provider, opaque=True).verify(OPAQUE)


def test_a_token_of_somebody_elses_is_never_sent_to_the_issuer(provider: "Provider") -> None:
    answering(provider)
    verifier = asking(provider, opaque=True)
    assert provider.outcome(verifier, token(provider, iss="https://evil.example")) == ("wrong_issuer", "iss")
    for text in ("", "é", "a b", "a\n", "\ud800"):
        assert provider.outcome(verifier, text) == ("token_malformed", None)
    assert provider.outcome(verifier, "a" * 16_385) == ("token_too_large", None)
    assert f"{ISSUER}/introspect" not in provider.requests
    # Its own may have the form of a signed one, and say too little to be verified as such.
    assert provider.outcome(verifier, token(provider, sub=...))[0] == "accepted"


def test_signed_tokens_can_be_asked_about_as_well(provider: "Provider") -> None:
    now = 1000.0
    verifier = asking(provider, introspect=True, monotonic=lambda: now)
    answer = answering(provider)
    assert provider.outcome(verifier, token(provider))[0] == "accepted"
    assert provider.outcome(verifier, token(provider, exp=1))[0] == "token_expired"
    assert provider.requests.count(f"{ISSUER}/introspect") == 1
    answer["active"] = False
    now += 2
    assert provider.outcome(verifier, token(provider)) == ("token_inactive", None)


def test_where_questions_go_can_be_told(provider: "Provider") -> None:
    answering(provider)
    there = "https://keys.example.com/introspect"
    assert provider.outcome(asking(provider, endpoint=there, opaque=True), OPAQUE)[0] == "accepted"
    assert provider.requests == [there]
    # Metadata cannot send the secret there.
    elsewhere = asking(provider, opaque=True)
    provider.documents[f"{ISSUER}/.well-known/openid-configuration"]["introspection_endpoint"] = there
    with pytest.raises(IntrospectionUnavailable, match="no introspection_endpoint"):
        elsewhere.verify(OPAQUE)
    assert provider.requests.count(there) == 1


def test_what_the_api_refuses_by_its_moment_is_refused_of_opaque_tokens_too(provider: "Provider") -> None:
    answering(provider)
    verifier = asking(provider, opaque=True)
    assert provider.outcome(verifier, OPAQUE)[0] == "accepted"
    verifier.refuse_issued_before(provider.now, sub="u1")
    assert provider.outcome(verifier, OPAQUE) == ("issued_before_cutoff", "iat")
