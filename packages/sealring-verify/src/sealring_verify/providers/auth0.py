"""Auth0: access tokens of an API that is registered there, in both of its token profiles."""

from typing import Final, Unpack

from sealring_verify.issuer_metadata import Discovery, openid_configuration_url
from sealring_verify.provider_profile import ProviderProfile, absent
from sealring_verify.providers.host_name import checked_host_name
from sealring_verify.verifier import Verifier
from sealring_verify.verifier_options import ProviderOptions

# A client that names no audience gets a token that is none of the API's business: opaque, or encrypted to Auth0 itself.
_NO_AUDIENCE: Final = (
    "The token cannot be read by an API. Auth0 issues such tokens to clients that name no audience: "
    "request one with this API's identifier as audience."
)


def verifier(*, domain: str, audience: str, permissions: bool = False, **options: Unpack[ProviderOptions]) -> Verifier:
    """Verify access tokens of an Auth0 tenant; `domain`: example.eu.auth0.com, or the custom domain.

    `audience` is the API's identifier. `permissions=True`: scopes are looked for in the claim `permissions`, which
    holds all that the person may do, whatever the client asked for; without it in `scope`.
    """
    issuer = f"https://{checked_host_name('domain', domain)}/"
    return Verifier(issuer, audience, profile=_profile(issuer, permissions=permissions), **options)


def _profile(issuer: str, *, permissions: bool) -> ProviderProfile:
    return ProviderProfile(
        name="Auth0",
        discovery=Discovery(url=openid_configuration_url(issuer)),
        algorithms=frozenset({"RS256", "PS256"}),
        # An API's setting decides whether its tokens are of RFC 9068 or of Auth0's own form, which says JWT and azp.
        types=frozenset({"at+jwt", "jwt"}),
        client_id_claims=("client_id", "azp"),
        scope_claim="permissions" if permissions else "scope",
        may_lack=frozenset({"jti"}),
        # An ID token names a client in aud; these three tell it apart even where an API has a client's id.
        rules=absent("nonce", "at_hash", "c_hash"),
        advice={"token_malformed": _NO_AUDIENCE, "token_encrypted": _NO_AUDIENCE},
    )
