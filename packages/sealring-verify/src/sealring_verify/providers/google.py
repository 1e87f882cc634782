"""Google sign-in: its ID token is what an API receives; its access tokens are opaque and for Google alone."""

from collections.abc import Collection
from typing import Final, Unpack

from sealring_verify.issuer_metadata import Discovery, openid_configuration_url
from sealring_verify.provider_profile import ClaimRule, ProviderProfile
from sealring_verify.verifier import Verifier
from sealring_verify.verifier_options import ProviderOptions

_ISSUER: Final = "https://accounts.google.com"


def verifier(
    *,
    client_ids: Collection[str],
    hosted_domain: str | None = None,
    **options: Unpack[ProviderOptions],
) -> Verifier:
    """Verify ID tokens that Google issued to one of these clients. They say who somebody is; they carry no scopes.

    `hosted_domain`: only accounts of that Google Workspace domain pass; without it everybody's Google account does.
    Service accounts, which can have a token made for any audience, pass only if they are named among the clients.
    """
    if isinstance(client_ids, str) or not client_ids or not all(client_ids):
        raise ValueError("client_ids must be a list of the clients whose tokens are accepted")
    return Verifier(_ISSUER, min(client_ids), profile=_profile(frozenset(client_ids), hosted_domain), **options)


def _profile(clients: frozenset[str], hosted_domain: str | None) -> ProviderProfile:
    # Whoever presents it: an app whose server has another id, or a service account, which chooses its aud freely.
    presenter = ClaimRule(path=("azp",), values=frozenset({None, *clients}))
    domain = ClaimRule(path=("hd",), values=frozenset({hosted_domain}))
    return ProviderProfile(
        name="Google",
        discovery=Discovery(
            url=openid_configuration_url(_ISSUER), key_origins=frozenset({"https://www.googleapis.com"})
        ),
        algorithms=frozenset({"RS256"}),
        types=frozenset({"jwt"}),
        # Both spellings are in use.
        issuers=frozenset({"accounts.google.com"}),
        audiences=clients,
        client_id_claims=("azp",),
        may_lack=frozenset({"jti", "client_id"}),
        rules=(presenter,) if hosted_domain is None else (presenter, domain),
    )
