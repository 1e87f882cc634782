from typing import Any

import pytest

from sealring_verify import Verifier
from sealring_verify.introspection import IntrospectionClient
from sealring_verify.jose.jwk import generate_private_key
from sealring_verify.provider_profile import ProviderProfile
from sealring_verify.symmetric_secret import parse_symmetric_secret, write_symmetric_secret

SECRET = write_symmetric_secret(b"the secret of the tests (32 oct)")
NEXT_SECRET = write_symmetric_secret(b"the next secret, with 32 octets.")
PROFILE = ProviderProfile(name="a provider", algorithms=frozenset({"RS256"}))
CLIENT = IntrospectionClient(client_id="orders", client_secret="s")
GOOD_JWKS = {"keys": [generate_private_key("ES256").public_jwk()]}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"issuer": "http://id.example.com"}, "https"),
        ({"issuer": ""}, "issuer"),
        ({"audience": ""}, "audience"),
        ({"audience": " orders"}, "audience"),
        ({"algorithms": []}, "algorithms"),
        ({"algorithms": ["none"]}, "algorithms"),
        ({"algorithms": ["ES256", "HS256"]}, "algorithms"),
        ({"algorithms": "ES256"}, "algorithms"),
        ({"leeway": -1}, "leeway"),
        ({"leeway": 301}, "leeway"),
        ({"leeway": 0.5}, "leeway"),
        ({"leeway": True}, "leeway"),
        ({"leeway": "30"}, "leeway"),
        ({"leeway": None}, "leeway"),
        ({"issuer": None}, "issuer"),
        ({"issuer": b"https://id.example.com"}, "issuer"),
        ({"issuer": "https://id.example.com?x"}, "query"),
        ({"issuer": "https://u:p@id.example.com"}, "user name"),
        ({"audience": None}, "audience"),
        ({"audience": ["orders"]}, "audience"),
        ({"algorithms": ["EdDSA", "none"]}, "algorithms"),
        ({"algorithms": ["RS256", "RSA1_5"]}, "algorithms"),
        ({"max_staleness": 0}, "max_staleness"),
        ({"on_stale": "pass"}, "on_stale"),
        ({"feed": "push"}, "feed"),
        ({"introspect": True}, "api_key"),
        ({"introspect": True, "api_key": ""}, "api_key"),
        ({"introspect": True, "api_key": "k", "jwks": GOOD_JWKS}, "jwks"),
        ({"symmetric_secrets": [SECRET], "jwks": GOOD_JWKS}, "symmetric_secrets stand alone"),
        ({"symmetric_secrets": [SECRET], "algorithms": ["ES256"]}, "symmetric_secrets stand alone"),
        ({"symmetric_secrets": [SECRET] * 3}, "one secret or"),
        ({"symmetric_secrets": SECRET}, "list of one"),
        ({"symmetric_secrets": ["slh_short"]}, "slh_ and 43"),
        ({"symmetric_secrets": [""]}, "slh_ and 43"),
        ({"jwks": "{}"}, "jwks"),
        ({"jwks": "garbage"}, "jwks"),
        ({"jwks": {"keys": []}}, "empty"),
        ({"jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}}, "kty"),
        ({"profile": PROFILE, "api_key": "sla_k"}, "api_key and symmetric_secrets are for Sealring's own"),
        ({"profile": PROFILE, "symmetric_secrets": [SECRET]}, "api_key and symmetric_secrets"),
        ({"profile": PROFILE, "algorithms": ["ES256"]}, "some of: RS256"),
        ({"profile": PROFILE, "introspect": True}, "introspection=IntrospectionClient"),
        ({"opaque": True}, "introspection=IntrospectionClient"),
        ({"introspection": CLIENT}, "say introspect=True, or opaque=True"),
        ({"introspection": CLIENT, "opaque": True, "api_key": "sla_k"}, "leave api_key out"),
        ({"introspection": CLIENT, "introspect": True, "jwks": GOOD_JWKS}, "name the endpoint"),
        ({"introspection": CLIENT, "introspect": True, "opaque": True}, "opaque=True stands alone"),
    ],
)
def test_a_wrong_configuration_fails_at_construction_in_a_sentence(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Verifier(**{"issuer": "https://id.example.com", "audience": "orders", **arguments})


def test_the_environment_configures_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SEALRING_ISSUER", "SEALRING_AUDIENCE", "SEALRING_API_KEY", "SEALRING_SYMMETRIC_SECRETS"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match="SEALRING_ISSUER and SEALRING_AUDIENCE"):
        Verifier.from_environment()
    monkeypatch.setenv("SEALRING_ISSUER", "http://localhost:8700")
    monkeypatch.setenv("SEALRING_AUDIENCE", "orders")
    assert Verifier.from_environment().status().revocation.condition == "off"
    monkeypatch.setenv("SEALRING_API_KEY", "sla_x")
    status = Verifier.from_environment().status()
    assert (status.issuer, status.audience) == ("http://localhost:8700", "orders")
    assert (status.introspects, status.revocation.condition) == (False, "waiting")
    monkeypatch.setenv("SEALRING_SYMMETRIC_SECRETS", "")
    assert Verifier.from_environment().status().keys == ()
    monkeypatch.setenv("SEALRING_SYMMETRIC_SECRETS", f"{SECRET},{NEXT_SECRET}")
    kids = tuple(parse_symmetric_secret(secret).kid for secret in (SECRET, NEXT_SECRET))
    assert Verifier.from_environment().status().keys == kids
    for wrong in (f"{SECRET}, {NEXT_SECRET}", f"{SECRET},", SECRET + "\n"):
        monkeypatch.setenv("SEALRING_SYMMETRIC_SECRETS", wrong)
        with pytest.raises(ValueError, match="slh_ and 43"):
            Verifier.from_environment()
