"""Who is asking: the client or the API behind a request, before anything else of it is looked at."""

import hmac
from hashlib import sha256
from typing import assert_never

import msgspec

from sealring.ports import Store
from sealring.protocol.api import Api
from sealring.protocol.client import Client
from sealring.protocol.client_assertion import ClientAssertion
from sealring.protocol.client_authentication import (
    ClientCredentials,
    ClientSecretBasic,
    ClientSecretPost,
    NoSecret,
    parse_basic,
)
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant
from sealring.services.client_assertion import redeem_client_assertion
from sealring.services.client_keys import ClientKeys


class AuthenticatedApi(msgspec.Struct, frozen=True, kw_only=True):
    """An API that showed one of its secrets. `secret_digest`: SHA-256 of that one."""

    api: Api
    secret_digest: bytes


async def authenticate_client(
    credentials: ClientCredentials, *, store: Store, keys: ClientKeys, issuer: str, now: Instant
) -> Client | OAuthError:
    """Return the client behind `credentials`, or one refusal for all that strangers can do wrong (RFC 6749 §5.2).

    A confidential client must bring its secret or its assertion, by the one method that it is registered for; a public
    one brings none.
    """
    client = await store.clients.find(credentials.client_id)
    # The secret of a gate is its proxy's, for /gate alone.
    if client is None or client.disabled_at is not None or client.gate is not None:
        return refuse("client_authentication_failed")
    registered = credentials.method == client.token_endpoint_auth_method
    match credentials:
        case ClientSecretBasic() | ClientSecretPost():
            proven = _is_one_of(credentials, client.secret_digests)
            if proven and not registered:  # told only to whoever holds the secret
                sentence = f"This client is registered for {client.token_endpoint_auth_method}."
                return refuse("client_authentication_failed", description=sentence)
        case ClientAssertion():
            refused = await redeem_client_assertion(credentials, client, store=store, keys=keys, issuer=issuer, now=now)
            if refused is not None:
                return refused
            proven = True
        case NoSecret():
            proven = True
        case _:
            assert_never(credentials)
    return client if proven and registered else refuse("client_authentication_failed")


async def authenticate_api(authorization: str | None, *, store: Store) -> AuthenticatedApi | OAuthError:
    """Return the API behind an HTTP Basic header of its identifier and its `sla_` secret (RFC 7662 §2.1)."""
    basic = None if authorization is None else parse_basic(authorization)
    api = None if basic is None else await store.apis.find(basic.client_id)
    if basic is None or api is None or not _is_one_of(basic, api.secret_digests):
        return refuse("client_authentication_failed")
    return AuthenticatedApi(api=api, secret_digest=_digest(basic))


def _digest(credentials: ClientSecretBasic | ClientSecretPost) -> bytes:
    return sha256(credentials.client_secret.reveal().encode()).digest()


def _is_one_of(credentials: ClientSecretBasic | ClientSecretPost, digests: tuple[bytes, ...]) -> bool:
    # The secrets are random, so a digest cannot be steered towards a stored one; compared in constant time anyway.
    digest = _digest(credentials)
    return any(hmac.compare_digest(digest, known) for known in digests)
