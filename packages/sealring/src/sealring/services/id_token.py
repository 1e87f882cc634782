"""ID tokens made, and taken back as hints: who signed in, as this client knows the person (OpenID Connect Core §2)."""

import msgspec

from sealring.ports import Signer
from sealring.protocol.authorization_code import AuthorizationCode
from sealring.protocol.client import Client
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.id_token import ID_TOKEN_TYPE, LogIn, id_token_payload
from sealring.protocol.instant import Instant
from sealring.protocol.requested_claims import parse_requested_claims
from sealring.protocol.subject_identifier import PairwiseKey, subject_identifier
from sealring.protocol.token_response import TokenResponse
from sealring.protocol.user import User
from sealring.protocol.userinfo import claims_of
from sealring_verify.errors import TokenRefused
from sealring_verify.jose.algorithms import ALGORITHMS
from sealring_verify.jose.jws import verify_compact


class IdTokenHint(msgspec.Struct, frozen=True, kw_only=True):
    """Whom an ID token of ours names, to which client; it may have expired. `sid`: of the session it came from."""

    sub: str
    aud: str
    sid: str | None = None


def read_id_token_hint(token: str, *, signer: Signer) -> IdTokenHint | None:
    """Read an `id_token_hint` (Core §3.1.2.1): one of our own ID tokens, signed by a key that we still publish."""
    try:
        signed = verify_compact(token, keys=signer.verification_keys(), algorithms=ALGORITHMS)
        # An access token is signed by the same keys under another type.
        if signed.header.typ != ID_TOKEN_TYPE:
            return None
        claims = msgspec.json.decode(signed.payload, type=_HintClaims)
    except (TokenRefused, msgspec.DecodeError):
        return None
    if claims.iss != signer.realm.issuer:
        return None
    return IdTokenHint(sub=claims.sub, aud=claims.aud, sid=claims.sid)


class _HintClaims(msgspec.Struct, frozen=True):
    iss: str
    sub: str
    aud: str
    sid: str | None = None
    auth_time: int = 0


def make_id_token(
    code: AuthorizationCode,
    user: User,
    client: Client,
    response: TokenResponse,
    *,
    signer: Signer,
    pairwise_key: PairwiseKey,
    now: Instant,
) -> str | OAuthError:
    """Sign the ID token that goes with the tokens of a code, by the algorithm that the client is registered for.

    Claims of the person stand in it only where the `claims` parameter asked for them here; scopes bring them to
    userinfo (Core §5.4). `no_signing_key` where the algorithm's first key is not made yet.
    """
    if client.code_flow is None or response.sid is None:
        return refuse("grant_not_registered")
    alg = client.code_flow.id_token_signed_response_alg
    asked = None if code.requested_claims is None else parse_requested_claims(code.requested_claims)
    names = frozenset[str]() if asked is None or isinstance(asked, OAuthError) else asked.id_token
    log_in = LogIn(
        sub=subject_identifier(user.sub, client, key=pairwise_key),
        sid=response.sid,
        auth_time=code.auth_time,
        amr=code.amr,
        acr=code.acr,
        nonce=code.nonce,
    )
    payload = id_token_payload(
        log_in,
        issuer=signer.realm.issuer,
        client_id=client.client_id,
        alg=alg,
        access_token=response.access_token,
        claims=claims_of(user, scope=frozenset(), requested=names),
        now=now,
    )
    return signer.sign_jwt(payload, typ=ID_TOKEN_TYPE, alg=alg) or refuse("no_signing_key", retry_after=5)
