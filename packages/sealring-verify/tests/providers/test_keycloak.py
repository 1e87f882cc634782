from typing import TYPE_CHECKING

import pytest

from sealring_verify import InvalidToken, Verifier
from sealring_verify.introspection import IntrospectionClient
from sealring_verify.jose.jwk import generate_private_key
from sealring_verify.providers import keycloak

if TYPE_CHECKING:
    from conftest import Provider

ISSUER = "https://sso.example.com/realms/shop"


def verifier_of(provider: "Provider", server_url: str = "https://sso.example.com") -> Verifier:
    issuer = f"{server_url}/realms/shop"
    provider.publish(
        f"{issuer}/.well-known/openid-configuration",
        issuer=issuer,
        jwks_uri=f"{issuer}/protocol/openid-connect/certs",
        introspection_endpoint=f"{issuer}/protocol/openid-connect/token/introspect",
    )
    return keycloak.verifier(server_url=server_url, realm="shop", audience="orders", clock=provider.clock)


def token(provider: "Provider", header_typ: str = "JWT", **changes: object) -> str:
    claims = {
        "exp": provider.now + 300,
        "iat": provider.now,
        "auth_time": provider.now,
        "jti": "onrtac:312ee6",
        "iss": ISSUER,
        "aud": ["orders", "account"],
        "sub": "f3a0e5c8",
        "typ": "Bearer",
        "azp": "web",
        "sid": "s1",
        "acr": "1",
        "allowed-origins": ["https://shop.example.com"],
        "realm_access": {"roles": ["clerk", "offline_access"]},
        "resource_access": {"orders": {"roles": ["packer"]}},
        "scope": "openid orders:read",
        "preferred_username": "ada",
    }
    return provider.token({"typ": header_typ}, {**claims, **changes})


@pytest.mark.parametrize("header_typ", ["JWT", "at+jwt"])
def test_a_token_passes_with_either_typ_in_its_header(provider: "Provider", header_typ: str) -> None:
    verified = verifier_of(provider).verify(token(provider, header_typ), scopes={"orders:read"})
    assert (verified.client_id, verified.sid, verified.roles) == ("web", "s1", ("clerk", "offline_access"))
    assert verified.claims["resource_access"] == {"orders": {"roles": ("packer",)}}


def test_a_service_accounts_token_passes_and_needs_no_roles(provider: "Provider") -> None:
    own = token(provider, sid=..., auth_time=..., aud="orders", realm_access=..., clientHost="10.0.0.1")
    assert verifier_of(provider).verify(own).roles == ()


def test_an_old_server_has_a_path_before_its_realms(provider: "Provider") -> None:
    verifier = verifier_of(provider, "https://sso.example.com/auth")
    assert verifier.verify(token(provider, iss="https://sso.example.com/auth/realms/shop")).sub == "f3a0e5c8"
    assert provider.outcome(verifier, token(provider)) == ("wrong_issuer", "iss")


@pytest.mark.parametrize("kind", ["ID", "Refresh", "Offline", "Logout", "DPoP", "bearer", "", ..., None, ["Bearer"]])
def test_the_claim_typ_tells_other_tokens_whose_headers_say_the_same(provider: "Provider", kind: object) -> None:
    assert provider.outcome(verifier_of(provider), token(provider, typ=kind)) == ("wrong_type", "typ")


def test_a_token_for_no_api_is_refused_and_the_refusal_says_what_is_missing(provider: "Provider") -> None:
    with pytest.raises(InvalidToken, match="audience mapper"):
        verifier_of(provider).verify(token(provider, aud="account"))
    assert provider.outcome(verifier_of(provider), token(provider, aud=...)) == ("missing_claim", "aud")


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"iss": "https://sso.example.com/realms/master"}, ("wrong_issuer", "iss")),
        ({"sub": ...}, ("missing_claim", "sub")),  # a lightweight token
        ({"azp": ...}, ("missing_claim", "client_id")),
        ({"realm_access": {"roles": "clerk"}}, ("invalid_claim", "roles")),
        ({"jti": ...}, ("missing_claim", "jti")),
    ],
)
def test_other_tokens_are_refused(
    provider: "Provider", changes: dict[str, object], refusal: tuple[str, str | None]
) -> None:
    assert provider.outcome(verifier_of(provider), token(provider, **changes)) == refusal


def test_a_lightweight_token_is_asked_about(provider: "Provider") -> None:
    verifier_of(provider)  # publishes the realm
    claims = {"exp": provider.now + 300, "iat": provider.now, "iss": ISSUER, "aud": "orders", "sub": "f3a0e5c8"}
    answer = {
        **claims,
        "active": True,
        "typ": "Bearer",
        "token_type": "Bearer",
        "azp": "web",
        "client_id": "web",
        "realm_access": {"roles": ["clerk"]},
        "scope": "openid orders:read",
    }
    provider.reply = lambda _authorization, _body: (200, answer)
    verifier = keycloak.verifier(
        server_url="https://sso.example.com",
        realm="shop",
        audience="orders",
        opaque=True,
        introspection=IntrospectionClient(client_id="orders", client_secret="s"),
        clock=provider.clock,
    )
    verified = verifier.verify(token(provider, sub=..., aud=..., scope=..., realm_access=...))
    assert (verified.roles, verified.client_id) == (("clerk",), "web")
    # The realm answers about refresh tokens too.
    answer |= {"typ": "Refresh"}
    assert provider.outcome(verifier, "a-refresh-token") == ("wrong_type", "typ")


def test_the_key_for_encryption_signs_nothing(provider: "Provider") -> None:
    verifier = verifier_of(provider)
    forged = provider.token({"typ": "JWT"}, {"iss": ISSUER}, key=generate_private_key("ES256", kid="enc"))
    assert provider.outcome(verifier, forged) == ("unknown_key", None)
    assert len(verifier.status().skipped_keys) == 1


@pytest.mark.parametrize(
    ("server_url", "realm", "audience", "sentence"),
    [
        ("https://sso.example.com", "shop", "account", "account is a client of Keycloak"),
        ("https://sso.example.com", "", "orders", "realm"),
        ("https://sso.example.com", "a/b", "orders", "realm"),
        ("http://sso.example.com", "shop", "orders", "https"),
        ("sso.example.com", "shop", "orders", "issuer must be a URL"),
    ],
)
def test_a_wrong_configuration_fails_at_construction(server_url: str, realm: str, audience: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        keycloak.verifier(server_url=server_url, realm=realm, audience=audience)
