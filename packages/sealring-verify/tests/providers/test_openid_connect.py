from typing import TYPE_CHECKING, Any

import pytest

from sealring_verify import KeysUnavailable
from sealring_verify.providers import openid_connect

if TYPE_CHECKING:
    from conftest import Provider

    from sealring_verify import Verifier

ISSUER = "https://id.example.com/tenant"


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
