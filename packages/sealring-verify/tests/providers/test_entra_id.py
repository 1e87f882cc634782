import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from sealring_verify import InvalidToken, Verifier
from sealring_verify.jose import base64url
from sealring_verify.providers import entra_id

if TYPE_CHECKING:
    from conftest import Provider

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
OTHER = "9188040d-6c67-4c5b-b112-36a304b66dad"
HOST = "https://login.microsoftonline.com"
API = "6e74172b-be56-4843-9ff4-e66a39bb12e3"
V2 = f"{HOST}/{TENANT}/v2.0"
V1 = f"https://sts.windows.net/{TENANT}/"


def verifier_of(provider: "Provider", version: Any = 2, audience: str = API) -> Verifier:  # noqa: ANN401 - wrong ones too
    provider.publish(
        f"{V2}/.well-known/openid-configuration", issuer=V2, jwks_uri=f"{HOST}/{TENANT}/discovery/v2.0/keys"
    )
    provider.publish(
        f"{HOST}/{TENANT}/.well-known/openid-configuration", issuer=V1, jwks_uri=f"{HOST}/common/discovery/keys"
    )
    return entra_id.verifier(tenant_id=TENANT, audience=audience, version=version, clock=provider.clock)


def token(provider: "Provider", **changes: object) -> str:
    """Make a token of version 2 that a person granted to a page."""
    claims = {
        "aud": API,
        "iss": V2,
        "iat": provider.now,
        "nbf": provider.now,
        "exp": provider.now + 4000,
        "aio": "AXQAi/8IAAAA",
        "azp": "web",
        "azpacr": "0",
        "name": "Ada",
        "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474",
        "rh": "I",
        "scp": "Orders.Read Orders.Write",
        "sub": "HKZpfaHyWadeOouYlitjrI",
        "tid": TENANT,
        "uti": "fqiBqXLPj0eQa82S-IYFAA",
        "ver": "2.0",
    }
    return provider.token({"typ": "JWT"}, {**claims, **changes})


def token_v1(provider: "Provider", **changes: object) -> str:
    earlier = {
        "iss": V1,
        "aud": "api://orders",
        "ver": "1.0",
        "azp": ...,
        "azpacr": ...,
        "appid": "web",
        "appidacr": "0",
        "acr": "1",
        "amr": ["pwd"],
    }
    return token(provider, **{**earlier, **changes})


def test_a_token_of_version_2_says_its_scopes_in_scp_and_its_id_in_uti(provider: "Provider") -> None:
    verified = verifier_of(provider).verify(token(provider), scopes={"Orders.Read"})
    assert (verified.client_id, verified.jti) == ("web", "fqiBqXLPj0eQa82S-IYFAA")
    assert verified.claims["oid"] == "690222be-ff1a-4d56-abd1-7e4f7d38e474"
    assert provider.requests[0] == f"{V2}/.well-known/openid-configuration"


def test_a_token_of_version_1_has_an_issuer_whose_metadata_lies_at_another_host(provider: "Provider") -> None:
    verified = verifier_of(provider, version=1, audience="api://orders").verify(token_v1(provider))
    assert (verified.iss, verified.client_id, verified.amr) == (V1, "web", ("pwd",))
    assert provider.requests[0] == f"{HOST}/{TENANT}/.well-known/openid-configuration"


def test_an_applications_own_token_has_roles_and_no_scopes(provider: "Provider") -> None:
    own = token(provider, scp=..., roles=["Orders.Read.All"], idtyp="app", azpacr="1")
    verified = verifier_of(provider).verify(own)
    assert (verified.roles, verified.scope) == (("Orders.Read.All",), frozenset())


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        # An ID token of a page that shares its registration with the API.
        ({"scp": ..., "azp": ..., "azpacr": ..., "nonce": "n"}, ("wrong_type", "nonce")),
        ({"c_hash": "h"}, ("wrong_type", "c_hash")),
        # Any application of the tenant gets this much.
        ({"scp": ..., "idtyp": "app"}, ("missing_claim", "scp")),
        ({"iss": f"{HOST}/{OTHER}/v2.0", "tid": OTHER}, ("wrong_issuer", "iss")),
        ({"iss": f"{HOST}/{{tenantid}}/v2.0"}, ("wrong_issuer", "iss")),
        ({"iss": f"{HOST}/common/v2.0"}, ("wrong_issuer", "iss")),
        ({"tid": OTHER}, ("claim_refused", "tid")),
        ({"tid": ...}, ("claim_refused", "tid")),
        ({"ver": "1.0"}, ("claim_refused", "ver")),
        ({"aud": "00000003-0000-0000-c000-000000000000"}, ("wrong_audience", "aud")),
        ({"azp": ..., "appid": "web"}, ("missing_claim", "client_id")),
        ({"roles": "Orders.Read.All"}, ("invalid_claim", "roles")),
    ],
)
def test_other_tokens_are_refused(
    provider: "Provider", changes: dict[str, object], refusal: tuple[str, str | None]
) -> None:
    assert provider.outcome(verifier_of(provider), token(provider, **changes)) == refusal


def test_a_token_of_the_other_version_is_refused_and_the_refusal_says_where_it_is_chosen(provider: "Provider") -> None:
    with pytest.raises(InvalidToken, match="requestedAccessTokenVersion 2") as refused:
        verifier_of(provider).verify(token_v1(provider))
    assert refused.value.code == "wrong_issuer"
    first = verifier_of(provider, version=1, audience="api://orders")
    assert provider.outcome(first, token(provider)) == ("wrong_issuer", "iss")


def test_a_token_for_microsoft_graph_is_refused_and_the_refusal_names_graph(provider: "Provider") -> None:
    # Its signature is over a header with the nonce's digest in place of the nonce.
    signed = token(provider, aud="https://graph.microsoft.com")
    header, payload, signature = signed.split(".")
    sent = json.loads(base64url.decode(header.encode())) | {"nonce": hashlib.sha256(b"n").hexdigest()}
    altered = base64url.encode(json.dumps(sent).encode()).decode()
    with pytest.raises(InvalidToken, match="Microsoft Graph") as refused:
        verifier_of(provider).verify(f"{altered}.{payload}.{signature}")
    assert refused.value.code == "bad_signature"


def test_several_tenants_are_several_verifiers(provider: "Provider") -> None:
    there = f"{HOST}/{OTHER}/v2.0"
    provider.publish(
        f"{there}/.well-known/openid-configuration", issuer=there, jwks_uri=f"{HOST}/{OTHER}/discovery/keys"
    )
    other = entra_id.verifier(tenant_id=OTHER.upper(), audience=API, clock=provider.clock)
    both = Verifier.any_of(verifier_of(provider), other)
    assert both.verify(token(provider)).iss == V2
    assert both.verify(token(provider, iss=there, tid=OTHER)).iss == there
    with pytest.raises(InvalidToken, match="tid"):
        both.verify(token(provider, iss=there))


@pytest.mark.parametrize("tenant", ["common", "organizations", "consumers", "shop.onmicrosoft.com", "", TENANT + "/"])
def test_what_stands_for_many_tenants_is_nobodys_issuer(tenant: str) -> None:
    with pytest.raises(ValueError, match="tenant_id must be the GUID"):
        entra_id.verifier(tenant_id=tenant, audience=API)


@pytest.mark.parametrize("version", [0, 3, "2"])
def test_there_are_two_versions(version: Any) -> None:  # noqa: ANN401 - wrong ones alone
    with pytest.raises(ValueError, match="version"):
        entra_id.verifier(tenant_id=TENANT, audience=API, version=version)
