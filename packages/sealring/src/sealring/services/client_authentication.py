"""Who is asking: the client or the API behind a request, before anything else of it is looked at."""

import hmac
from hashlib import sha256

import msgspec

from sealring.ports import Store
from sealring.protocol.api import Api
from sealring.protocol.client import Client
from sealring.protocol.client_authentication import (
    ClientCredentials,
    ClientSecretBasic,
    NoSecret,
    parse_basic,
)
from sealring.protocol.errors import OAuthError, refuse


class AuthenticatedApi(msgspec.Struct, frozen=True, kw_only=True):
    """An API that showed one of its secrets. `secret_digest`: SHA-256 of that one."""

    api: Api
    secret_digest: bytes


async def authenticate_client(credentials: ClientCredentials, *, store: Store) -> Client | OAuthError:
    """Return the client behind `credentials`, or one refusal for all that can be wrong (RFC 6749 §5.2).

    A confidential client must bring its secret, a public one must not bring any.
    """
    client = await store.clients.find(credentials.client_id)
    if client is None or client.disabled_at is not None:
        return refuse("client_authentication_failed")
    match credentials:
        case ClientSecretBasic():
            proven = client.type == "confidential" and _is_one_of(credentials, client.secret_digests)
        case NoSecret():
            proven = client.type == "public"
    return client if proven else refuse("client_authentication_failed")


async def authenticate_api(authorization: str | None, *, store: Store) -> AuthenticatedApi | OAuthError:
    """Return the API behind an HTTP Basic header of its identifier and its `sla_` secret (RFC 7662 §2.1)."""
    basic = None if authorization is None else parse_basic(authorization)
    api = None if basic is None else await store.apis.find(basic.client_id)
    if basic is None or api is None or not _is_one_of(basic, api.secret_digests):
        return refuse("client_authentication_failed")
    return AuthenticatedApi(api=api, secret_digest=_digest(basic))


def _digest(credentials: ClientSecretBasic) -> bytes:
    return sha256(credentials.client_secret.reveal().encode()).digest()


def _is_one_of(credentials: ClientSecretBasic, digests: tuple[bytes, ...]) -> bool:
    # The secrets are random, so a digest cannot be steered towards a stored one; compared in constant time anyway.
    digest = _digest(credentials)
    return any(hmac.compare_digest(digest, known) for known in digests)
