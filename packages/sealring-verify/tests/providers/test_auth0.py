from typing import TYPE_CHECKING, Any

import pytest

from sealring_verify import InvalidToken
from sealring_verify.jose import base64url
from sealring_verify.jose.jwk import generate_private_key
from sealring_verify.providers import auth0

if TYPE_CHECKING:
    from conftest import Provider

    from sealring_verify import Verifier

ISSUER = "https://shop.eu.auth0.com/"
API = "https://orders.example.com"


def verifier_of(provider: "Provider", **options: Any) -> "Verifier":  # noqa: ANN401 - passed on as they come
    provider.publish(
        f"{ISSUER}.well-known/openid-configuration",
        issuer=ISSUER,
        jwks_uri=f"{ISSUER}.well-known/jwks.json",
        token_endpoint=f"{ISSUER}oauth/token",
    )
    return auth0.verifier(domain="shop.eu.auth0.com", audience=API, clock=provider.clock, **options)


def token(provider: "Provider", typ: object = "JWT", **changes: object) -> str:
    """Make a token of Auth0's own profile."""
    claims = {
        "iss": ISSUER,
        "sub": "auth0|6553da60",
        "aud": [API, f"{ISSUER}userinfo"],
        "iat": provider.now,
        "exp": provider.now + 86_400,
        "azp": "web",
        "scope": "openid orders:read",
    }
    return provider.token({"typ": typ}, {**claims, **changes})


def test_a_token_of_auth0s_own_profile_has_no_id_and_names_its_client_in_azp(provider: "Provider") -> None:
    verified = verifier_of(provider).verify(token(provider), scopes={"orders:read"})
    assert (verified.client_id, verified.jti, verified.aud[0]) == ("web", "", API)
    assert provider.requests == [f"{ISSUER}.well-known/openid-configuration", f"{ISSUER}.well-known/jwks.json"]


def test_a_token_of_the_profile_of_rfc_9068_passes_the_same_verifier(provider: "Provider") -> None:
    standard = token(provider, "at+jwt", azp=..., client_id="web", jti="73WakrfVbNJB")
    verified = verifier_of(provider).verify(standard)
    assert (verified.client_id, verified.jti) == ("web", "73WakrfVbNJB")


def test_a_token_in_a_programs_own_name_passes(provider: "Provider") -> None:
    own = token(provider, sub="m2m@clients", aud=API, azp="m2m", gty="client-credentials", scope="orders:read")
    assert verifier_of(provider).verify(own).claims["gty"] == "client-credentials"


def test_scopes_are_permissions_where_the_api_says_so(provider: "Provider") -> None:
    granted = token(provider, scope="openid", permissions=["orders:read", "orders:write"])
    assert verifier_of(provider).verify(granted).scope == {"openid"}
    assert verifier_of(provider, permissions=True).verify(granted).scope == {"orders:read", "orders:write"}
    assert verifier_of(provider, permissions=True).verify(token(provider)).scope == frozenset()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aud": "web"}, "wrong_audience"),  # an ID token names its client
        ({"aud": API, "nonce": "n"}, "wrong_type"),  # one of a client whose id is the API's
        ({"aud": API, "at_hash": "h"}, "wrong_type"),
        ({"aud": f"{ISSUER}api/v2/"}, "wrong_audience"),  # of the management API
        ({"iss": "https://shop.eu.auth0.com"}, "wrong_issuer"),  # without its slash
        ({"iss": "https://other.eu.auth0.com/"}, "wrong_issuer"),
        ({"typ": "dpop+jwt"}, "wrong_type"),
        ({"typ": ...}, "wrong_type"),
        ({"azp": ...}, "missing_claim"),
        ({"cnf": {"jkt": "x"}}, "proof_of_possession_required"),
        ({"exp": 1}, "token_expired"),
        ({"permissions": "orders:read"}, "accepted"),
    ],
)
def test_other_tokens_are_refused(provider: "Provider", changes: dict[str, object], code: str) -> None:
    assert provider.outcome(verifier_of(provider), token(provider, **changes))[0] == code


def test_a_permission_with_a_space_is_not_two(provider: "Provider") -> None:
    odd = token(provider, permissions=["orders:read orders:write"])
    assert provider.outcome(verifier_of(provider, permissions=True), odd) == ("invalid_claim", "permissions")


def test_a_token_for_no_audience_is_opaque_and_its_refusal_says_what_to_do(provider: "Provider") -> None:
    verifier = verifier_of(provider)
    header = base64url.encode(b'{"alg":"dir","enc":"A256GCM","iss":"https://shop.eu.auth0.com/"}').decode()
    for opaque in ("JtQ8CZc6Ff9A3rHkq0vR", f"{header}..aXY.Y2lwaGVydGV4dA.dGFn"):
        with pytest.raises(InvalidToken, match="name no audience"):
            verifier.verify(opaque)


def test_an_algorithm_that_auth0_has_not_is_refused(provider: "Provider") -> None:
    stranger = generate_private_key("ES256", kid="rsa-1")
    forged = provider.token({"typ": "JWT"}, {"iss": ISSUER}, key=stranger)
    assert provider.outcome(verifier_of(provider), forged) == ("algorithm_not_allowed", None)


def test_a_domain_is_a_host_name() -> None:
    with pytest.raises(ValueError, match="domain"):
        auth0.verifier(domain="https://shop.eu.auth0.com", audience=API)
