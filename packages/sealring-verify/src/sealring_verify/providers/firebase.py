"""Firebase Authentication: its ID token is what an API receives, since it has no access tokens."""

import re
from typing import Final, Unpack

from sealring_verify.issuer_metadata import Discovery, openid_configuration_url
from sealring_verify.provider_profile import ClaimRule, ProviderProfile
from sealring_verify.verifier import Verifier
from sealring_verify.verifier_options import ProviderOptions

_PROJECT: Final = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")


def verifier(
    *, project_id: str, tenant: str | None = None, roles_claim: str | None = None, **options: Unpack[ProviderOptions]
) -> Verifier:
    """Verify ID tokens of a Firebase project. They say who somebody is; they carry no scopes and name no client.

    `project_id` is the name, not the number: one set of keys signs for every project of the world. `tenant`: the one of
    Identity Platform whose people are accepted; without it those of no tenant. `roles_claim` names the custom claim
    that holds a list of roles.
    """
    if not _PROJECT.fullmatch(project_id):
        raise ValueError(f"project_id must be a project's id such as shop-12345, not its number: {project_id!r}")
    issuer = f"https://securetoken.google.com/{project_id}"
    return Verifier(issuer, project_id, profile=_profile(issuer, tenant, roles_claim), **options)


def _profile(issuer: str, tenant: str | None, roles_claim: str | None) -> ProviderProfile:
    return ProviderProfile(
        name="Firebase Authentication",
        discovery=Discovery(
            url=openid_configuration_url(issuer), key_origins=frozenset({"https://www.googleapis.com"})
        ),
        algorithms=frozenset({"RS256"}),
        types=frozenset({"jwt"}),
        client_id_claims=("azp",),
        roles_path=None if roles_claim is None else (roles_claim,),
        may_lack=frozenset({"jti", "client_id"}),
        rules=(
            ClaimRule(path=("auth_time",), values=None),
            ClaimRule(path=("firebase", "sign_in_provider"), values=None),
            # All tenants of a project share issuer and audience.
            ClaimRule(path=("firebase", "tenant"), values=frozenset({tenant})),
        ),
    )
