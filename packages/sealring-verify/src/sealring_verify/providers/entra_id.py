"""Microsoft Entra ID: access tokens of one tenant for an API that is registered there, of version 1 or 2."""

import re
from typing import Final, Literal, Unpack

from sealring_verify.issuer_metadata import Discovery, openid_configuration_url
from sealring_verify.provider_profile import ClaimRule, ProviderProfile, absent
from sealring_verify.verifier import Verifier
from sealring_verify.verifier_options import ProviderOptions

_HOST: Final = "https://login.microsoftonline.com"
_GUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_WRONG_ISSUER: Final = (
    "The token was issued by another tenant, or in another version. Entra ID issues version 1 unless the API's "
    "manifest says requestedAccessTokenVersion 2, whichever endpoint the client used."
)
_BAD_SIGNATURE: Final = (
    "The signature does not fit the token and its key. A token for Microsoft Graph can be verified by Graph alone: "
    "request one for this API."
)


def verifier(
    *, tenant_id: str, audience: str, version: Literal[1, 2] = 2, **options: Unpack[ProviderOptions]
) -> Verifier:
    """Verify access tokens of one tenant; several tenants are several verifiers, joined by `Verifier.any_of`.

    `tenant_id`: its GUID, since what stands for all tenants (common, organizations) is nobody's issuer. `audience`: the
    API's client id; in version 1 it can be the application ID URI. The version is the API's registration's choice.
    """
    tenant = tenant_id.lower()
    if not _GUID.fullmatch(tenant):
        raise ValueError(
            f"tenant_id must be the GUID of one tenant, not a domain and not common, organizations or consumers: "
            f"{tenant_id!r}"
        )
    if version not in {1, 2}:
        raise ValueError("version must be 1 or 2")
    issuer = f"{_HOST}/{tenant}/v2.0" if version == 2 else f"https://sts.windows.net/{tenant}/"
    return Verifier(issuer, audience, profile=_profile(tenant, version), **options)


def _profile(tenant: str, version: int) -> ProviderProfile:
    # The issuer of version 1 has a host of its own, which answers nothing: its metadata lies beside that of version 2.
    metadata = f"{_HOST}/{tenant}/v2.0" if version == 2 else f"{_HOST}/{tenant}"
    return ProviderProfile(
        name="Microsoft Entra ID",
        discovery=Discovery(url=openid_configuration_url(metadata)),
        algorithms=frozenset({"RS256"}),
        types=frozenset({"jwt"}),
        client_id_claims=("azp",) if version == 2 else ("appid",),
        scope_claim="scp",
        roles_path=("roles",),
        jti_claim="uti",
        may_lack=frozenset({"jti"}),
        # Any application of the tenant gets a token for any API of it: one that says neither was granted nothing.
        one_of=("scp", "roles"),
        rules=(
            # Where an API and a page share one registration, an ID token has the same audience.
            *absent("nonce", "at_hash", "c_hash"),
            ClaimRule(path=("ver",), values=frozenset({f"{version}.0"})),
            ClaimRule(path=("tid",), values=frozenset({tenant})),
        ),
        advice={"wrong_issuer": _WRONG_ISSUER, "bad_signature": _BAD_SIGNATURE},
    )
