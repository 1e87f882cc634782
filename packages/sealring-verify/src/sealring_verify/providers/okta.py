"""Okta: access tokens of a custom authorization server."""

import re
from typing import Final, Unpack

from sealring_verify.issuer_metadata import Discovery, openid_configuration_url
from sealring_verify.provider_profile import ClaimRule, ProviderProfile, absent
from sealring_verify.providers.host_name import checked_host_name
from sealring_verify.verifier import Verifier
from sealring_verify.verifier_options import IntrospectingOptions

_SERVER: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def verifier(
    *, domain: str, audience: str, authorization_server: str = "default", **options: Unpack[IntrospectingOptions]
) -> Verifier:
    """Verify access tokens of one of an Okta organisation's custom authorization servers.

    `domain`: example.okta.com, or the custom domain; `audience`: the server's, as api://default. Tokens of the
    organisation's own server, which has no name, are for Okta alone: no API can verify them.
    """
    host = checked_host_name("domain", domain)
    if host.endswith(("-admin.okta.com", "-admin.oktapreview.com")):
        raise ValueError(f"domain must be the organisation's own, without -admin: {domain!r}")
    if not _SERVER.fullmatch(authorization_server):
        raise ValueError(
            "authorization_server must name a custom one, such as default: tokens of Okta's org authorization server "
            "can be verified by Okta alone"
        )
    issuer = f"https://{host}/oauth2/{authorization_server}"
    return Verifier(issuer, audience, profile=_profile(issuer), **options)


def _profile(issuer: str) -> ProviderProfile:
    return ProviderProfile(
        name="Okta",
        discovery=Discovery(url=openid_configuration_url(issuer)),
        algorithms=frozenset({"RS256"}),
        # A custom server writes no typ; the org server does, whose tokens must not pass.
        types=frozenset({None}),
        client_id_claims=("cid",),
        scope_claim="scp",
        # With no typ to go by, the client tells an access token from an ID token, which has it in aud alone.
        rules=(*absent("nonce", "at_hash"), ClaimRule(path=("cid",), values=None)),
    )
