"""Telling a client of the person who signed in (OpenID Connect Core §5.3)."""

import msgspec

from sealring.ports import Signer, Store
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.requested_claims import parse_requested_claims
from sealring.protocol.subject_identifier import PairwiseKey, subject_identifier
from sealring.protocol.userinfo import claims_of
from sealring.services.access_token import Bearer


class SignedUserinfo(msgspec.Struct, frozen=True, kw_only=True):
    """The claims as a JWT, for a client that is registered for one."""

    token: str


async def tell_userinfo(
    bearer: Bearer, *, store: Store, signer: Signer, pairwise_key: PairwiseKey
) -> dict[str, object] | SignedUserinfo | OAuthError:
    """Tell what the scopes of the token and the `claims` parameter of its log-in ask for.

    `bearer`: its token has the scope `openid`, its session lives.
    """
    session = bearer.session
    client, user = await store.clients.find(session.client_id), await store.users.find(session.sub)
    if client is None or user is None:
        return refuse("session_ended")
    asked = None if session.requested_claims is None else parse_requested_claims(session.requested_claims)
    names = frozenset[str]() if asked is None or isinstance(asked, OAuthError) else asked.userinfo
    claims = claims_of(user, scope=bearer.token.scope, requested=names)
    claims["sub"] = subject_identifier(user.sub, client, key=pairwise_key)
    alg = None if client.code_flow is None else client.code_flow.userinfo_signed_response_alg
    if alg is None:
        return claims
    payload = msgspec.json.encode({**claims, "iss": signer.realm.issuer, "aud": client.client_id})
    token = signer.sign_jwt(payload, typ="JWT", alg=alg)
    return refuse("no_signing_key", retry_after=5) if token is None else SignedUserinfo(token=token)
