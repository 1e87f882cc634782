from typing import TYPE_CHECKING, Any

import pytest

from sealring_verify.providers import cognito

if TYPE_CHECKING:
    from conftest import Provider

    from sealring_verify import Verifier

POOL = "eu-west-1_Ab12Cd34E"
ISSUER = f"https://cognito-idp.eu-west-1.amazonaws.com/{POOL}"


def verifier_of(provider: "Provider", **options: Any) -> "Verifier":  # noqa: ANN401 - passed on as they come
    # Its other endpoints lie at the user pool's own domain.
    provider.publish(
        f"{ISSUER}/.well-known/openid-configuration",
        issuer=ISSUER,
        jwks_uri=f"{ISSUER}/.well-known/jwks.json",
        token_endpoint="https://shop.auth.eu-west-1.amazoncognito.com/oauth2/token",
        revocation_endpoint="https://shop.auth.eu-west-1.amazoncognito.com/oauth2/revoke",
    )
    options = {"client_ids": ["web", "app"], "clock": provider.clock, **options}
    return cognito.verifier(user_pool_id=POOL, **options)


def token(provider: "Provider", **changes: object) -> str:
    claims = {
        "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "cognito:groups": ["clerks"],
        "iss": ISSUER,
        "version": 2,
        "client_id": "web",
        "origin_jti": "o1",
        "token_use": "access",
        "scope": "openid orders/read",
        "auth_time": provider.now,
        "exp": provider.now + 3600,
        "iat": provider.now,
        "jti": "j1",
        "username": "ada",
    }
    return provider.token({}, {**claims, **changes})


def test_the_client_stands_for_the_audience_and_groups_are_roles(provider: "Provider") -> None:
    verified = verifier_of(provider).verify(token(provider), scopes={"orders/read"})
    assert (verified.client_id, verified.aud, verified.roles) == ("web", ("web",), ("clerks",))
    assert verifier_of(provider).verify(token(provider, client_id="app")).aud == ("app",)


def test_a_token_in_a_programs_own_name_passes(provider: "Provider") -> None:
    own = {"sub": "web", "origin_jti": ..., "username": ..., "cognito:groups": ...}
    assert verifier_of(provider).verify(token(provider, **own)).roles == ()


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        # An ID token of the same pool, as it is, and with a client_id put in by a trigger.
        ({"token_use": "id", "aud": "web", "client_id": ..., "scope": ...}, ("wrong_type", "token_use")),
        ({"token_use": "id"}, ("wrong_type", "token_use")),
        ({"token_use": ...}, ("wrong_type", "token_use")),
        ({"token_use": ["access"]}, ("wrong_type", "token_use")),
        ({"client_id": "stranger"}, ("wrong_audience", "aud")),
        ({"client_id": ...}, ("missing_claim", "aud")),
        ({"aud": "https://other.example"}, ("wrong_audience", "aud")),  # bound to another resource
        ({"aud": "web"}, ("wrong_audience", "aud")),
        ({"iss": ISSUER.replace("E", "F")}, ("wrong_issuer", "iss")),
        ({"cognito:groups": "clerks"}, ("invalid_claim", "roles")),
    ],
)
def test_other_tokens_are_refused(
    provider: "Provider", changes: dict[str, object], refusal: tuple[str, str | None]
) -> None:
    assert provider.outcome(verifier_of(provider), token(provider, **changes)) == refusal


def test_a_token_that_is_bound_to_this_api_names_it_and_one_of_the_clients(provider: "Provider") -> None:
    verifier = verifier_of(provider, audience="https://orders.example.com")
    bound = {"aud": "https://orders.example.com"}
    assert provider.outcome(verifier, token(provider, **bound))[0] == "accepted"
    assert provider.outcome(verifier, token(provider, **bound, client_id="stranger")) == ("claim_refused", "client_id")
    assert provider.outcome(verifier, token(provider)) == ("missing_claim", "aud")
    assert provider.outcome(verifier, token(provider, aud="web")) == ("wrong_audience", "aud")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"user_pool_id": "Ab12Cd34E"}, "user_pool_id"),
        ({"user_pool_id": "eu-west-1_a/b"}, "user_pool_id"),
        ({"client_ids": "web"}, "client_ids"),
        ({"client_ids": []}, "client_ids"),
        ({"client_ids": [""]}, "client_ids"),
    ],
)
def test_a_wrong_configuration_fails_at_construction(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        cognito.verifier(**{"user_pool_id": POOL, "client_ids": ["web"], **options})
