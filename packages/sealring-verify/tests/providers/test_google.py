from typing import TYPE_CHECKING, Any

import pytest

from sealring_verify.providers import google

if TYPE_CHECKING:
    from conftest import Provider

    from sealring_verify import Verifier

WEB = "1234-web.apps.googleusercontent.com"
ANDROID = "1234-android.apps.googleusercontent.com"
KEYS = "https://www.googleapis.com/oauth2/v3/certs"


def verifier_of(provider: "Provider", **options: Any) -> "Verifier":  # noqa: ANN401 - passed on as they come
    provider.publish(
        "https://accounts.google.com/.well-known/openid-configuration",
        issuer="https://accounts.google.com",
        jwks_uri=KEYS,
        token_endpoint="https://oauth2.googleapis.com/token",
        revocation_endpoint="https://oauth2.googleapis.com/revoke",
    )
    options = {"client_ids": [WEB, ANDROID], "clock": provider.clock, **options}
    return google.verifier(**options)


def token(provider: "Provider", **changes: object) -> str:
    claims = {
        "iss": "https://accounts.google.com",
        "azp": WEB,
        "aud": WEB,
        "sub": "110169484474386276334",
        "hd": "example.com",
        "email": "ada@example.com",
        "email_verified": True,
        "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
        "iat": provider.now,
        "exp": provider.now + 3600,
    }
    return provider.token({"typ": "JWT"}, {**claims, **changes})


@pytest.mark.parametrize("issuer", ["https://accounts.google.com", "accounts.google.com"])
def test_an_id_token_passes_with_either_spelling_of_the_issuer(provider: "Provider", issuer: str) -> None:
    verified = verifier_of(provider).verify(token(provider, iss=issuer))
    assert (verified.iss, verified.client_id, verified.scope) == (issuer, WEB, frozenset())
    assert KEYS in provider.requests


def test_an_app_may_present_a_token_for_its_server(provider: "Provider") -> None:
    assert verifier_of(provider).verify(token(provider, azp=ANDROID)).client_id == ANDROID
    assert verifier_of(provider).verify(token(provider, azp=...)).client_id == ""


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"aud": "9999-other.apps.googleusercontent.com"}, ("wrong_audience", "aud")),
        # A service account has a token made for whatever audience it names.
        ({"azp": "110000000000000000001", "sub": "110000000000000000001"}, ("claim_refused", "azp")),
        ({"iss": "https://accounts.google.com/"}, ("wrong_issuer", "iss")),
        ({"iss": "http://accounts.google.com"}, ("wrong_issuer", "iss")),
        ({"iss": ["accounts.google.com"]}, ("invalid_claim", "iss")),
        ({"iss": ...}, ("missing_claim", "iss")),
        ({"iat": ...}, ("missing_claim", "iat")),
    ],
)
def test_other_tokens_are_refused(
    provider: "Provider", changes: dict[str, object], refusal: tuple[str, str | None]
) -> None:
    assert provider.outcome(verifier_of(provider), token(provider, **changes)) == refusal


def test_only_accounts_of_the_hosted_domain_pass_where_one_is_demanded(provider: "Provider") -> None:
    verifier = verifier_of(provider, hosted_domain="example.com")
    assert provider.outcome(verifier, token(provider))[0] == "accepted"
    # Whoever has a private account with an address of that domain has no hd.
    for other in ("evil.example", "EXAMPLE.com", ...):
        assert provider.outcome(verifier, token(provider, hd=other)) == ("claim_refused", "hd")


def test_an_access_token_of_google_is_none_that_an_api_can_read(provider: "Provider") -> None:
    assert provider.outcome(verifier_of(provider), "ya29.a0AfH6SMBx") == ("token_malformed", None)


@pytest.mark.parametrize("clients", [[], WEB, [""]])
def test_clients_are_a_list(clients: Any) -> None:  # noqa: ANN401 - wrong ones too
    with pytest.raises(ValueError, match="client_ids"):
        google.verifier(client_ids=clients)
