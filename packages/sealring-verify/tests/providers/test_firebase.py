from typing import TYPE_CHECKING, Any

import pytest

from sealring_verify import InsufficientScope
from sealring_verify.jose import base64url
from sealring_verify.providers import firebase

if TYPE_CHECKING:
    from conftest import Provider

    from sealring_verify import Verifier

ISSUER = "https://securetoken.google.com/shop-12345"
KEYS = "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com"


def verifier_of(provider: "Provider", **options: Any) -> "Verifier":  # noqa: ANN401 - passed on as they come
    provider.publish(f"{ISSUER}/.well-known/openid-configuration", issuer=ISSUER, jwks_uri=KEYS)
    return firebase.verifier(project_id="shop-12345", clock=provider.clock, **options)


def token(provider: "Provider", typ: object = "JWT", *, tenant: object = ..., **changes: object) -> str:
    about = {"identities": {"email": ["ada@example.com"]}, "sign_in_provider": "password", "tenant": tenant}
    claims = {
        "iss": ISSUER,
        "aud": "shop-12345",
        "auth_time": provider.now - 60,
        "user_id": "Xy1",
        "sub": "Xy1",
        "iat": provider.now,
        "exp": provider.now + 3600,
        "email": "ada@example.com",
        "email_verified": True,
        "firebase": {name: value for name, value in about.items() if value is not ...},
    }
    return provider.token({"typ": typ}, {**claims, **changes})


def test_the_id_token_says_who_somebody_is_and_nothing_of_scopes_or_clients(provider: "Provider") -> None:
    verifier = verifier_of(provider)
    verified = verifier.verify(token(provider))
    assert (verified.sub, verified.client_id, verified.jti, verified.scope) == ("Xy1", "", "", frozenset())
    assert KEYS in provider.requests
    with pytest.raises(InsufficientScope):
        verifier.verify(token(provider), scopes={"orders:read"})


def test_a_custom_claim_can_hold_roles_and_others_can_have_any_form(provider: "Provider") -> None:
    verified = verifier_of(provider, roles_claim="groups").verify(token(provider, groups=["clerks"]))
    assert verified.roles == ("clerks",)
    verified = verifier_of(provider).verify(token(provider, roles={"admin": True}, sub_epoch="x"))
    assert (verified.roles, verified.claims["roles"], verified.sub_epoch) == ((), {"admin": True}, None)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        # The same keys sign for every project: only issuer and audience tell this one's tokens apart.
        ({"iss": "https://securetoken.google.com/evil-project", "aud": "evil-project"}, ("wrong_issuer", "iss")),
        ({"aud": "evil-project"}, ("wrong_audience", "aud")),
        ({"iss": "https://session.firebase.google.com/shop-12345"}, ("wrong_issuer", "iss")),  # a session cookie
        ({"tenant": "shop-a"}, ("claim_refused", "firebase")),
        ({"auth_time": ...}, ("missing_claim", "auth_time")),
        ({"firebase": ...}, ("missing_claim", "firebase")),
        ({"firebase": "x"}, ("missing_claim", "firebase")),
        ({"sub": ""}, ("invalid_claim", "sub")),
        ({"typ": "at+jwt"}, ("wrong_type", None)),
    ],
)
def test_other_tokens_are_refused(
    provider: "Provider", changes: dict[str, object], refusal: tuple[str, str | None]
) -> None:
    assert provider.outcome(verifier_of(provider), token(provider, **changes)) == refusal


def test_people_of_one_tenant_are_not_those_of_another_or_of_none(provider: "Provider") -> None:
    verifier = verifier_of(provider, tenant="shop-a")
    assert provider.outcome(verifier, token(provider, tenant="shop-a"))[0] == "accepted"
    for other in ("shop-b", ..., None, ["shop-a"]):
        assert provider.outcome(verifier, token(provider, tenant=other)) == ("claim_refused", "firebase")


def test_an_unsigned_token_as_the_emulator_makes_them_is_refused(provider: "Provider") -> None:
    _, payload, _ = token(provider).split(".")
    header = base64url.encode(b'{"alg":"none","typ":"JWT"}').decode()
    assert provider.outcome(verifier_of(provider), f"{header}.{payload}.") == ("algorithm_not_allowed", None)


@pytest.mark.parametrize("project", ["", "123456789012", "Shop", "a/b-cdef", "shop-12345/"])
def test_a_project_is_named_by_its_id(project: str) -> None:
    with pytest.raises(ValueError, match="project_id"):
        firebase.verifier(project_id=project)
