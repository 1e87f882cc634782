"""Any OpenID Connect issuer, found by its discovery document."""

from collections.abc import Collection
from typing import Literal, Unpack

from sealring_verify.issuer_metadata import Discovery, openid_configuration_url, parse_issuer
from sealring_verify.provider_profile import ProviderProfile, absent
from sealring_verify.verifier import Verifier
from sealring_verify.verifier_options import IntrospectingOptions


def verifier(
    *,
    issuer: str,
    audience: str,
    typ: Literal["at+jwt", "JWT"] | None = "at+jwt",
    client_id_claim: str = "client_id",
    scope_claim: str = "scope",
    may_lack: Collection[Literal["jti", "client_id"]] = (),
    jwks_uri: str | None = None,
    key_origin: str | None = None,
    **options: Unpack[IntrospectingOptions],
) -> Verifier:
    """Verify access tokens of an issuer. Said of nothing more, it demands all of RFC 9068; each option is an exception.

    `typ`: what the issuer writes in the header, None for nothing. `client_id_claim`, `scope_claim`: where it says the
    client and the scopes. `may_lack`: what its tokens do not have. `key_origin`: where else its keys may lie, as
    https://keys.example.com; `jwks_uri`: where they lie if the issuer has no discovery document.
    """
    parse_issuer(issuer)
    if typ not in {"at+jwt", "JWT", None}:
        raise ValueError('typ must be "at+jwt", "JWT" or None')
    discovery = Discovery(
        url=None if jwks_uri else openid_configuration_url(issuer),
        jwks_uri=jwks_uri,
        key_origins=frozenset() if key_origin is None else frozenset({key_origin}),
    )
    profile = ProviderProfile(
        name=issuer,
        discovery=discovery,
        types=frozenset({typ if typ is None else typ.lower()}),
        client_id_claims=(client_id_claim,),
        scope_claim=scope_claim,
        roles_path=("roles",),
        may_lack=frozenset(may_lack),
        # A typ that says nothing leaves the claims to tell an ID token, and a logout token, from an access token.
        rules=() if typ == "at+jwt" else absent("nonce", "at_hash", "c_hash", "events"),
    )
    return Verifier(issuer, audience, profile=profile, **options)
