"""Amazon Cognito: access tokens of a user pool, which name a client and, most of them, no audience."""

import re
from collections.abc import Collection
from typing import Final, Unpack

from sealring_verify.issuer_metadata import Discovery, openid_configuration_url
from sealring_verify.provider_profile import ClaimRule, ProviderProfile
from sealring_verify.verifier import Verifier
from sealring_verify.verifier_options import ProviderOptions

_USER_POOL: Final = re.compile(r"([a-z]{2}(?:-[a-z]+)+-[0-9]{1,2})_[A-Za-z0-9]{1,55}")


def verifier(
    *,
    user_pool_id: str,
    client_ids: Collection[str],
    audience: str | None = None,
    **options: Unpack[ProviderOptions],
) -> Verifier:
    """Verify access tokens of a user pool, as eu-west-1_Ab12Cd34E, that were issued to one of the app clients.

    Without `audience` the client stands for it, and a token that names an API in `aud` is refused. With it, for clients
    that bind their tokens to a resource, `aud` must name it as well.
    """
    region = _USER_POOL.fullmatch(user_pool_id)
    if region is None:
        raise ValueError(f"user_pool_id must be one such as eu-west-1_Ab12Cd34E: {user_pool_id!r}")
    if isinstance(client_ids, str) or not client_ids or not all(client_ids):
        raise ValueError("client_ids must be a list of the app clients whose tokens are accepted")
    issuer = f"https://cognito-idp.{region[1]}.amazonaws.com/{user_pool_id}"
    clients = frozenset(client_ids)
    profile = _profile(issuer, clients, bound=audience is not None)
    return Verifier(issuer, audience or min(clients), profile=profile, **options)


def _profile(issuer: str, clients: frozenset[str], *, bound: bool) -> ProviderProfile:
    # An ID token of the pool has the client in aud, so its use is looked at first.
    access = ClaimRule(path=("token_use",), values=frozenset({"access"}), code="wrong_type")
    ours = ClaimRule(path=("client_id",), values=frozenset(clients))
    unbound = ClaimRule(path=("aud",), values=frozenset({None}), code="wrong_audience")
    return ProviderProfile(
        name="Amazon Cognito",
        discovery=Discovery(url=openid_configuration_url(issuer)),
        algorithms=frozenset({"RS256"}),
        types=frozenset({None}),
        audiences=frozenset() if bound else clients,
        audience_claim="aud" if bound else "client_id",
        roles_path=("cognito:groups",),
        rules=(access, ours) if bound else (access, unbound),
    )
