from typing import TYPE_CHECKING, Any

import pytest

from sealring_verify import IntrospectionClient
from sealring_verify.providers import okta

if TYPE_CHECKING:
    from conftest import Provider

    from sealring_verify import Verifier

ISSUER = "https://shop.okta.com/oauth2/default"


def verifier_of(provider: "Provider", **options: Any) -> "Verifier":  # noqa: ANN401 - passed on as they come
    provider.publish(
        f"{ISSUER}/.well-known/openid-configuration",
        issuer=ISSUER,
        jwks_uri=f"{ISSUER}/v1/keys",
        introspection_endpoint=f"{ISSUER}/v1/introspect",
    )
    return okta.verifier(domain="shop.okta.com", audience="api://default", clock=provider.clock, **options)


def token(provider: "Provider", typ: object = ..., **changes: object) -> str:
    """Make a token of the custom authorization server `default`, whose header has no typ."""
    claims = {
        "ver": 1,
        "jti": "AT.-DOhmdXTjQfreylwZfB9",
        "iss": ISSUER,
        "aud": "api://default",
        "sub": "ada@example.com",
        "iat": provider.now,
        "exp": provider.now + 3600,
        "cid": "0oa1",
        "uid": "00u1",
        "scp": ["openid", "orders:read"],
        "auth_time": provider.now,
    }
    return provider.token({"typ": typ}, {**claims, **changes})


def test_scopes_are_a_list_and_the_client_is_cid(provider: "Provider") -> None:
    verified = verifier_of(provider).verify(token(provider), scopes={"orders:read"})
    assert (verified.client_id, verified.sub, verified.claims["uid"]) == ("0oa1", "ada@example.com", "00u1")


def test_a_token_in_a_programs_own_name_passes(provider: "Provider") -> None:
    own = token(provider, sub="0oa1", uid=..., auth_time=..., scp=["orders:read"])
    assert verifier_of(provider).verify(own).scope == {"orders:read"}


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"cid": ..., "scp": ..., "aud": "0oa1", "jti": "ID.x"}, ("missing_claim", "cid")),  # an ID token
        ({"at_hash": "h"}, ("wrong_type", "at_hash")),
        ({"nonce": "n"}, ("wrong_type", "nonce")),
        # A token of the org authorization server: its own typ, issuer and audience.
        (
            {"typ": "application/okta-internal-at+jwt", "iss": "https://shop.okta.com", "aud": "https://shop.okta.com"},
            ("wrong_type", None),
        ),
        ({"iss": "https://shop.okta.com", "aud": "https://shop.okta.com"}, ("wrong_issuer", "iss")),
        ({"iss": "https://shop.okta.com/oauth2/ausother"}, ("wrong_issuer", "iss")),
        ({"aud": "api://other"}, ("wrong_audience", "aud")),
        ({"scp": ["orders:read orders:write"]}, ("invalid_claim", "scp")),
        ({"scp": [1]}, ("invalid_claim", "scp")),
        ({"scp": {"a": 1}}, ("invalid_claim", "scope")),
        ({"jti": ...}, ("missing_claim", "jti")),
    ],
)
def test_other_tokens_are_refused(
    provider: "Provider", changes: dict[str, object], refusal: tuple[str, str | None]
) -> None:
    assert provider.outcome(verifier_of(provider), token(provider, **changes)) == refusal


def test_a_token_without_scopes_has_none(provider: "Provider") -> None:
    assert verifier_of(provider).verify(token(provider, scp=...)).scope == frozenset()


def test_the_answer_to_a_question_has_other_names_than_the_token(provider: "Provider") -> None:
    client = IntrospectionClient(client_id="0oa-api", client_secret="s")
    verifier = verifier_of(provider, opaque=True, introspection=client)
    answer = {
        "active": True,
        "token_type": "Bearer",
        "scope": "openid orders:read",
        "client_id": "0oa1",
        "username": "ada@example.com",
        "exp": provider.now + 3600,
        "iat": provider.now,
        "sub": "ada@example.com",
        "aud": "api://default",
        "iss": ISSUER,
        "jti": "AT.x",
        "uid": "00u1",
    }
    provider.reply = lambda _authorization, _body: (200, answer)
    verified = verifier.verify(token(provider), scopes={"orders:read"})
    assert (verified.client_id, verified.jti, verified.claims["uid"]) == ("0oa1", "AT.x", "00u1")
    # About a refresh token it says no token_type.
    del answer["token_type"]
    assert provider.outcome(verifier, "a-refresh-token") == ("wrong_type", "token_type")


@pytest.mark.parametrize("server", ["", "a/b", "../default", "default?"])
def test_the_org_authorization_server_cannot_be_asked_for(server: str) -> None:
    with pytest.raises(ValueError, match="authorization_server must name a custom one"):
        okta.verifier(domain="shop.okta.com", audience="api://default", authorization_server=server)


def test_the_administrators_address_is_not_the_organisations() -> None:
    with pytest.raises(ValueError, match="without -admin"):
        okta.verifier(domain="shop-admin.okta.com", audience="api://default")
