"""Client sessions laid out: the row, and the first refresh token of its family (SECURITY A1)."""

import msgspec

from sealring.ports import MacKey, NewSession, Randomness, Signer
from sealring.protocol.api import Api
from sealring.protocol.caller import Caller
from sealring.protocol.client import Client, client_reach
from sealring.protocol.instant import Instant, later
from sealring.protocol.refresh_token_format import family_key, mint_refresh_token
from sealring.protocol.scope import Target
from sealring.protocol.token_response import TokenResponse
from sealring.protocol.user import User


class OpenedFamily(msgspec.Struct, frozen=True, kw_only=True):
    """A new refresh family: the secret is here once and nowhere else. `born`: 4 octets."""

    born: bytes
    secret: bytes

    def __repr__(self) -> str:
        return "OpenedFamily(…)"


class SessionTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a session is opened on: who, how proven, for which API and scopes.

    `sso_id`, `acr`, `requested_claims`: of the browser session and the authorization request that it comes from.
    """

    user: User
    auth_time: Instant
    amr: tuple[str, ...]
    claims: dict[str, object]
    scope: frozenset[str]
    target: Target
    api: Api
    sso_id: str | None = None
    acr: str | None = None
    requested_claims: bytes | None = None


def open_family(*, now: Instant, randomness: Randomness) -> OpenedFamily:
    """Throw the dice for a new refresh family."""
    return OpenedFamily(born=(now // 1000).to_bytes(4, "big"), secret=randomness(16))


def with_refresh_token(
    response: TokenResponse, family: OpenedFamily, *, mac_key: MacKey, signer: Signer
) -> TokenResponse:
    """Add the first refresh token of a family to an answer; its row names the same MAC key."""
    token = mint_refresh_token(
        mac_key_id=mac_key.mac_key_id,
        mac_key=mac_key.secret,
        realm=signer.realm,
        born=family.born,
        secret=family.secret,
        generation=0,
    )
    return msgspec.structs.replace(response, refresh_token=token)


def new_session(
    terms: SessionTerms,
    client: Client,
    caller: Caller,
    *,
    sid: str,
    family: OpenedFamily,
    mac_key: MacKey,
    issuer: str,
    now: Instant,
) -> NewSession:
    """Lay out the row of a session of `client`; without refresh tokens it lasts as long as one access token."""
    # Without a refresh token a session is over when its only access token is.
    idle = client.idle_lifetime if client.refresh else terms.api.access_token_lifetime
    absolute = client.absolute_lifetime if client.refresh else terms.api.access_token_lifetime
    reach = client_reach(client, issuer=issuer)
    owners = [identifier for identifier, scopes in reach.items() if scopes & terms.scope]
    return NewSession(
        key=family_key(born=family.born, secret=family.secret),
        sid=sid,
        sub=terms.user.sub,
        client_id=client.client_id,
        subject_epoch=terms.user.epoch,
        client_epoch=client.epoch,
        mac_key_id=mac_key.mac_key_id,
        scope=terms.scope,
        resource=terms.target.audience,
        resources=frozenset(owners),
        auth_time=terms.auth_time,
        amr=terms.amr,
        claims=msgspec.json.encode(terms.claims) if terms.claims else None,
        idle_expires_at=later(now, min(idle, absolute)),
        absolute_expires_at=later(now, absolute),
        binding_digest=caller.binding_digest,
        network=caller.network,
        user_agent=caller.user_agent,
        sso_id=terms.sso_id,
        acr=terms.acr,
        requested_claims=terms.requested_claims,
        backchannel_logout=client.logout.backchannel_logout_uri is not None,
    )
