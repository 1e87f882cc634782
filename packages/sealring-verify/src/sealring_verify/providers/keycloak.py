"""Keycloak: access tokens of one realm."""

import re
from typing import Final, Unpack

from sealring_verify.issuer_metadata import Discovery, openid_configuration_url
from sealring_verify.provider_profile import ClaimRule, ProviderProfile
from sealring_verify.verifier import Verifier
from sealring_verify.verifier_options import IntrospectingOptions

_REALM: Final = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_WRONG_AUDIENCE: Final = (
    "The token is meant for another API than this verifier's audience. Keycloak names an API in aud only where a "
    "client scope of the client has an audience mapper for it."
)


def verifier(*, server_url: str, realm: str, audience: str, **options: Unpack[IntrospectingOptions]) -> Verifier:
    """Verify access tokens of a realm. `server_url`: https://sso.example.com, of an old server with its path /auth.

    `audience`: the client id of the API, which an audience mapper must put in `aud`. The roles of the realm are the
    token's `roles`; those of clients are in its `claims`, as `resource_access`.
    """
    if not _REALM.fullmatch(realm):
        raise ValueError(f"realm must be a realm's name as it stands in addresses: {realm!r}")
    if audience == "account":
        raise ValueError("audience must be this API's own: account is a client of Keycloak that most tokens name")
    issuer = f"{server_url.rstrip('/')}/realms/{realm}"
    return Verifier(issuer, audience, profile=_profile(issuer), **options)


def _profile(issuer: str) -> ProviderProfile:
    return ProviderProfile(
        name="Keycloak",
        discovery=Discovery(url=openid_configuration_url(issuer)),
        # A client's setting decides between the two.
        types=frozenset({"jwt", "at+jwt"}),
        client_id_claims=("azp",),
        roles_path=("realm_access", "roles"),
        # The header says JWT of every kind of token; the claim of that name says Bearer, ID, Refresh, Offline, Logout.
        rules=(ClaimRule(path=("typ",), values=frozenset({"Bearer"}), code="wrong_type"),),
        advice={"wrong_audience": _WRONG_AUDIENCE},
    )
